"""Metrics of one set of units, for many weightings at once.

Each takes targets (n,) of 0 and 1, scores (n,) and weights (replicates, n), how often a bootstrap replicate drew each
unit, and returns (replicates,). A replicate that holds one class only, or nothing, is NaN in every metric, so that
all of them are computed from the same replicates.
"""

import numpy as np

from mammoscope.metrics.curves import operating_points


def roc_auc(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The chance that a malignant unit outscores a benign one, ties counting half."""
    points = operating_points(targets, scores, weights)
    benign_steps = np.diff(points.fp, axis=1, prepend=0)
    mean_tp = points.tp - np.diff(points.tp, axis=1, prepend=0) / 2
    area = np.einsum("rt,rt->r", benign_steps, mean_tp)
    malignant, benign = _class_weights(targets, weights)
    return area / (malignant * benign)


def average_precision(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum over thresholds of precision x gain in recall: no interpolation, as in scikit-learn."""
    points = operating_points(targets, scores, weights)
    called = points.tp + points.fp
    precision = np.divide(points.tp, called, out=np.zeros_like(called), where=called > 0)
    gained = np.einsum("rt,rt->r", np.diff(points.tp, axis=1, prepend=0), precision)
    return gained / _class_weights(targets, weights)[0]


def sensitivity(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray, *, threshold: float) -> np.ndarray:
    """Share of the malignant units that score `threshold` or more."""
    called = weights @ (targets * (scores >= threshold))
    return called / _class_weights(targets, weights)[0]


def specificity(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray, *, threshold: float) -> np.ndarray:
    """Share of the benign units that score less than `threshold`."""
    passed = weights @ ((1 - targets) * (scores < threshold))
    return passed / _class_weights(targets, weights)[1]


def brier(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squared distance of score and target; scores must be probabilities."""
    squared = weights @ (scores - targets) ** 2
    return squared / np.add(*_class_weights(targets, weights))


def _class_weights(targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the malignant and of the benign units, (replicates,) each; NaN both where either is absent."""
    malignant = weights @ targets.astype(np.float64)
    benign = weights.sum(axis=1) - malignant
    absent = (malignant <= 0) | (benign <= 0)
    return np.where(absent, np.nan, malignant), np.where(absent, np.nan, benign)
