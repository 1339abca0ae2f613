"""Every number that is reported of a partition, with what it was computed from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.metrics import AT_THRESHOLD, THRESHOLD_FREE
from mammoscope.metrics.intervals import REPLICATES, Metric, patient_bootstrap
from mammoscope.metrics.levels import Units, applicable_levels, units_at
from mammoscope.metrics.thresholds import refuse_single_class, youden_threshold
from mammoscope.records import Predictions
from mammoscope.vocabulary import Level, Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    level: Level
    metric: str
    value: float
    low: float  # 95 % interval; NaN where too few replicates could be had
    high: float
    n: int
    positives: int
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts at `threshold`; a score of that or more is called malignant."""

    level: Level
    threshold: float
    tn: int
    fp: int
    fn: int
    tp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Results in order of level, then of the menus in metrics/__init__.py."""

    partition: Partition
    results: tuple[Result, ...]
    confusions: tuple[Confusion, ...]
    thresholds: tuple[tuple[Level, float], ...]

    @property
    def levels(self) -> tuple[Level, ...]:
        return tuple(level for level, _ in self.thresholds)

    def result(self, level: Level, metric: str) -> Result:
        return next(r for r in self.results if r.level is level and r.metric == metric)

    def confusion(self, level: Level) -> Confusion:
        return next(c for c in self.confusions if c.level is level)

    def flat(self) -> dict[str, float]:
        """`<partition>/<level>/<metric>` with `_low` and `_high`, and `/n /positives /patients /threshold` a level.

        Too few patients for an interval, and its bounds are absent.
        """
        numbers: dict[str, float] = {}
        for result in self.results:
            prefix = f"{self.partition}/{result.level}"
            numbers[f"{prefix}/{result.metric}"] = result.value
            if not math.isnan(result.low):
                numbers[f"{prefix}/{result.metric}_low"] = result.low
                numbers[f"{prefix}/{result.metric}_high"] = result.high
            numbers |= {f"{prefix}/{count}": float(getattr(result, count)) for count in ("n", "positives", "patients")}
        return numbers | {f"{self.partition}/{level}/threshold": value for level, value in self.thresholds}


def gather_evidence(
    predictions: Predictions,
    *,
    thresholds: Mapping[Level, float] | None,
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Evidence:
    """All metrics at all levels that apply, with patient-bootstrap intervals.

    thresholds: those of validation, one a level; None chooses them here, which the validation partition alone allows.

    Raises MammoscopeError where thresholds are missing, a score is no probability, or a level holds one class only.
    """
    _refuse_other_than_probabilities(predictions)
    levels = {level: units_at(predictions, level) for level in applicable_levels(predictions.finest)}
    for units in levels.values():
        refuse_single_class(units, predictions.partition)
    chosen = _thresholds(predictions.partition, levels, thresholds)
    results = [_results(units, chosen[level], rng, replicates) for level, units in levels.items()]
    return Evidence(
        partition=predictions.partition,
        results=tuple(result for of_level in results for result in of_level),
        confusions=tuple(_confusion(units, chosen[level]) for level, units in levels.items()),
        thresholds=tuple(chosen.items()),
    )


def quick_auc(predictions: Predictions) -> dict[Level, float]:
    """AUC at all levels that apply, without intervals: for every epoch.

    Raises MammoscopeError where a level holds one class only.
    """
    found = {}
    for level in applicable_levels(predictions.finest):
        units = units_at(predictions, level)
        refuse_single_class(units, predictions.partition)
        found[level] = float(THRESHOLD_FREE["auc"](units.targets, units.scores, np.ones((1, len(units))))[0])
    return found


def _refuse_other_than_probabilities(predictions: Predictions) -> None:
    outside = ~((predictions.scores >= 0) & (predictions.scores <= 1))
    if outside.any():
        raise MammoscopeError(
            f"score of {predictions.ids[outside][0]} is {predictions.scores[outside][0]:g} ({outside.sum()} of "
            f"{len(predictions)} rows of the {predictions.partition} partition); allowed are probabilities, 0 to 1"
        )


def _thresholds(
    partition: Partition, levels: Mapping[Level, Units], given: Mapping[Level, float] | None
) -> dict[Level, float]:
    if given is None:
        if partition is not Partition.validation:
            raise MammoscopeError(
                f"thresholds=None for the {partition} partition: a threshold is chosen on validation and carried over"
            )
        return {level: youden_threshold(units) for level, units in levels.items()}
    missing = [level for level in levels if level not in given]
    if missing:
        raise MammoscopeError(
            f"thresholds of the {partition} partition: none for level={missing[0]}; allowed is one for each of "
            f"{', '.join(levels)}, as chosen on validation"
        )
    return {level: float(given[level]) for level in levels}


def _results(units: Units, threshold: float, rng: np.random.Generator, replicates: int) -> list[Result]:
    metrics: dict[str, Metric] = dict(THRESHOLD_FREE)
    metrics |= {name: partial(metric, threshold=threshold) for name, metric in AT_THRESHOLD.items()}
    intervals = patient_bootstrap(units, metrics, rng=rng, replicates=replicates)
    patients = len(np.unique(units.patients))
    return [
        Result(
            level=units.level,
            metric=name,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            n=len(units),
            positives=units.positives,
            patients=patients,
        )
        for name, interval in intervals.items()
    ]


def _confusion(units: Units, threshold: float) -> Confusion:
    called, malignant = units.scores >= threshold, units.targets == 1
    return Confusion(
        level=units.level,
        threshold=threshold,
        tn=int((~called & ~malignant).sum()),
        fp=int((called & ~malignant).sum()),
        fn=int((~called & malignant).sum()),
        tp=int((called & malignant).sum()),
    )
