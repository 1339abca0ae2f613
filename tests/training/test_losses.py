import math

import pytest
import torch
from torch.nn import functional

from mammoscope.config import LossConfig
from mammoscope.training.losses import build_loss
from mammoscope.vocabulary import LossName

LOGITS, TARGETS = torch.tensor([[0.3], [-1.2], [2.0]]), torch.tensor([1.0, 0.0, 1.0])


def test_bce_weighs_the_rare_class_up():
    loss = build_loss(LossConfig(name=LossName.bce), [1, 0, 0, 0])
    expected = functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS, pos_weight=torch.tensor(3.0))
    torch.testing.assert_close(loss(LOGITS, TARGETS), expected)


def test_bce_takes_the_weight_that_it_is_given():
    loss = build_loss(LossConfig(name=LossName.bce, pos_weight=1.0), [1, 0, 0, 0])
    torch.testing.assert_close(
        loss(LOGITS, TARGETS), functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS)
    )


def test_smoothing_keeps_bce_from_wanting_certainty():
    loss = build_loss(LossConfig(name=LossName.bce, pos_weight=1.0, smoothing=0.1), [0, 1])
    best = torch.tensor([[math.log(0.95 / 0.05)]])
    one = torch.tensor([1.0])
    assert loss(best, one) < loss(best + 1, one)
    assert loss(best, one) < loss(best - 1, one)


def test_cross_entropy_of_two_logits_is_bce_of_their_difference():
    loss = build_loss(LossConfig(name=LossName.cross_entropy), [0, 1])
    two = torch.cat([torch.zeros_like(LOGITS), LOGITS], dim=1)
    expected = functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS)
    assert loss(two, TARGETS).item() == pytest.approx(expected.item(), rel=1e-6)
