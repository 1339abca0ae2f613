"""What the host knows of the losses: it looks once in a while, because looking waits for the device."""

import math
from dataclasses import dataclass
from typing import final

import torch

from mammoscope.errors import MammoscopeError
from mammoscope.training.processes import mean_of

READ_EVERY_STEPS = 50  # the only moments inside an epoch when the host waits for the device


@dataclass(frozen=True, slots=True)
class Reading:
    """The mean loss of the last READ_EVERY_STEPS steps, counted over all epochs; of fewer after the last of all."""

    step: int  # steps done when it was taken
    loss: float
    lr: float


class NotFinite(MammoscopeError):
    """Infinite or no number: a step's loss, or what came of it. Both are counted from 0, the step within the epoch."""

    def __init__(self, what: str, epoch: int, step: int):
        super().__init__(f"{what} epoch {epoch + 1}, step {step + 1}")
        self.epoch, self.step = epoch, step


@final
class RecentLosses:
    """The losses of the steps since the last look, on the device: one small kernel a batch, and no waiting."""

    def __init__(self, device: torch.device):
        self._losses = torch.zeros(READ_EVERY_STEPS, device=device)
        self._steps = 0

    def add(self, loss: torch.Tensor) -> None:
        """A batch's part of the loss of the step under way."""
        self._losses[self._steps] += loss.detach()

    def end_step(self) -> None:
        self._steps += 1

    def read(self) -> list[float]:
        """By step, since the last time, over all processes. Waits for the device."""
        values = mean_of(self._losses[: self._steps]).tolist()
        self._losses.zero_()
        self._steps = 0
        return values


@dataclass(slots=True)
class Progress:
    """Where the loop is. It counts here, so that whoever looks between two steps can keep it and go on from it."""

    epoch: int = 0  # under way, counted from 0
    steps: int = 0  # done in it
    all_steps: int = 0  # done in all epochs
    epoch_loss: float = 0.0  # summed over the steps
    window_loss: float = 0.0  # over the steps since the last Reading

    def take(self, losses: list[float]) -> None:
        """The losses of the steps up to `steps`, one by one: the sums are the same however often one looks.

        Raises NotFinite for the first that is not.
        """
        first = self.steps - len(losses)
        for place, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise NotFinite(f"the loss is {loss} in", self.epoch, first + place)
            self.epoch_loss += loss
            self.window_loss += loss

    def reading(self, lr: float) -> Reading:
        steps = self.all_steps % READ_EVERY_STEPS or READ_EVERY_STEPS
        found = Reading(self.all_steps, self.window_loss / steps, lr)
        self.window_loss = 0.0
        return found

    def next_epoch(self) -> None:
        self.epoch, self.steps, self.epoch_loss = self.epoch + 1, 0, 0.0
