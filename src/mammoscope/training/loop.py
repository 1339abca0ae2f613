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
    begin: Callable[[int], None] | None = None,
) -> Iterator[Epoch | Pause]:
    """Goes on from `progress`. Yields after each epoch; between steps where `pause()` says so, and before validating.

    begin: says what of the network learns in an epoch; None: all of it in each.
    The caller may stop at any of these, and go on from a Pause in another process.

    Raises MammoscopeError when the loss stops being finite.
    """
    for number in range(progress.epoch, epochs):
        started = time.perf_counter()
        network.train()
        if begin is not None:
            begin(number)
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
            if progress.steps % READ_EVERY_STEPS == 0:
                _require_finite(total, number, progress.steps)
            if pause():
                yield Pause(is_trained=False)
        train_loss = _require_finite(total, number, progress.steps) / max(progress.steps, 1)
        images_per_s = images / (time.perf_counter() - started)
        yield Pause(is_trained=True)
        probabilities = score(fabric, network, validation)
        lr = float(schedule.get_last_lr()[0])
        progress.epoch, progress.steps, progress.loss_sum = number + 1, 0, None
        yield Epoch(number, train_loss, probabilities, lr, time.perf_counter() - started, images_per_s)


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


def _require_finite(total: torch.Tensor, epoch: int, steps: int) -> float:
    value = float(total)
    if not np.isfinite(value):
        raise MammoscopeError(
            f"the loss is {value} in epoch {epoch}, among the {READ_EVERY_STEPS} steps up to {steps}: try a lower "
            "optimizer.lr, trainer.clip_norm=1, or trainer.precision=fp32"
        )
    return value
