"""The page that everybody reads first: one epoch after the other. Who logs, keeps or stops is the caller."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from mammoscope.data.batches import Batch, to_inputs
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import probabilities_of
from mammoscope.training.readings import LossCurve, Reading
from mammoscope.training.state import Progress

READ_EVERY_STEPS = 50  # the only moments inside an epoch when the host waits for the device


class Epochs(Protocol):
    """A partition that can be gone through again and again."""

    def epoch(self, number: int, start: int = 0) -> Iterable[Batch]:
        """start: the batch that an epoch is gone on with."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass gave; `probabilities` are of the validation samples, in their order."""

    number: int
    train_loss: float
    probabilities: np.ndarray  # (samples, classes)
    lr: float
    seconds: float
    images_per_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """A moment between two steps at which the state is whole."""

    is_trained: bool  # the epoch's steps are done, and its validation is next


def train_epochs(
    fabric: Fabric,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    train: Epochs,
    validation: Epochs,
    progress: Progress,
    *,
    epochs: int,
    clip_norm: float | None,
    pause: Callable[[], bool],
    curve: LossCurve | None = None,
) -> Iterator[Epoch | Pause | Reading]:
    """Goes on from `progress`. Yields after each epoch; between steps where `pause()` says so, and before validating.

    A Reading comes after each READ_EVERY_STEPS steps of the whole training, and after its last. It comes before a
    Pause of the same moment, so whoever keeps the state has been told all that came before it.

    The caller may stop at any of these, and go on from a Pause in another process.

    Raises MammoscopeError when the loss stops being finite.
    """
    curve = curve or LossCurve()
    for number in range(progress.epoch, epochs):
        started = time.perf_counter()
        network.train()
        total = torch.zeros((), device=fabric.device) if progress.loss_sum is None else progress.loss_sum
        progress.epoch, progress.loss_sum = number, total
        images = 0  # in this process
        for batch in train.epoch(number, progress.steps):
            logits = network(to_inputs(batch.images, fabric.device))
            loss = loss_of(logits, batch.targets.to(fabric.device, non_blocking=True))
            optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            if clip_norm is not None:
                fabric.clip_gradients(network, optimizer, max_norm=clip_norm, error_if_nonfinite=False)
            optimizer.step()
            schedule.step()
            total += loss.detach()  # a loss that is not finite stays in the sum: one flag for all steps since
            images += len(batch.targets)
            progress.steps += 1
            # once in a while: look at what the device has
            if (done := schedule.last_epoch) % READ_EVERY_STEPS == 0:  # which counts steps, over all epochs
                loss_sum = _require_finite(total, number, progress.steps)
                yield Reading(done, curve.read(loss_sum, READ_EVERY_STEPS), _lr(schedule))
            if pause():
                yield Pause(is_trained=False)
        loss_sum = _require_finite(total, number, progress.steps)
        images_per_s = images / (time.perf_counter() - started)
        if number + 1 == epochs and (left := schedule.last_epoch % READ_EVERY_STEPS):
            yield Reading(schedule.last_epoch, (curve.before + loss_sum) / left, _lr(schedule))
        yield Pause(is_trained=True)
        probabilities = score(fabric, network, validation)
        train_loss = loss_sum / max(progress.steps, 1)
        curve.end_epoch(loss_sum)
        progress.epoch, progress.steps, progress.loss_sum = number + 1, 0, None
        yield Epoch(number, train_loss, probabilities, _lr(schedule), time.perf_counter() - started, images_per_s)


@torch.inference_mode()
def score(fabric: Fabric, network: nn.Module, partition: Epochs) -> np.ndarray:
    """Probabilities of the classes, float64 (samples, classes), in the partition's order."""
    network.eval()
    parts = [probabilities_of(network(to_inputs(batch.images, fabric.device))) for batch in partition.epoch(0)]
    return torch.cat(parts).double().cpu().numpy()


@torch.inference_mode()
def score_images(fabric: Fabric, network: nn.Module, images: np.ndarray, *, at_once: int = 64) -> np.ndarray:
    """The same for images that lie in no store: uint16 (n, height, width) -> float64 (n, classes)."""
    network.eval()
    batches = torch.from_numpy(images).unsqueeze(1).split(at_once)
    parts = [probabilities_of(network(to_inputs(batch, fabric.device))) for batch in batches]
    return torch.cat(parts).double().cpu().numpy()


def _lr(schedule: torch.optim.lr_scheduler.LRScheduler) -> float:
    """The next step's, of the first group of weights."""
    return float(schedule.get_last_lr()[0])


def _require_finite(total: torch.Tensor, epoch: int, steps: int) -> float:
    value = float(total)
    if not np.isfinite(value):
        raise MammoscopeError(
            f"the loss is {value} in epoch {epoch}, among the {READ_EVERY_STEPS} steps up to {steps}: try a lower "
            "optimizer.lr, trainer.clip_norm=1, or trainer.precision=fp32"
        )
    return value
