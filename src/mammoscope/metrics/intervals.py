"""How far a number could have been another, had other patients come: the patient-cluster bootstrap.

Units of one patient are not independent, so patients are drawn, with replacement, and all units of a patient come along
(Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x); the interval is the percentile one (Efron 1979).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mammoscope.metrics.levels import Units

Metric = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # targets, scores, weights: see scores.py

REPLICATES = 2000
COVERAGE_PERCENT = 95
DROPPED_FRACTION_MAX = 0.1  # beyond it the replicates that are left are no longer a fair sample
CHUNK_ELEMENTS = 2**15  # 256 KiB of float64: larger ones leave the cache and take twice the time


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    value: float  # from the units themselves, not from replicates
    low: float
    high: float
    dropped: int  # replicates that held one class only


def patient_bootstrap(
    units: Units, metrics: Mapping[str, Metric], *, rng: np.random.Generator, replicates: int = REPLICATES
) -> dict[str, Interval]:
    """Intervals of all metrics from the same replicates.

    low and high are NaN where more than a tenth of the replicates held one class only, or there is one patient only.
    """
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for weights in replicate_weights(units.patients, rng, replicates):
        for name, metric in metrics.items():
            drawn[name].append(metric(units.targets, units.scores, weights))
    once = np.ones((1, len(units)))
    can_vary = len(np.unique(units.patients)) > 1
    return {
        name: interval_of(float(metric(units.targets, units.scores, once)[0]), np.concatenate(drawn[name]), can_vary)
        for name, metric in metrics.items()
    }


def replicate_weights(patients: np.ndarray, rng: np.random.Generator, replicates: int) -> Iterator[np.ndarray]:
    """Chunks of (replicates, n): how often each unit is in each replicate."""
    names, patient_of_unit = np.unique(patients, return_inverse=True)
    chunk = max(1, CHUNK_ELEMENTS // max(1, len(patients)))
    for start in range(0, replicates, chunk):
        rows = min(chunk, replicates - start)
        picks = rng.integers(len(names), size=(rows, len(names)))
        slots = picks + len(names) * np.arange(rows)[:, None]
        counts = np.bincount(slots.ravel(), minlength=rows * len(names)).reshape(rows, len(names))
        yield counts.astype(np.float64)[:, patient_of_unit]


def interval_of(value: float, replicates: np.ndarray, can_vary: bool) -> Interval:
    kept = replicates[~np.isnan(replicates)]
    dropped = len(replicates) - len(kept)
    if not can_vary or dropped > DROPPED_FRACTION_MAX * len(replicates):
        return Interval(value=value, low=np.nan, high=np.nan, dropped=dropped)
    tail = (100 - COVERAGE_PERCENT) / 2
    low, high = np.percentile(kept, [tail, 100 - tail])
    return Interval(value=value, low=float(low), high=float(high), dropped=dropped)
