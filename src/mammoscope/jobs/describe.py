"""What a run says of itself in the UI."""

from dataclasses import dataclass

import numpy as np

from mammoscope.config import TrainConfig
from mammoscope.jobs.evidence import Report
from mammoscope.jobs.provenance import Provenance
from mammoscope.records import Predictions
from mammoscope.reporting.description import PartitionFacts, RunFacts, run_description
from mammoscope.tracking.origin import code_tags
from mammoscope.vocabulary import CLASSES


@dataclass(frozen=True, slots=True)
class Fitted:
    """What training kept: the epoch with the best validation AUC at the finest level."""

    predictions: Predictions  # of validation, by the weights that were kept
    probabilities: np.ndarray  # float64 (samples, classes), what the predictions were made of
    auc: float
    epoch: int  # counted from 0
    epochs: int  # that were trained in all
    seconds: float


def describe_run(config: TrainConfig, provenance: Provenance, fitted: Fitted, report: Report) -> str:
    """Markdown."""
    data, hardware, code = provenance.data, provenance.environment(), code_tags()
    facts = RunFacts(
        backbone=config.model.backbone,
        trainable=config.model.trainable,
        kinds=tuple(config.data.kinds),
        image=config.image.name,
        height_px=config.image.height_px,
        width_px=config.image.width_px,
        views=tuple(config.view.views),
        fusion=config.view.fusion,
        target=config.target.name,
        epochs=fitted.epochs,
        best_epoch=fitted.epoch + 1,
        source=config.source.name,
        is_phantom=data.is_phantom,
        split=config.split.name,
        certificate=data.certificate.digest,
        partitions=tuple(
            PartitionFacts(
                partition=partition,
                patients=len({sample.patient for sample in samples}),
                samples=len(samples),
                by_class={
                    name: sum(sample.target == number for sample in samples)
                    for number, name in enumerate(CLASSES[config.target.name])
                },
            )
            for partition, samples in data.samples.items()
        ),
        weights=provenance.weights.origin,
        precision=str(provenance.precision),
        hardware=hardware["gpu"] if hardware["gpu"] != "none" else hardware["cpu"],
        duration_s=fitted.seconds,
        commit=code["git_commit"] + (" + changes" if code["git_dirty"] == "true" else ""),
        warnings=data.notes,
    )
    return run_description(facts, report.evidence, report.classes, references=report.references)
