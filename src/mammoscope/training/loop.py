"""The training loop. A generator: it yields after each epoch, and what happens then is written out in jobs/fit.py."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from timm.utils import ModelEmaV3
from torch import nn

from mammoscope.data.batches import Batch, to_inputs
from mammoscope.models.classifier import probabilities_of
from mammoscope.training.losses import Loss
from mammoscope.training.mixup import Mixup
from mammoscope.training.processes import everyone, share
from mammoscope.training.readings import READ_EVERY_STEPS, Progress, Reading, RecentLosses


class Epochs(Protocol):
    """A partition that can be gone through again and again."""

    def epoch(self, number: int, start: int = 0) -> Iterable[Batch]:
        """start: the batch that an epoch is gone on with."""


@dataclass(frozen=True, slots=True)
class Learner:
    """What the loop trains, on what, and by which rules."""

    network: nn.Module
    bare: nn.Module  # the same, without what Fabric wraps around it
    average: ModelEmaV3 | None  # of the network's weights; it is what validates, and what is kept
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    loss: Loss
    mixup: Mixup | None
    train: Epochs
    validation: Epochs
    accumulate: int  # batches a step
    clip_norm: float | None
    begin: Callable[[int], None] | None  # says what of the network learns in an epoch; None: all of it in each
    weights: Callable[[], dict[str, torch.Tensor]]  # the classifier's, with what was learnt so far

    @property
    def scored(self) -> nn.Module:
        return self.bare if self.average is None else self.average.module


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
    """A moment between two steps at which the state is whole, and every loss up to it was finite."""

    is_trained: bool  # the epoch's steps are done, and its validation is next


def train_epochs(
    fabric: Fabric, learner: Learner, progress: Progress, *, epochs: int, pause: Callable[[], bool]
) -> Iterator[Epoch | Pause | Reading]:
    """Goes on from `progress`. Yields after each epoch; between steps where `pause()` says so, and before validating;
    and a Reading after each READ_EVERY_STEPS steps of the whole training, and after its last.

    The caller may stop at any of these, and go on from a Pause in another process.

    Raises NotFinite, READ_EVERY_STEPS steps late at most, for the first step whose loss is not.
    """
    recent = RecentLosses(fabric.device)
    for number in range(progress.epoch, epochs):
        started, images = time.perf_counter(), 0
        wake(learner, number)
        for batches in _groups(learner.train.epoch(number, progress.steps * learner.accumulate), learner.accumulate):
            _step(fabric, learner, batches, progress, recent)
            images += sum(len(batch.targets) for batch in batches)
            # once in a while: look at what the device has
            if progress.all_steps % READ_EVERY_STEPS == 0:
                progress.take(recent.read())
                yield progress.reading(_lr(learner))
            # alone at any step; together where all look, since they have to agree
            if (share().processes == 1 or progress.all_steps % READ_EVERY_STEPS == 0) and pause():
                progress.take(recent.read())
                yield Pause(is_trained=False)
        progress.take(recent.read())
        images_per_s = images / (time.perf_counter() - started)
        if number + 1 == epochs and progress.all_steps % READ_EVERY_STEPS:
            yield progress.reading(_lr(learner))
        yield Pause(is_trained=True)
        probabilities = score(fabric, learner.scored, learner.validation)
        train_loss = progress.epoch_loss / max(progress.steps, 1)
        progress.next_epoch()
        yield Epoch(number, train_loss, probabilities, _lr(learner), time.perf_counter() - started, images_per_s)


def wake(learner: Learner, epoch: int) -> None:
    learner.network.train()
    if learner.begin is not None:
        learner.begin(epoch)


def _step(fabric: Fabric, learner: Learner, batches: list[Batch], progress: Progress, recent: RecentLosses) -> None:
    learner.optimizer.zero_grad(set_to_none=True)
    for place, batch in enumerate(batches):
        is_last = place + 1 == len(batches)
        with fabric.no_backward_sync(learner.network, enabled=not is_last):  # type: ignore[arg-type]
            loss = loss_of(fabric, learner, batch, progress, place) * (weight_of(batch) / len(batches))
            fabric.backward(loss)
        recent.add(loss)
    if learner.clip_norm is not None:
        fabric.clip_gradients(learner.network, learner.optimizer, max_norm=learner.clip_norm, error_if_nonfinite=False)
    learner.optimizer.step()
    learner.schedule.step()
    recent.end_step()
    progress.steps += 1
    progress.all_steps += 1
    if learner.average is not None:
        learner.average.update(learner.network, progress.all_steps)


def weight_of(batch: Batch) -> float:
    """What makes the mean over the processes, which share a batch as evenly as it goes, the mean over the batch."""
    return 1.0 if batch.of is None else len(batch.targets) * share().processes / batch.of


def loss_of(fabric: Fabric, learner: Learner, batch: Batch, progress: Progress, place: int = 0) -> torch.Tensor:
    """Float32 (), of one batch; `place`: which of those of the step under way."""
    inputs = to_inputs(batch.images, fabric.device)
    targets = batch.targets.to(fabric.device, non_blocking=True)
    if learner.mixup is None:
        return learner.loss(learner.network(inputs), targets)
    mixed = learner.mixup.mix(inputs, progress.epoch, progress.steps, place)
    logits = learner.network(mixed.inputs)
    own, other = learner.loss(logits, targets), learner.loss(logits, targets[mixed.others])
    return mixed.share * own + (1 - mixed.share) * other


def _groups(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """An epoch's last group may be smaller: its batches then weigh more."""
    rest = iter(batches)
    while group := list(islice(rest, size)):
        yield group


@torch.inference_mode()
def score(fabric: Fabric, network: nn.Module, partition: Epochs) -> np.ndarray:
    """Probabilities of the classes, float64 (samples, classes), in the partition's order, of all processes' shares.

    network: without a wrapper, which would compute in step with other processes.
    """
    network.eval()
    parts, places = [], []
    for batch in partition.epoch(0):
        with fabric.autocast():
            parts.append(probabilities_of(network(to_inputs(batch.images, fabric.device))))
        places.append(batch.indices)
    own = torch.cat(parts).double().cpu().numpy(), torch.cat(places).numpy()
    scores, indices = (np.concatenate(shares) for shares in zip(*everyone(own), strict=True))
    return scores[np.argsort(indices)]


@torch.inference_mode()
def score_images(fabric: Fabric, network: nn.Module, images: np.ndarray, *, at_once: int = 64) -> np.ndarray:
    """The same for images that lie in no store: uint16 (n, height, width) -> float64 (n, classes)."""
    network.eval()
    batches = torch.from_numpy(images).unsqueeze(1).split(at_once)
    parts = [probabilities_of(network(to_inputs(batch, fabric.device))) for batch in batches]
    return torch.cat(parts).double().cpu().numpy()


def _lr(learner: Learner) -> float:
    """The next step's, of the first group of weights."""
    return float(learner.schedule.get_last_lr()[0])
