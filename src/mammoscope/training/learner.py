"""What the loop trains, and on what: the whole network on images, or its last layer on frozen features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from mammoscope.config import LossConfig, ModelConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from mammoscope.data.batches import Batches
from mammoscope.data.draws import Draws
from mammoscope.models.classifier import Classifier
from mammoscope.training.head import FrozenHead
from mammoscope.training.loop import Epochs
from mammoscope.training.losses import Loss, build_loss
from mammoscope.training.modes import modes_of
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.vocabulary import Trainable


@dataclass(frozen=True, slots=True)
class Learner:
    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    loss: Loss
    train: Epochs
    validation: Epochs
    into_classifier: Callable[[], None]  # after it, the classifier holds what was learnt so far
    begin: Callable[[int], None] | None  # what of the network learns in an epoch; None: all of it in each


def build_learner(
    fabric: Fabric,
    classifier: Classifier,
    train: Batches,
    validation: Batches,
    draws: Draws,
    *,
    model: ModelConfig,
    train_targets: Sequence[int],
    classes: int,
    loss: LossConfig,
    optimizer: OptimizerConfig,
    schedule: ScheduleConfig,
    trainer: TrainerConfig,
) -> Learner:
    """Moves the classifier to the device; with `model.trainable=head` also computes all features, once.

    draws: what an epoch shows of the training samples, whose targets are `train_targets`.
    """
    if trainer.channels_last:
        classifier.to(memory_format=torch.channels_last)
    if model.compile:
        classifier.compile()  # in place: tensors keep their names
    network: nn.Module = classifier
    epochs: tuple[Epochs, Epochs] = (train, validation)
    steps, into_classifier = len(train), _nothing
    if model.trainable is Trainable.head:
        classifier.to(fabric.device)
        head = FrozenHead(fabric, classifier, train, validation, draws, trainer.batch_size)
        network, epochs, steps, into_classifier = (
            head.network,
            (head.train, head.validation),
            len(head.train),
            head.fold,
        )
    built = build_optimizer(optimizer, network)
    modes = modes_of(model, optimizer, classifier)
    network, built = fabric.setup(network, built)
    return Learner(
        network=network,
        optimizer=built,
        schedule=build_schedule(schedule, built, epochs=trainer.epochs, steps_per_epoch=steps),
        loss=build_loss(loss, train_targets, draws.share(), classes),
        train=epochs[0],
        validation=epochs[1],
        into_classifier=into_classifier,
        begin=None if modes is None else modes.begin,
    )


def _nothing() -> None:
    """The classifier itself was trained."""
