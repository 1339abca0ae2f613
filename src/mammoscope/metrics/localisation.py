"""The pointing game (Zhang et al. 2018, doi:10.1007/s11263-017-1059-x): how often the one place that somebody points at
lies inside a ROI."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mammoscope.metrics.intervals import REPLICATES, Interval, patient_bootstrap
from mammoscope.metrics.levels import Units
from mammoscope.vocabulary import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Localisation:
    """Shares of images, with 95 % intervals over patients."""

    shares: Mapping[str, Interval]  # by who points
    gains: Mapping[str, Interval]  # by who points: over `blind`, paired by image
    blind: str
    n: int
    patients: int

    def flat(self) -> dict[str, float]:
        """`<who>` and `<who>_over_<blind>`, with `_low` and `_high`; `n` and `patients`."""
        numbers = {"n": float(self.n), "patients": float(self.patients)}
        named = {**self.shares, **{f"{who}_over_{self.blind}": gain for who, gain in self.gains.items()}}
        for name, interval in named.items():
            numbers[name] = interval.value
            if not np.isnan(interval.low):
                numbers |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
        return numbers


def localisation(
    hits: Mapping[str, np.ndarray],
    patients: np.ndarray,
    *,
    blind: str,
    models: tuple[str, ...],
    rng: np.random.Generator,
    replicates: int = REPLICATES,
) -> Localisation:
    """hits: by who points, bool (images,); blind: who needs no model and is compared with; models: who is compared."""

    def share(values: np.ndarray) -> Interval:
        units = Units(
            level=Level.image,
            keys=np.arange(len(patients)).astype(np.str_),
            patients=patients,
            targets=np.zeros(len(patients), np.int8),
            scores=values.astype(np.float64),
        )
        return patient_bootstrap(units, {"share": _mean}, rng=rng, replicates=replicates)["share"]

    gains = {who: share(hits[who].astype(np.float64) - hits[blind]) for who in models}
    return Localisation(
        shares=MappingProxyType({who: share(own) for who, own in hits.items()}),
        gains=MappingProxyType(gains),
        blind=blind,
        n=len(patients),
        patients=len(np.unique(patients)),
    )


def _mean(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (weights @ scores) / weights.sum(axis=1)
