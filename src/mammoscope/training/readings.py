"""What the loop reads of the device once in a while, as a curve over the steps of the whole training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What the device said at one of the moments when the host waits for it anyway."""

    step: int  # of the whole training, counted from 1
    loss: float  # mean over the steps since the reading before
    lr: float


@dataclass(slots=True)
class LossCurve:
    """The mean loss of each so many steps of a training, whatever its epochs, out of an epoch's running sum.

    Who goes on with a training in another process brings `before` along, and gets the same readings.
    """

    before: float = 0.0  # the window's share of earlier epochs, less what the epoch's sum was when the window began

    def read(self, loss_sum: float, steps: int) -> float:
        """Ends a window of so many steps. loss_sum: over the epoch so far."""
        mean = (self.before + loss_sum) / steps
        self.before = -loss_sum
        return mean

    def end_epoch(self, loss_sum: float) -> None:
        """The next epoch's sum begins at 0."""
        self.before += loss_sum
