"""Scores -> what is believed of a model: numbers with intervals, pictures, predictions, and the table at the end."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.data.batches import Batches
from mammoscope.data.draws import Pick
from mammoscope.jobs.gather import GatheredData
from mammoscope.metrics.evidence import Evidence, quick_auc
from mammoscope.metrics.levels import units_at
from mammoscope.metrics.reference import with_scores
from mammoscope.phantom import read_ideal_scores
from mammoscope.records import Predictions, Sample
from mammoscope.reporting.console import console, say
from mammoscope.reporting.figures import batch_figure, confusion_figure, precision_recall_figure, roc_figure
from mammoscope.reporting.predictions import write_predictions
from mammoscope.reporting.tables import results_table
from mammoscope.tracking.run import Tracker
from mammoscope.vocabulary import ImageVariant, Level, Partition

LOOK_TILES = 16


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation gave; `references` are other scorers' AUCs on the very same rows, by name."""

    predictions: Predictions
    evidence: Evidence
    references: Mapping[str, float]


def predictions_of(
    samples: Sequence[Sample], scores: np.ndarray, partition: Partition, variant: ImageVariant
) -> Predictions:
    """Samples and their scores as one table; the scores are in the samples' order."""
    assert len(samples) == len(scores), "one score a sample"
    return Predictions(
        partition=partition,
        finest=Level.abnormality if variant is ImageVariant.roi else Level.image,
        ids=np.array([s.id for s in samples]),
        patients=np.array([s.patient for s in samples]),
        lateralities=np.array([str(s.laterality) for s in samples]),
        views=np.array(["+".join(s.views) for s in samples]),
        kinds=np.array(["+".join(s.kinds) for s in samples]),
        films=np.array(["+".join(s.films) for s in samples]),
        targets=np.array([s.malignant for s in samples], dtype=np.int8),
        scores=np.asarray(scores, dtype=np.float64),
    )


def log_look(tracker: Tracker, batches: Batches, samples: Sequence[Sample], partition: Partition) -> None:
    """One batch as the network sees it, with ids, targets and ROI outlines that the network does not see."""
    count = min(LOOK_TILES, len(samples))
    first = np.linspace(0, len(samples) - 1, count).round().astype(int)
    looks = [batches.images.look(Pick(0, int(index)), with_mask=True) for index in first]
    captions = [f"{samples[i].id}\n{'malignant' if samples[i].malignant else 'benign'}" for i in first]
    masks = np.stack([np.zeros(image.shape, bool) if mask is None else mask for image, mask in looks])
    title = f"What the network sees: {partition} partition" + (", augmented" if batches.images.is_augmented else "")
    tracker.figure(
        batch_figure(np.stack([image for image, _ in looks]), masks, captions, title), f"figures/{partition}_batch.png"
    )


def log_evidence(
    tracker: Tracker, predictions: Predictions, evidence: Evidence, data: GatheredData, *, prefix: str = ""
) -> Report:
    """Metrics, confusion matrix, ROC and precision-recall at every level, and the predictions themselves.

    prefix: put before every key and below `figures/` and `predictions/`.
    """
    ideal = ideal_predictions(predictions, data)
    numbers, references = evidence.flat(), {}
    if ideal is not None:
        aucs = quick_auc(ideal)
        references = {f"ideal observer on the same rows, {level} level": auc for level, auc in aucs.items()}
        if data.ideal_auc is not None:
            references["ideal observer in the long run, abnormality level"] = data.ideal_auc
        numbers |= {f"{evidence.partition}/{level}/ideal_auc": auc for level, auc in aucs.items()}
    tracker.metrics({prefix + key: value for key, value in numbers.items()})
    for level in evidence.levels:
        units = units_at(predictions, level)
        reference = None if ideal is None else units_at(ideal, level)
        where = f"figures/{prefix}{evidence.partition}_{level}"
        tracker.figure(confusion_figure(evidence, level), f"{where}_confusion.png")
        tracker.figure(roc_figure(units, evidence, reference=reference), f"{where}_roc.png")
        tracker.figure(precision_recall_figure(units, evidence, reference=reference), f"{where}_precision_recall.png")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{evidence.partition}.parquet"
        write_predictions(predictions, path)
        tracker.file(path, f"{prefix}predictions")
    return Report(predictions, evidence, references)


def ideal_predictions(predictions: Predictions, data: GatheredData) -> Predictions | None:
    """The same rows as the phantom's ideal observer scores them: by the latents that were drawn. None for real data."""
    if not data.is_phantom:
        return None
    by_abnormality = read_ideal_scores(data.root)
    by_id = {
        sample.id: max(by_abnormality[key] for key in sample.abnormalities)
        for samples in data.samples.values()
        for sample in samples
    }
    return with_scores(predictions, by_id)


def show_results(report: Report) -> None:
    """The table, and where the pictures lie."""
    console.print(results_table(report.evidence, title=str(report.evidence.partition), references=report.references))
    say("pictures: in the run's artifacts under figures/; `mammoscope ui` shows them")
