"""Scores -> what is believed of a model: numbers with intervals, pictures, predictions, and the table at the end."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.data.batches import Batches
from mammoscope.data.draws import Pick
from mammoscope.jobs.gather import GatheredData
from mammoscope.metrics.classes import ClassEvidence, gather_class_evidence, lesions_only
from mammoscope.metrics.evidence import Evidence, gather_evidence, quick_auc
from mammoscope.metrics.levels import units_at
from mammoscope.metrics.reference import with_scores
from mammoscope.phantom import read_ideal_scores
from mammoscope.records import ClassScores, Predictions, Sample
from mammoscope.reporting.console import console, say
from mammoscope.reporting.figures import (
    batch_figure,
    class_confusion_figure,
    confusion_figure,
    precision_recall_figure,
    roc_figure,
)
from mammoscope.reporting.predictions import write_predictions
from mammoscope.reporting.tables import classes_table, results_table
from mammoscope.tracking.run import Tracker
from mammoscope.vocabulary import CLASSES, MALIGNANT_CLASSES, ImageVariant, Level, Partition, TargetPolicy

LOOK_TILES = 16


@dataclass(frozen=True, slots=True)
class Report:
    """What an evaluation gave; `references` are other scorers' AUCs on the very same rows, by name."""

    predictions: Predictions  # of all rows
    evidence: Evidence  # of malignancy: normal rows are not in it
    classes: ClassEvidence | None  # of a target with more than two
    references: Mapping[str, float]


def predictions_of(
    samples: Sequence[Sample],
    probabilities: np.ndarray,
    partition: Partition,
    variant: ImageVariant,
    target: TargetPolicy,
) -> Predictions:
    """Samples and what the model says of them as one table.

    probabilities: (samples, classes of the target), in the samples' order; a score is the sum over the malignant ones.
    """
    names = CLASSES[target]
    assert probabilities.shape == (len(samples), len(names)), "one probability a sample and class"
    malignant = [number for number, name in enumerate(names) if name in MALIGNANT_CLASSES]
    return Predictions(
        partition=partition,
        finest=_finest(samples, variant),
        ids=np.array([s.id for s in samples]),
        patients=np.array([s.patient for s in samples]),
        lateralities=np.array([str(s.laterality) for s in samples]),
        views=np.array(["+".join(s.views) for s in samples]),
        kinds=np.array(["+".join(s.kinds) for s in samples]),
        films=np.array(["+".join(s.films) for s in samples]),
        targets=np.array([s.malignant for s in samples], dtype=np.int8),
        scores=probabilities[:, malignant].sum(axis=1).clip(0, 1),
        classes=None
        if len(names) == 2
        else ClassScores(
            names=names,
            targets=np.array([s.target for s in samples], dtype=np.int8),
            probabilities=probabilities,
        ),
    )


def _finest(samples: Sequence[Sample], variant: ImageVariant) -> Level:
    if any(len(sample.images) > 1 for sample in samples):
        return Level.breast
    return Level.image if variant is ImageVariant.full else Level.abnormality


def gather_all_evidence(
    predictions: Predictions, thresholds: Mapping[Level, float] | None
) -> tuple[Evidence, ClassEvidence | None]:
    """Of malignancy at all levels, and of the classes where there are more than two. Raises as gather_evidence."""
    evidence = gather_evidence(lesions_only(predictions), thresholds=thresholds, rng=np.random.default_rng(0))
    return evidence, gather_class_evidence(predictions, rng=np.random.default_rng(0))


def log_look(
    tracker: Tracker, batches: Batches, samples: Sequence[Sample], partition: Partition, target: TargetPolicy
) -> None:
    """One batch as the network sees it, with ids, targets and ROI outlines that the network does not see."""
    count = min(LOOK_TILES, len(samples))
    first = np.linspace(0, len(samples) - 1, count).round().astype(int)
    looks = [batches.images.look(Pick(0, int(index)), with_mask=True) for index in first]
    captions = [f"{samples[i].id}\n{CLASSES[target][samples[i].target].replace('_', ' ')}" for i in first]
    masks = np.stack([np.zeros(image.shape, bool) if mask is None else mask for image, mask in looks])
    title = f"What the network sees: {partition} partition" + (", augmented" if batches.images.is_augmented else "")
    tracker.figure(
        batch_figure(np.stack([image for image, _ in looks]), masks, captions, title), f"figures/{partition}_batch.png"
    )


