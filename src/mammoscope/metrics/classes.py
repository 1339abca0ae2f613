"""What a model of more than two classes tells apart: every class against the rest, and which it takes for which.

All rows count here, normal ones too. The numbers at the levels (evidence.py) are of malignancy and leave the normal
rows out, so that they are of the very rows that target=malignancy scores.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from mammoscope.metrics.intervals import REPLICATES, Interval, patient_bootstrap
from mammoscope.metrics.levels import Units
from mammoscope.metrics.scores import roc_auc
from mammoscope.records import ClassScores, Predictions
from mammoscope.vocabulary import NORMAL, Level, Partition


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassEvidence:
    """Of all rows of a partition. A row is called what is most probable."""

    partition: Partition
    finest: Level  # what a row is
    names: tuple[str, ...]
    confusion: np.ndarray  # int64 (classes, classes): rows are the truth, columns what it is called
    aucs: Mapping[str, Interval]  # by class: its probability, the class against all others; none where one is absent
    patients: int

    @property
    def n(self) -> int:
        return int(self.confusion.sum())

    def flat(self) -> dict[str, float]:
        """`<partition>/classes/auc_<class>` with `_low` and `_high`, `n_<class>`, `<class>_called_<class>`."""
        prefix = f"{self.partition}/classes"
        numbers = {f"{prefix}/n": float(self.n), f"{prefix}/patients": float(self.patients)}
        for name, interval in self.aucs.items():
            numbers[f"{prefix}/auc_{name}"] = interval.value
            if not math.isnan(interval.low):
                numbers[f"{prefix}/auc_{name}_low"] = interval.low
                numbers[f"{prefix}/auc_{name}_high"] = interval.high
        for truth, counts in zip(self.names, self.confusion, strict=True):
            numbers[f"{prefix}/n_{truth}"] = float(counts.sum())
            numbers |= {f"{prefix}/{truth}_called_{name}": float(n) for name, n in zip(self.names, counts, strict=True)}
        return numbers


def gather_class_evidence(
    predictions: Predictions, *, rng: np.random.Generator, replicates: int = REPLICATES
) -> ClassEvidence | None:
    """None for a model of two classes, whose evidence is whole without it."""
    scores = predictions.classes
    if scores is None:
        return None
    called = scores.probabilities.argmax(axis=1)
    size = len(scores.names)
    confusion = np.bincount(scores.targets.astype(np.intp) * size + called, minlength=size * size)
    aucs = {
        name: patient_bootstrap(
            _against_rest(predictions, scores, number), {"auc": roc_auc}, rng=rng, replicates=replicates
        )["auc"]
        for number, name in enumerate(scores.names)
        if 0 < int((scores.targets == number).sum()) < len(predictions)
    }
    return ClassEvidence(
        partition=predictions.partition,
        finest=predictions.finest,
        names=scores.names,
        confusion=confusion.reshape(size, size),
        aucs=MappingProxyType(aucs),
        patients=len(np.unique(predictions.patients)),
    )


def lesions_only(predictions: Predictions) -> Predictions:
    """Without the normal rows; all of them where no class is normal."""
    scores = predictions.classes
    if scores is None or NORMAL not in scores.names:
        return predictions
    return _rows(predictions, scores.targets != scores.names.index(NORMAL))


def _rows(predictions: Predictions, kept: np.ndarray) -> Predictions:
    columns = {
        field.name: value[kept]
        for field in fields(predictions)
        if isinstance(value := getattr(predictions, field.name), np.ndarray)
    }
    scores = predictions.classes
    if scores is not None:
        scores = replace(scores, targets=scores.targets[kept], probabilities=scores.probabilities[kept])
    return replace(predictions, classes=scores, **columns)


def _against_rest(predictions: Predictions, scores: ClassScores, number: int) -> Units:
    return Units(
        level=predictions.finest,
        keys=predictions.ids,
        patients=predictions.patients,
        targets=(scores.targets == number).astype(np.int8),
        scores=scores.probabilities[:, number],
    )
