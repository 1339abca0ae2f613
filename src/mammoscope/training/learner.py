"""What the loop trains, and on what: the whole network on images, or its last layer on frozen features."""

from collections.abc import Sequence

import torch
from lightning_fabric import Fabric
from timm.utils import ModelEmaV3
from torch import nn

from mammoscope.config import LossConfig, ModelConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from mammoscope.data.batches import Batches
from mammoscope.data.draws import Draws
from mammoscope.models.classifier import Classifier
from mammoscope.training.head import FrozenHead
from mammoscope.training.loop import Epochs, Learner
from mammoscope.training.losses import build_loss
from mammoscope.training.mixup import Mixup
from mammoscope.training.modes import modes_of
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.training.processes import share
from mammoscope.vocabulary import Trainable


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
    mixup_alpha: float,
    seed: int,
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
    batches, head = len(train), None
    if model.trainable is Trainable.head:
        classifier.to(fabric.device)
        head = FrozenHead(fabric, classifier, train, validation, draws, trainer.batch_size)
        network, epochs, batches = head.network, (head.train, head.validation), len(head.train)
    if share().processes > 1 and fabric.device.type == "cuda":  # gloo has no such layer: docs/training.md
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    modes = modes_of(model, optimizer, classifier)
    if modes is not None:
        modes.freeze_stages()
    built = build_optimizer(optimizer, network)
    bare = network
    network, built = fabric.setup(network, built)
    average = _average(bare, trainer.ema_decay)

    def weights() -> dict[str, torch.Tensor]:
        learnt = dict((bare if average is None else average.module).state_dict())
        return learnt if head is None else head.folded(learnt)

    return Learner(
        network=network,
        bare=bare,
        average=average,
        optimizer=built,
        schedule=build_schedule(
            schedule, built, epochs=trainer.epochs, steps_per_epoch=-(-batches // trainer.accumulate_batches)
        ),
        loss=build_loss(loss, train_targets, draws.share(), classes),
        mixup=Mixup(mixup_alpha, seed) if mixup_alpha and head is None else None,
        train=epochs[0],
        validation=epochs[1],
        accumulate=trainer.accumulate_batches,
        clip_norm=trainer.clip_norm,
        begin=None if modes is None else modes.begin,
        weights=weights,
    )


def _average(network: nn.Module, decay: float | None) -> ModelEmaV3 | None:
    """Exponential, batch norm's statistics included; of fewer steps at first, or a short run would keep its start."""
    return None if decay is None else ModelEmaV3(network, decay=decay, use_warmup=True, warmup_gamma=10.0)
