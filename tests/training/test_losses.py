import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

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


def focal(gamma: float, targets: list[int], classes: int = 2, *, alpha: float | None = None):
    return build_loss(
        LossConfig(name=LossName.focal, gamma=gamma, alpha=alpha), targets, np.ones(len(targets)), classes
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_focal_is_torchvisions(gamma: float):
    expected = sigmoid_focal_loss(LOGITS[:, 0], TARGETS, alpha=0.25, gamma=gamma, reduction="mean")
    torch.testing.assert_close(focal(gamma, [0, 1], alpha=0.25)(LOGITS, TARGETS), expected)


def test_focal_at_gamma_0_is_bce_with_its_weights():
    bce = build_loss(LossConfig(name=LossName.bce), [1, 0, 0, 0], np.ones(4))
    torch.testing.assert_close(focal(0.0, [1, 0, 0, 0])(LOGITS, TARGETS), bce(LOGITS, TARGETS))


def test_focal_of_many_classes_at_gamma_0_is_cross_entropy_with_its_weights():
    targets = [0] * 6 + [1] * 3 + [2]
    logits, wanted = torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), torch.tensor(targets).float()
    cross_entropy = build_loss(LossConfig(name=LossName.cross_entropy), targets, np.ones(10), 3)
    torch.testing.assert_close(focal(0.0, targets, 3)(logits, wanted), cross_entropy(logits, wanted))


def test_focal_of_two_logits_is_focal_of_their_difference():
    """Two formulas, one loss: malignancy could be told by one logit or by two."""
    from mammoscope.training.losses import _many_focal

    two = torch.cat([torch.zeros_like(LOGITS), LOGITS], dim=1)
    one = focal(2.0, [0, 1], alpha=0.5)(LOGITS, TARGETS)
    torch.testing.assert_close(_many_focal(2.0, None)(two, TARGETS), 2 * one)


def test_focal_weighs_what_is_told_well_less():
    told, missed = torch.tensor([[4.0]]), torch.tensor([[-1.0]])
    one = torch.tensor([1.0])
    plain, keen = focal(0.0, [0, 1]), focal(2.0, [0, 1])
    assert keen(told, one) / plain(told, one) < 0.001 < 0.5 < keen(missed, one) / plain(missed, one)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_a_slope_where_a_sample_is_told_for_certain(gamma: float):
    logits = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    focal(gamma, [0, 1])(logits, torch.tensor([1.0, 0.0])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
