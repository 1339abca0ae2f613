"""The counts as the threshold falls: the one walk that AUC, average precision, thresholds and figures share."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperatingPoints:
    """Weighted counts of the units called malignant, a column a threshold.

    A threshold is a distinct score, highest first, and calls whatever reaches it: tied units fall together.
    """

    thresholds: np.ndarray  # (thresholds,)
    tp: np.ndarray  # (replicates, thresholds)
    fp: np.ndarray  # (replicates, thresholds)


def operating_points(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> OperatingPoints:
    """Args: targets (n,) of 0 and 1, scores (n,), weights (replicates, n)."""
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last_of_tie = np.flatnonzero(np.append(np.diff(descending) != 0, True)) if len(scores) else np.arange(0)
    weights = weights.take(order, axis=1)  # rows stay contiguous, unlike with [:, order]: sums are 3x faster
    called = np.cumsum(weights, axis=1).take(last_of_tie, axis=1)
    tp = np.cumsum(weights * targets[order], axis=1).take(last_of_tie, axis=1)
    return OperatingPoints(thresholds=descending[last_of_tie], tp=tp, fp=called - tp)
