import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from mammoscope.training.device import build_fabric
from mammoscope.training.loop import Epoch, Pause, Reading, score
from mammoscope.training.mixup import Mixup
from mammoscope.training.readings import NotFinite
from mammoscope.training.state import read_snapshot, take_snapshot, write_snapshot
from mammoscope.vocabulary import Precision

from .learners import Blobs, begin, moments, weights


def epochs_of(seen) -> list[Epoch]:
    return [moment for moment in seen if isinstance(moment, Epoch)]


def readings_of(seen) -> list[Reading]:
    return [moment for moment in seen if isinstance(moment, Reading)]


def test_it_learns_and_reports_each_epoch():
    seen = epochs_of(moments(begin(Blobs())))
    assert [epoch.number for epoch in seen] == [0, 1, 2, 3, 4]
    assert seen[-1].train_loss < 0.8 * seen[0].train_loss
    scores = seen[-1].probabilities[:, 1]
    assert scores.dtype == np.float64
    assert scores[1::2].mean() - scores[0::2].mean() > 0.3
    assert seen[-1].lr == pytest.approx(0.05 * 0.1, rel=0.2)
    assert all(epoch.images_per_s > 0 for epoch in seen)


def test_the_same_seed_gives_the_same_weights_to_the_last_bit():
    first, second = begin(Blobs(), drop_rate=0.5), begin(Blobs(), drop_rate=0.5)
    list(moments(first))
    second = begin(Blobs(), drop_rate=0.5)
    list(moments(second))
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_a_loss_that_is_not_finite_names_its_step():
    with pytest.raises(NotFinite, match=r"the loss is nan in epoch 1, step 2$") as found:
        list(moments(begin(Blobs(poison=True))))
    assert (found.value.epoch, found.value.step) == (0, 1)


def test_scores_are_in_the_partitions_order():
    trained = begin(Blobs())
    seen = epochs_of(moments(trained))
    again = score(build_fabric(torch.device("cpu"), Precision.fp32), trained.learner.network, Blobs())
    np.testing.assert_array_equal(again, seen[-1].probabilities)


def test_the_caller_may_stop_at_any_epoch():
    seen = moments(begin(Blobs(), epochs=9), epochs=9)
    assert isinstance(next(seen), Pause)
    assert next(seen).number == 0
    seen.close()


def test_readings_come_every_fifty_steps_of_the_whole_training_however_often_one_looks():
    seldom = list(moments(begin(Blobs(), 30), 30))
    often = list(moments(begin(Blobs(), 30), 30, pause=lambda: True))
    assert [reading.step for reading in readings_of(seldom)] == [50, 100, 120]  # 4 steps an epoch
    assert readings_of(often) == readings_of(seldom)
    by_epoch = [epoch.train_loss for epoch in epochs_of(seldom)]
    assert [epoch.train_loss for epoch in epochs_of(often)] == by_epoch
    means = [reading.loss * steps for reading, steps in zip(readings_of(seldom), (50, 50, 20), strict=True)]
    assert sum(means) == pytest.approx(4 * sum(by_epoch))
    assert sum(isinstance(moment, Pause) for moment in often) == 30 * (4 + 1)


def test_two_batches_of_ten_a_step_are_one_of_twenty():
    """Without batch norm, whose statistics are a batch's own."""
    both = [begin(Blobs(batch_size=20), clip_norm=None), begin(Blobs(batch_size=10), accumulate=2, clip_norm=None)]
    for trained in both:
        for module in trained.learner.network.modules():
            module.eval() if isinstance(module, torch.nn.BatchNorm1d) else None
            module.train = lambda mode=True, module=module: module  # stays as it is
    seen = [epochs_of(moments(trained)) for trained in both]
    for one, two in zip(*seen, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, abs=1e-5)
        np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-5)


