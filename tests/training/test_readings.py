"""The curve by step: means of what was read anyway, aligned with the training's steps and not with its epochs."""

import pytest
import torch
from torch import nn

from mammoscope.config import OptimizerConfig, ScheduleConfig
from mammoscope.data.batches import Batch
from mammoscope.training import loop
from mammoscope.training.device import build_fabric, seed_everything
from mammoscope.training.loop import Epoch, Pause, train_epochs
from mammoscope.training.optimizer import build_optimizer, build_schedule
from mammoscope.training.readings import LossCurve, Reading
from mammoscope.training.state import Progress, Trained
from mammoscope.vocabulary import Precision, ScheduleName

STEPS, EPOCHS, EVERY = 7, 3, 4  # so that windows and epochs end at different steps


class Noise:
    """An epoch of seven batches, each another."""

    def epoch(self, number: int, start: int = 0):
        for step in range(start, STEPS):
            images = torch.randn(5, 6, generator=torch.Generator().manual_seed(100 * number + step))
            yield Batch(images, (images[:, 0] > 0).float(), torch.arange(5))


class Training:
    """A training that keeps each step's loss, and that another one can go on with."""

    def __init__(self) -> None:
        seed_everything(0)
        fabric = build_fabric(torch.device("cpu"), Precision.fp32)
        network = nn.Linear(6, 1)
        optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=0.05, weight_decay=0), network)
        network, optimizer = fabric.setup(network, optimizer)
        schedule = build_schedule(
            ScheduleConfig(name=ScheduleName.cosine, warmup_epochs=1, final_lr_fraction=0.1),
            optimizer,
            epochs=EPOCHS,
            steps_per_epoch=STEPS,
        )
        self.trained = Trained(fabric, network, optimizer, schedule, Progress())
        self.curve = LossCurve()
        self.losses: list[float] = []

    def moments(self, pause=lambda: False):
        t = self.trained
        return train_epochs(
            t.fabric,
            t.network,
            t.optimizer,
            t.schedule,
            self._loss,
            Noise(),
            Noise(),
            t.progress,
            epochs=EPOCHS,
            clip_norm=None,
            pause=pause,
            curve=self.curve,
        )

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], targets)
        self.losses.append(loss.item())
        return loss


@pytest.fixture(autouse=True)
def every_few_steps(monkeypatch):
    monkeypatch.setattr(loop, "READ_EVERY_STEPS", EVERY)


def test_each_reading_is_the_mean_of_its_own_steps_across_the_borders_of_epochs():
    training = Training()
    readings = [moment for moment in training.moments() if isinstance(moment, Reading)]
    last = STEPS * EPOCHS
    assert [r.step for r in readings] == [4, 8, 12, 16, 20, last]
    for before, reading in zip([0, *(r.step for r in readings)], readings, strict=False):
        own = training.losses[before : reading.step]
        assert reading.loss == pytest.approx(sum(own) / len(own), rel=1e-5)
    assert readings[0].lr > readings[-1].lr > 0


def test_the_device_is_waited_for_at_readings_and_at_the_ends_of_epochs_alone(monkeypatch):
    reads = []
    require = loop._require_finite
    monkeypatch.setattr(loop, "_require_finite", lambda *told: reads.append(told[1:]) or require(*told))
    moments = list(Training().moments())
    assert len(reads) == STEPS * EPOCHS // EVERY + EPOCHS
    assert sum(isinstance(moment, Reading) for moment in moments) == STEPS * EPOCHS // EVERY + 1


@pytest.mark.parametrize("stop", range(1, STEPS * EPOCHS + EPOCHS))
def test_a_training_that_is_gone_on_with_gives_the_same_readings(stop: int):
    whole = [moment for moment in Training().moments() if isinstance(moment, Reading)]
    first, seen, pauses = Training(), [], 0
    for moment in first.moments(lambda: True):
        if isinstance(moment, Reading):
            seen.append(moment)
        if isinstance(moment, Pause) and (pauses := pauses + 1) == stop:
            break
    tree, before = first.trained.tree(), first.curve.before
    second = Training()
    second.trained.restore(tree)
    second.curve.before = before
    seen += [m for m in second.moments() if isinstance(m, Reading) and m.step > (seen[-1].step if seen else 0)]
    assert seen == whole


def test_what_is_read_by_step_and_by_epoch_agrees():
    moments = list(Training().moments())
    by_epoch = sum(m.train_loss for m in moments if isinstance(m, Epoch)) / EPOCHS
    readings = [m for m in moments if isinstance(m, Reading)]
    lengths = [b.step - a for a, b in zip([0, *(r.step for r in readings)], readings, strict=False)]
    by_step = sum(r.loss * n for r, n in zip(readings, lengths, strict=True)) / sum(lengths)
    assert by_step == pytest.approx(by_epoch, rel=1e-6)
