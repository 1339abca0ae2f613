"""A small training whose every part can be looked at: a linear layer on features that separate the classes well."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from timm.utils import ModelEmaV3
from torch import nn

from mammoscope.config import LossConfig, OptimizerConfig, ScheduleConfig
from mammoscope.data.batches import Batch
from mammoscope.training.device import Fabric, build_fabric, seed_everything
from mammoscope.training.loop import Epoch, Learner, Pause, Reading, train_epochs
from mammoscope.training.losses import build_loss
from mammoscope.training.mixup import Mixup
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.training.readings import Progress
from mammoscope.training.state import Trained
from mammoscope.vocabulary import LossName, Precision, ScheduleName


class Blobs:
    """40 rows in batches of 10; `poison` puts a NaN into the second."""

    def __init__(self, *, poison: bool = False, batch_size: int = 10):
        rng = np.random.default_rng(0)
        self.targets = torch.from_numpy((np.arange(40) % 2).astype(np.float32))
        self.features = torch.from_numpy(rng.normal(size=(40, 6)).astype(np.float32)) + 2 * self.targets[:, None]
        self.batch_size = batch_size
        if poison:
            self.features[13] = float("nan")

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        for picks in torch.arange(40).split(self.batch_size)[start:]:
            yield Batch(self.features[picks], self.targets[picks], picks)


def begin(
    train: Blobs,
    epochs: int = 5,
    *,
    lr: float = 0.05,
    clip_norm: float | None = 1.0,
    precision: Precision = Precision.fp32,
    accumulate: int = 1,
    ema_decay: float | None = None,
    mixup_alpha: float = 0.0,
    drop_rate: float = 0.0,
) -> Trained:
    seed_everything(0)
    fabric: Fabric = build_fabric(torch.device("cpu"), precision)
    raw = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(drop_rate), nn.Linear(4, 1))
    optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=lr, weight_decay=0.01), raw)
    network, optimizer = fabric.setup(raw, optimizer)
    schedule = build_schedule(
        ScheduleConfig(name=ScheduleName.cosine, warmup_epochs=1, final_lr_fraction=0.1),
        optimizer,
        epochs=epochs,
        steps_per_epoch=40 // train.batch_size // accumulate,
    )
    learner = Learner(
        network=network,
        bare=raw,
        average=None if ema_decay is None else ModelEmaV3(raw, decay=ema_decay, use_warmup=True),
        optimizer=optimizer,
        schedule=schedule,
        loss=build_loss(LossConfig(name=LossName.bce), [0, 1], np.ones(2)),
        mixup=Mixup(mixup_alpha, seed=0) if mixup_alpha else None,
        train=train,
        validation=Blobs(),
        accumulate=accumulate,
        clip_norm=clip_norm,
        begin=None,
        weights=raw.state_dict,
    )
    return Trained(fabric, learner, Progress())


def moments(
    trained: Trained, epochs: int = 5, pause: Callable[[], bool] = lambda: False
) -> Iterator[Epoch | Pause | Reading]:
    return train_epochs(trained.fabric, trained.learner, trained.progress, epochs=epochs, pause=pause)


def weights(trained: Trained) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in trained.learner.scored.state_dict().values()]
