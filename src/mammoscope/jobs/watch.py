"""What a person who waits for a training sees of it, from numbers that this process has anyway."""

import time
from collections.abc import Callable
from typing import final

from mammoscope.reporting.console import say
from mammoscope.reporting.live import Line
from mammoscope.training.loop import Epoch
from mammoscope.training.readings import Progress, Reading


@final
class Watch:
    """Of one training. No call here waits for the device."""

    def __init__(
        self,
        line: Line,
        progress: Progress,
        passed_s: Callable[[], float],
        *,
        epochs: int,
        steps_per_epoch: int,
        batch_size: int,
    ):
        """passed_s: that the training has taken, over all its processes."""
        self._line, self._progress, self._passed_s = line, progress, passed_s
        self._epochs, self._steps_per_epoch, self._batch_size = epochs, steps_per_epoch, batch_size
        self._loss: float | None = None
        self._validation = ""
        self._begin_epoch()

    def step(self) -> None:
        """After each step."""
        self._line.show(self._text)

    def reading(self, reading: Reading) -> None:
        self._loss = reading.loss

    def validating(self) -> None:
        self._line.show(lambda: f"{self._text()}  validating")

    def epoch(self, epoch: Epoch, validation: str) -> None:
        """A line that stays. validation: what it came to, in words."""
        self._loss, self._validation = epoch.train_loss, f"  {validation}"
        speed = f"{epoch.images_per_s:.0f} images/s  {self._left()} left"
        say(f"epoch {epoch.number + 1}/{self._epochs}  loss {epoch.train_loss:.4f}{self._validation}  {speed}")
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._steps_before, self._began = self._progress.steps, time.perf_counter()

    def _text(self) -> str:
        """What tells most comes first: a narrow terminal cuts the end."""
        epoch = f"epoch {min(self._progress.epoch + 1, self._epochs)}/{self._epochs}"
        step = f"step {self._progress.steps}/{self._steps_per_epoch}"
        loss = "" if self._loss is None else f"  loss {self._loss:.4f}"
        return f"{epoch}  {step}{loss}  {self._left()} left  {self._images_per_s():.0f} images/s{self._validation}"

    def _images_per_s(self) -> float:
        """Of this epoch, as if each batch were full."""
        steps = self._progress.steps - self._steps_before
        return steps * self._batch_size / max(time.perf_counter() - self._began, 1e-9)

    def _left(self) -> str:
        done = self._progress.epoch + self._progress.steps / self._steps_per_epoch
        return in_words(self._passed_s() / done * max(self._epochs - done, 0)) if done else "?"


def in_words(seconds: float) -> str:
    """42 s, 7:05 min, 3:07 h"""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d} min" if minutes < 100 else f"{minutes // 60}:{minutes % 60:02d} h"
