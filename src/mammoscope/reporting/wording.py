"""How numbers of evidence are written, the same in figures, tables and descriptions."""

import math

from mammoscope.metrics.evidence import Evidence, Result
from mammoscope.metrics.intervals import Interval
from mammoscope.vocabulary import Level

INTERVAL_NOTE = "In brackets: 95 % interval, bootstrap over patients. Threshold from validation."


def interval_text(result: Result | Interval, dash: str = "-") -> str:
    """0.834 (0.776-0.879). A value alone says why: no interval."""
    if math.isnan(result.low):
        return f"{result.value:.3f} (no interval)"
    return f"{result.value:.3f} ({result.low:.3f}{dash}{result.high:.3f})"


def difference_text(difference: Interval) -> str:
    """+0.041 (+0.007 to +0.075)."""
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def heading_line(what: str, evidence: Evidence, level: Level) -> str:
    return f"{what}: {evidence.partition}, {level} level"


def facts_line(evidence: Evidence, level: Level) -> str:
    """n = 156, 69 positives, 135 patients, threshold 0.440."""
    auc, confusion = evidence.result(level, "auc"), evidence.confusion(level)
    return f"n = {auc.n}, {auc.positives} positives, {auc.patients} patients, threshold {confusion.threshold:.3f}"
