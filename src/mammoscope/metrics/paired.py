"""Is one scorer better than another? Asked of the same units, in the same bootstrap replicates of patients.

Most of what makes an AUC uncertain is which patients came, and that both scorers share: the interval of the difference
is far narrower than the two intervals suggest.
"""

from dataclasses import dataclass

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.intervals import REPLICATES, Interval, Metric, interval_of, replicate_weights
from mammoscope.metrics.levels import Units
from mammoscope.metrics.scores import roc_auc


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    first: float
    second: float
    difference: Interval  # first - second


def paired_difference(
    first: Units,
    second: Units,
    *,
    rng: np.random.Generator,
    metric: Metric = roc_auc,
    replicates: int = REPLICATES,
) -> PairedDifference:
    """What `metric` gives to `first`, to `second`, and their difference with its patient-bootstrap interval.

    The units may come in any order.

    Raises MammoscopeError where the two are not the same units: another level, key, patient or target.
    """
    second = _in_order_of(first, second)
    drawn = [
        metric(first.targets, first.scores, weights) - metric(second.targets, second.scores, weights)
        for weights in replicate_weights(first.patients, rng, replicates)
    ]
    once = np.ones((1, len(first)))
    values = [float(metric(units.targets, units.scores, once)[0]) for units in (first, second)]
    can_vary = len(np.unique(first.patients)) > 1
    difference = interval_of(values[0] - values[1], np.concatenate(drawn), can_vary)
    return PairedDifference(first=values[0], second=values[1], difference=difference)


def _in_order_of(first: Units, second: Units) -> Units:
    if first.level is not second.level:
        raise MammoscopeError(f"paired difference: levels {first.level} and {second.level}; allowed: one level")
    place = {key: index for index, key in enumerate(second.keys.tolist())}
    ours = first.keys.tolist()
    if odd := sorted(set(ours) ^ set(place)):
        raise MammoscopeError(
            f"paired difference, level={first.level}: {odd[0]} is a unit of one scorer only ({len(odd)} in all); "
            "allowed: the same units"
        )
    order = np.array([place[key] for key in ours], dtype=np.intp)
    second = Units(
        level=second.level,
        keys=second.keys[order],
        patients=second.patients[order],
        targets=second.targets[order],
        scores=second.scores[order],
    )
    differs = (first.targets != second.targets) | (first.patients != second.patients)
    if differs.any():
        raise MammoscopeError(
            f"paired difference, level={first.level}: {first.keys[differs][0]} has another target or patient with the "
            f"second scorer ({differs.sum()} in all); allowed: the same targets"
        )
    return second
