import numpy as np
import pytest
import torch
from torch import nn

from mammoscope.config import LossConfig, OptimizerConfig, ScheduleConfig
from mammoscope.data.batches import Batch
from mammoscope.errors import MammoscopeError
from mammoscope.training.device import build_fabric, seed_everything
from mammoscope.training.loop import Epoch, score, train_epochs
from mammoscope.training.losses import build_loss
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.training.state import Progress
from mammoscope.vocabulary import LossName, Precision, ScheduleName


class Blobs:
    """Features that separate the classes well; `poison` puts a NaN into one batch."""

    def __init__(self, *, poison: bool = False):
        rng = np.random.default_rng(0)
        self.targets = torch.from_numpy((np.arange(40) % 2).astype(np.float32))
        self.features = torch.from_numpy(rng.normal(size=(40, 6)).astype(np.float32)) + 2 * self.targets[:, None]
        if poison:
            self.features[13] = float("nan")

    def epoch(self, number: int, start: int = 0):
        for picks in torch.arange(40).split(10)[start:]:
            yield Batch(self.features[picks], self.targets[picks], picks)


def run(train: Blobs, epochs: int = 5, *, lr: float = 0.05, clip_norm: float | None = 1.0):
    seed_everything(0)
    fabric = build_fabric(torch.device("cpu"), Precision.fp32)
    network = nn.Linear(6, 1)
    optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=lr, weight_decay=0.01), network)
    network, optimizer = fabric.setup(network, optimizer)
    schedule = build_schedule(
        ScheduleConfig(name=ScheduleName.cosine, warmup_epochs=1, final_lr_fraction=0.1),
        optimizer,
        epochs=epochs,
        steps_per_epoch=4,
    )
    loss = build_loss(LossConfig(name=LossName.bce), [0, 1], np.ones(2))
    moments = train_epochs(
        fabric,
        network,
        optimizer,
        schedule,
        loss,
        train,
        Blobs(),
        Progress(),
        epochs=epochs,
        clip_norm=clip_norm,
        pause=lambda: False,
    )
    return network, [moment for moment in moments if isinstance(moment, Epoch)]


def test_it_learns_and_reports_each_epoch():
    _, seen = run(Blobs())
    assert [epoch.number for epoch in seen] == [0, 1, 2, 3, 4]
    assert seen[-1].train_loss < 0.6 * seen[0].train_loss
    scores = seen[-1].probabilities[:, 1]
    assert scores.dtype == np.float64
    assert scores[1::2].mean() - scores[0::2].mean() > 0.3
    assert seen[-1].lr == pytest.approx(0.05 * 0.1, rel=0.2)
    assert all(epoch.images_per_s > 0 for epoch in seen)


def test_the_same_seed_gives_the_same_weights_to_the_last_bit():
    (first, _), (second, _) = run(Blobs()), run(Blobs())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_a_loss_that_is_not_finite_stops_the_run_in_words():
    with pytest.raises(MammoscopeError, match=r"the loss is nan in epoch 0.*optimizer\.lr"):
        run(Blobs(poison=True))


def test_scores_are_in_the_partitions_order():
    network, seen = run(Blobs())
    again = score(build_fabric(torch.device("cpu"), Precision.fp32), network, Blobs())
    np.testing.assert_array_equal(again, seen[-1].probabilities)


def test_the_caller_may_stop_at_any_epoch():
    seed_everything(0)
    fabric = build_fabric(torch.device("cpu"), Precision.fp32)
    network = nn.Linear(6, 1)
    optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=0.01, weight_decay=0), network)
    network, optimizer = fabric.setup(network, optimizer)
    schedule = build_schedule(
        ScheduleConfig(name=ScheduleName.constant, warmup_epochs=0, final_lr_fraction=1),
        optimizer,
        epochs=9,
        steps_per_epoch=4,
    )
    loss = build_loss(LossConfig(name=LossName.bce), [0, 1], np.ones(2))
    moments = train_epochs(
        fabric,
        network,
        optimizer,
        schedule,
        loss,
        Blobs(),
        Blobs(),
        Progress(),
        epochs=9,
        clip_norm=None,
        pause=lambda: False,
    )
    assert next(moment for moment in moments if isinstance(moment, Epoch)).number == 0
    moments.close()