def test_the_average_is_what_validates():
    trained = begin(Blobs(), ema_decay=0.9)
    expected = copy.deepcopy(trained.learner.average.module.state_dict())
    step = 0
    for moment in moments(trained, pause=lambda: True):
        if isinstance(moment, Pause) and not moment.is_trained:
            step += 1
            decay = 0.0 if step == 1 else min(0.9, 1 - step ** (-2 / 3))
            for name, value in trained.learner.network.state_dict().items():
                mean = decay * expected[name] + (1 - decay) * value
                expected[name] = mean if value.is_floating_point() else value.clone()
        if isinstance(moment, Epoch):
            average = trained.learner.average.module
            np.testing.assert_array_equal(moment.probabilities, score(trained.fabric, average, Blobs()))
    for name, value in trained.learner.average.module.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    assert not torch.equal(expected["0.weight"], trained.learner.network.state_dict()["0.weight"])


def test_mixup_draws_by_place_and_weighs_losses_as_it_weighs_images():
    mixup, images = Mixup(alpha=0.4, seed=3), torch.rand(8, 1, 4, 4)
    mixed = mixup.mix(images, epoch=1, step=2, place=0)
    assert 0.5 <= mixed.share <= 1
    torch.testing.assert_close(mixed.inputs, mixed.share * images + (1 - mixed.share) * images[mixed.others])
    again = mixup.mix(images, epoch=1, step=2, place=0)
    assert torch.equal(again.inputs, mixed.inputs)
    shares = {mixup.mix(images, *place).share for place in ((1, 2, 1), (1, 3, 0), (2, 2, 0))} | {mixed.share}
    assert len(shares) == 4

    trained = begin(Blobs(), mixup_alpha=0.4, clip_norm=None)
    first = next(iter(Blobs().epoch(0)))
    mixed = trained.learner.mixup.mix(first.images, 0, 0, 0)
    soft = mixed.share * first.targets + (1 - mixed.share) * first.targets[mixed.others]
    with torch.no_grad():
        logits = copy.deepcopy(trained.learner.network).train()(mixed.inputs)[:, 0]
    expected = functional.binary_cross_entropy_with_logits(logits, soft)
    told: list[float] = []
    for moment in moments(trained, pause=lambda: True):
        told.append(trained.progress.epoch_loss)
        if isinstance(moment, Pause):
            break
    assert told[0] == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    "how",
    [
        {"drop_rate": 0.5},
        {"ema_decay": 0.9, "accumulate": 2, "mixup_alpha": 0.3, "drop_rate": 0.5},
        {"precision": Precision.fp16},
        {"precision": Precision.bf16},
    ],
)
@pytest.mark.parametrize("stop_at", [1, 3, 6])
def test_a_state_that_is_put_back_goes_on_as_if_nothing_had_been(how, stop_at, tmp_path):
    whole = begin(Blobs(), **how)
    expected = epochs_of(moments(whole))

    left = begin(Blobs(), **how)
    pauses, seen = 0, []
    for moment in moments(left, pause=lambda: True):
        seen.append(moment)
        pauses += isinstance(moment, Pause)
        if pauses == stop_at:
            write_snapshot(take_snapshot(left.tree()), tmp_path / "state")
            break
    again = begin(Blobs(), **how)
    torch.rand(100)  # the generators are somewhere else when a process begins
    again.restore(read_snapshot(tmp_path / "state"))
    found = epochs_of(seen) + epochs_of(moments(again))
    assert [epoch.train_loss for epoch in found] == [epoch.train_loss for epoch in expected]
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(again), strict=True))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_the_scaler_skips_steps_that_overflow_and_its_scale_is_part_of_the_state():
    trained = begin(Blobs(), precision=Precision.fp16)
    before = trained.tree()["scaler"]
    assert before["scale"] == 65536
    list(moments(trained))
    after = trained.tree()["scaler"]
    assert after != before
    fresh = begin(Blobs(), precision=Precision.fp16)
    fresh.restore(trained.tree())
    assert fresh.tree()["scaler"] == after
    begin(Blobs(), precision=Precision.bf16).restore(trained.tree())  # which has none, takes the rest


def test_weights_that_are_not_finite_are_seen():
    trained = begin(Blobs())
    assert trained.is_finite()
    with torch.no_grad():
        next(trained.learner.network.parameters())[0, 0] = float("inf")
    assert not trained.is_finite()
