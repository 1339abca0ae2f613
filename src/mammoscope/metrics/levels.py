"""From scored rows to scored units: abnormality, image, breast, patient."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.records import Predictions
from mammoscope.vocabulary import Level


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What a number of evidence is computed from; columns are equally long, in order of first appearance."""

    level: Level
    keys: np.ndarray  # str, unique
    patients: np.ndarray  # str: the cluster that a unit belongs to
    targets: np.ndarray  # int8, 0 or 1
    scores: np.ndarray  # float64, finite

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def positives(self) -> int:
        return int(self.targets.sum())


def _highest(scores: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    highest = np.full(groups, -np.inf)
    np.maximum.at(highest, group, scores)
    return highest


def _mean(scores: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    return np.bincount(group, weights=scores, minlength=groups) / np.bincount(group, minlength=groups)


# How a unit scores, given the units one level finer: an image its highest row, a breast the mean of its views, a
# patient the higher breast. A unit is malignant if anything in it is.
AGGREGATION: dict[Level, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    Level.abnormality: _highest,  # of a single row
    Level.image: _highest,
    Level.breast: _mean,
    Level.patient: _highest,
}


def applicable_levels(finest: Level) -> tuple[Level, ...]:
    """`finest` and every coarser level, from fine to coarse."""
    ordered = tuple(Level)
    return ordered[ordered.index(finest) :]


def units_at(predictions: Predictions, level: Level) -> Units:
    """The rows gathered into units of `level`, through every level between.

    An image is a film, not a record: the Mass- and the Calc- twin of one film share its hash and are one image.

    Raises MammoscopeError where the level is finer than the rows, an id stands twice, or a score is not finite.
    """
    levels = applicable_levels(predictions.finest)
    if level not in levels:
        raise MammoscopeError(
            f"level={level}: finer than these predictions, which score one {predictions.finest} a row; "
            f"allowed are {', '.join(levels)}"
        )
    _refuse_unusable(predictions)
    keys = _keys(predictions)
    representatives = np.arange(len(predictions))  # one row of each unit
    targets, scores = predictions.targets.astype(np.float64), predictions.scores.astype(np.float64)
    for step in levels[: levels.index(level) + 1]:
        group, first = _grouped(keys[step][representatives])
        targets = _highest(targets, group, len(first))
        scores = AGGREGATION[step](scores, group, len(first))
        representatives = representatives[first]
    return Units(
        level=level,
        keys=keys[level][representatives],
        patients=predictions.patients[representatives],
        targets=targets.astype(np.int8),
        scores=scores,
    )


def _keys(predictions: Predictions) -> dict[Level, np.ndarray]:
    """What a row belongs to, level by level."""
    breasts = _joined(predictions.patients, predictions.lateralities)
    return {
        Level.abnormality: predictions.ids,
        Level.image: _joined(breasts, predictions.views, predictions.films),
        Level.breast: breasts,
        Level.patient: predictions.patients,
    }


def _joined(*columns: np.ndarray) -> np.ndarray:
    return np.array(["/".join(parts) for parts in zip(*columns, strict=True)], dtype=np.str_)


def _grouped(keys: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """The group number of every key, counted in order of first appearance, and the index where each group starts."""
    numbers: dict[str, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.intp)
    return group, np.unique(group, return_index=True)[1]


def _refuse_unusable(predictions: Predictions) -> None:
    unscored = predictions.ids[~np.isfinite(predictions.scores)]
    if len(unscored):
        raise MammoscopeError(
            f"score of {unscored[0]} is not finite ({len(unscored)} of {len(predictions)} rows of the "
            f"{predictions.partition} partition); allowed are finite numbers"
        )
    ids, counts = np.unique(predictions.ids, return_counts=True)
    if (counts > 1).any():
        raise MammoscopeError(
            f"id {ids[counts > 1][0]} stands {counts.max()} times in the {predictions.partition} partition; "
            "allowed is one row a sample"
        )
