"""What a row of growing learning rates tells: Smith 2017, arXiv 1506.01186."""

from collections.abc import Sequence
from dataclasses import dataclass

SMOOTHING = 0.9  # how much of the mean before goes into the next
DIVERGED = 4.0  # times the lowest loss: beyond that, nothing more is to be learnt
SAFETY = 10.0


def growing_rates(low: float, high: float, steps: int) -> list[float]:
    """Exponentially, both ends included."""
    return [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]


def smooth(losses: Sequence[float]) -> list[float]:
    """A running mean that forgets, freed of its start at 0 as Adam's moments are."""
    mean, smoothed = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed.append(mean / (1 - SMOOTHING**number))
    return smoothed


def has_diverged(smoothed: Sequence[float]) -> bool:
    return not smoothed[-1] <= DIVERGED * min(smoothed)  # a NaN has


@dataclass(frozen=True, slots=True)
class Range:
    """One step a row: the rates, the loss before each step, and its running mean."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    @property
    def lowest(self) -> int:
        return min(range(len(self.smoothed)), key=self.smoothed.__getitem__)

    @property
    def suggested(self) -> float | None:
        """A tenth of the rate at which the smoothed loss is lowest: there the loss is about to rise.

        None where it never fell by a twentieth: there is no rate among these that learns.
        """
        if self.smoothed[self.lowest] > 0.95 * self.smoothed[0]:
            return None
        return self.rates[self.lowest] / SAFETY
