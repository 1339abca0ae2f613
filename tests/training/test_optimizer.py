import itertools

import pytest
from torch import nn

from mammoscope.config import OptimizerConfig, ScheduleConfig
from mammoscope.errors import MammoscopeError
from mammoscope.training.optimizer import build_optimizer, build_schedule, check_optimizer
from mammoscope.vocabulary import ScheduleName


def rates(name: ScheduleName, *, warmup_epochs: float, epochs: int = 10, steps: int = 5) -> list[float]:
    optimizer = build_optimizer(OptimizerConfig(name="sgd", lr=1.0, weight_decay=0), nn.Linear(2, 1))
    schedule = build_schedule(
        ScheduleConfig(name=name, warmup_epochs=warmup_epochs, final_lr_fraction=0.1),
        optimizer,
        epochs=epochs,
        steps_per_epoch=steps,
    )
    seen = []
    for _ in range(epochs * steps):
        seen.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return seen


def test_warm_up_rises_to_the_full_rate_and_cosine_falls_to_the_end():
    seen = rates(ScheduleName.cosine, warmup_epochs=2)
    assert seen[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(a >= b for a, b in itertools.pairwise(seen[9:]))
    assert seen[-1] == pytest.approx(0.1, abs=0.01)


def test_constant_stays_after_its_warm_up():
    seen = rates(ScheduleName.constant, warmup_epochs=1)
    assert seen[0] == pytest.approx(0.2)
    assert set(seen[5:]) == {1.0}


def test_biases_and_norms_do_not_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    optimizer = build_optimizer(OptimizerConfig(name="adamw", lr=1e-3, weight_decay=0.1), network)
    decays = {group["weight_decay"]: [p.ndim for p in group["params"]] for group in optimizer.param_groups}
    assert decays[0.1] == [4]
    assert decays[0.0] == [1, 1, 1]


def test_an_unknown_optimizer_is_named():
    with pytest.raises(MammoscopeError, match=r"optimizer\.name=adamx: .*allowed: .*adamw"):
        check_optimizer(OptimizerConfig(name="adamx", lr=1e-3, weight_decay=0.1))
