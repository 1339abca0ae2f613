import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from mammoscope.config import LossConfig
from mammoscope.data.draws import Draws
from mammoscope.training.losses import build_loss, class_weights
from mammoscope.vocabulary import LossName

LOGITS, TARGETS = torch.tensor([[0.3], [-1.2], [2.0]]), torch.tensor([1.0, 0.0, 1.0])


def test_bce_weighs_the_rare_class_up():
    loss = build_loss(LossConfig(name=LossName.bce), [1, 0, 0, 0], np.ones(4))
    expected = functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS, pos_weight=torch.tensor(3.0))
    torch.testing.assert_close(loss(LOGITS, TARGETS), expected)


def test_bce_takes_the_weight_that_it_is_given():
    loss = build_loss(LossConfig(name=LossName.bce, pos_weight=1.0), [1, 0, 0, 0], np.ones(4))
    torch.testing.assert_close(
        loss(LOGITS, TARGETS), functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS)
    )


def test_smoothing_keeps_bce_from_wanting_certainty():
    loss = build_loss(LossConfig(name=LossName.bce, pos_weight=1.0, smoothing=0.1), [0, 1], np.ones(2))
    best = torch.tensor([[math.log(0.95 / 0.05)]])
    one = torch.tensor([1.0])
    assert loss(best, one) < loss(best + 1, one)
    assert loss(best, one) < loss(best - 1, one)


def test_cross_entropy_of_two_logits_is_bce_of_their_difference():
    loss = build_loss(LossConfig(name=LossName.cross_entropy), [0, 1], np.ones(2))
    two = torch.cat([torch.zeros_like(LOGITS), LOGITS], dim=1)
    expected = functional.binary_cross_entropy_with_logits(LOGITS[:, 0], TARGETS)
    assert loss(two, TARGETS).item() == pytest.approx(expected.item(), rel=1e-6)


def test_what_sampling_has_balanced_is_not_weighed_again():
    targets = [1, 0, 0, 0]
    by_target = Draws(targets, seed=0).share()
    balanced = build_loss(LossConfig(name=LossName.bce), targets, by_target)
    unweighted = build_loss(LossConfig(name=LossName.bce, pos_weight=1.0), targets, by_target)
    assert balanced(LOGITS, TARGETS).item() == pytest.approx(unweighted(LOGITS, TARGETS).item(), rel=1e-6)


def test_sampling_by_patient_weighs_by_what_an_epoch_shows():
    """Two of three patients are positive, so two of three showings are: the weight is a half, not three."""
    share = Draws(["a", "b", "c", "c", "c", "c", "c", "c"], seed=0).share()
    loss = build_loss(LossConfig(name=LossName.bce), [1, 1, 0, 0, 0, 0, 0, 0], share)
    half = build_loss(LossConfig(name=LossName.bce, pos_weight=0.5), [1, 0], np.ones(2))
    assert loss(LOGITS, TARGETS).item() == pytest.approx(half(LOGITS, TARGETS).item(), rel=1e-6)


def test_of_many_classes_each_weighs_the_same_in_all():
    targets = [0] * 6 + [1] * 3 + [2]
    weights = class_weights(targets, np.ones(10), 3)
    counts = torch.bincount(torch.tensor(targets))
    torch.testing.assert_close(weights * counts, torch.full((3,), 10 / 3))
    loss = build_loss(LossConfig(name=LossName.cross_entropy), targets, np.ones(10), 3)
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    expected = functional.cross_entropy(logits, torch.tensor(targets), weight=weights)
    torch.testing.assert_close(loss(logits, torch.tensor(targets, dtype=torch.float32)), expected)


def test_two_classes_keep_the_weights_that_they_come_with():
    assert class_weights([0, 0, 0, 1], np.ones(4), 2) is None


def test_many_classes_that_sampling_has_balanced_are_not_weighed_again():
    targets = [0] * 6 + [1] * 3 + [2]
    weights = class_weights(targets, Draws(targets, seed=0).share(), 3)
    torch.testing.assert_close(weights, torch.ones(3))