def log_evidence(
    tracker: Tracker,
    predictions: Predictions,
    samples: Sequence[Sample],
    data: GatheredData,
    *,
    thresholds: Mapping[Level, float] | None,
    prefix: str = "",
) -> Report:
    """Metrics, confusion matrix, ROC and precision-recall at every level, and the predictions themselves.

    thresholds: as gather_evidence takes them; prefix: put before every key and below `figures/` and `predictions/`.
    """
    report = log_numbers(tracker, predictions, samples, data, thresholds=thresholds, prefix=prefix)
    log_pictures(tracker, report, samples, data, prefix=prefix)
    return report


def log_numbers(
    tracker: Tracker,
    predictions: Predictions,
    samples: Sequence[Sample],
    data: GatheredData,
    *,
    thresholds: Mapping[Level, float] | None,
    prefix: str = "",
) -> Report:
    """As log_evidence, without the pictures."""
    evidence, classes = gather_all_evidence(predictions, thresholds)
    ideal = ideal_predictions(lesions_only(predictions), samples, data)
    numbers, references = evidence.flat(), {}
    if ideal is not None:
        aucs = quick_auc(ideal)
        references = {f"ideal observer on the same rows, {level} level": auc for level, auc in aucs.items()}
        if data.ideal_auc is not None:
            references["ideal observer in the long run, abnormality level"] = data.ideal_auc
        numbers |= {f"{evidence.partition}/{level}/ideal_auc": auc for level, auc in aucs.items()}
    if classes is not None:
        numbers |= classes.flat()
    tracker.metrics({prefix + key: value for key, value in numbers.items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{evidence.partition}.parquet"
        write_predictions(predictions, path)
        tracker.file(path, f"{prefix}predictions")
    return Report(predictions, evidence, classes, references)


def log_pictures(
    tracker: Tracker, report: Report, samples: Sequence[Sample], data: GatheredData, *, prefix: str = ""
) -> None:
    """Confusion matrix, ROC and precision-recall at every level."""
    evidence, lesions = report.evidence, lesions_only(report.predictions)
    ideal = ideal_predictions(lesions, samples, data)
    if report.classes is not None:
        where = f"figures/{prefix}{evidence.partition}_classes_confusion.png"
        tracker.figure(class_confusion_figure(report.classes), where)
    for level in evidence.levels:
        units = units_at(lesions, level)
        reference = None if ideal is None else units_at(ideal, level)
        where = f"figures/{prefix}{evidence.partition}_{level}"
        tracker.figure(confusion_figure(evidence, level), f"{where}_confusion.png")
        tracker.figure(roc_figure(units, evidence, reference=reference), f"{where}_roc.png")
        tracker.figure(precision_recall_figure(units, evidence, reference=reference), f"{where}_precision_recall.png")


def ideal_predictions(predictions: Predictions, samples: Sequence[Sample], data: GatheredData) -> Predictions | None:
    """The same rows as the phantom's ideal observer scores them: by the latents that were drawn. None for real data."""
    if not data.is_phantom:
        return None
    by_abnormality = read_ideal_scores(data.root)
    scored = (sample for sample in samples if sample.abnormalities)
    by_id = {sample.id: max(by_abnormality[key] for key in sample.abnormalities) for sample in scored}
    return with_scores(predictions, by_id)


def show_results(report: Report) -> None:
    """The table, and where the pictures lie."""
    console.print(results_table(report.evidence, title=str(report.evidence.partition), references=report.references))
    if report.classes is not None:
        console.print(classes_table(report.classes))
    say("pictures: in the run's artifacts under figures/; `mammoscope ui` shows them")
