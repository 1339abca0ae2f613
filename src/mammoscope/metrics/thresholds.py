"""The operating threshold, chosen on validation and carried to test."""

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.curves import operating_points
from mammoscope.metrics.levels import Units
from mammoscope.vocabulary import Partition


def youden_threshold(units: Units) -> float:
    """Where sensitivity + specificity is highest (Youden 1950): a score of that or more is called malignant.

    It lies halfway between two neighbouring scores, so that units of another partition which score a little less than
    the last one called here are not lost to rounding. Of equally good thresholds the lowest is taken: it misses fewest.
    A scorer that is no better than chance gets its lowest score: everything is called malignant.

    Raises MammoscopeError where one class is absent.
    """
    refuse_single_class(units)
    points = operating_points(units.targets, units.scores, np.ones((1, len(units))))
    tp, fp = points.tp[0].astype(np.int64), points.fp[0].astype(np.int64)
    # J x positives x negatives, in whole numbers, so that equally good thresholds tie exactly
    youden = tp * (len(units) - units.positives) - fp * units.positives
    best = len(youden) - 1 - int(np.argmax(youden[::-1]))
    if best == len(youden) - 1:
        return float(points.thresholds[best])
    return _between(points.thresholds[best + 1], points.thresholds[best])


def refuse_single_class(units: Units, partition: Partition | None = None) -> None:
    """Raises MammoscopeError, with the counts, unless both classes are there."""
    if not 0 < units.positives < len(units):
        where = "" if partition is None else f"{partition} partition, "
        raise MammoscopeError(
            f"{where}level={units.level}: {units.positives} malignant and {len(units) - units.positives} benign units; "
            "AUC and threshold need both (a larger partition, or another split.seed)"
        )


def _between(low: float, high: float) -> float:
    """The midpoint; `high` where rounding would put it onto `low`, which must not be called."""
    middle = low + (high - low) / 2
    return float(middle if middle > low else high)
