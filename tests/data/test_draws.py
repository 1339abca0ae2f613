"""Epochs are dealt: even between groups, even within them, and a function of (seed, epoch) alone."""

from collections import Counter

import numpy as np
import pytest

from mammoscope.data.draws import Draws, EpochBatches, Pick

RARE = [0] * 17 + [1] * 6  # an odd number in all
PATIENTS = [f"P_{number:05d}" for number in range(7) for _ in range(number + 1)]
EPOCHS = 40


@pytest.mark.parametrize("epoch", [0, 3, 1000])
def test_one_group_is_the_plain_shuffle_of_seed_and_epoch(epoch: int):
    """Written out: numbers of runs that do not balance must not move."""
    expected = np.arange(23)
    np.random.default_rng([5, epoch]).shuffle(expected)
    np.testing.assert_array_equal(Draws([0] * 23, seed=5).epoch(epoch), expected)


@pytest.mark.parametrize("groups", [RARE, PATIENTS, [0, 1, 2] * 5, ["only"] * 4], ids=str)
def test_groups_are_even_in_every_epoch_and_samples_of_a_group_over_all(groups):
    draws = Draws(groups, seed=1)
    total: Counter[int] = Counter()
    for number in range(EPOCHS):
        shown = draws.epoch(number)
        assert len(shown) == len(groups) == len(draws)
        of_group = Counter(groups[index] for index in shown)
        assert of_group.keys() == set(groups)
        assert max(of_group.values()) - min(of_group.values()) <= 1
        total.update(shown.tolist())
        for group in of_group:
            often = [total[index] for index, own in enumerate(groups) if own == group]
            assert max(often) - min(often) <= 1, f"epoch {number}: samples of {group} came {often} times so far"


def test_a_sample_comes_again_only_after_all_of_its_group():
    """Six of 23 are shown 11 or 12 times an epoch: each once or twice, or three times across an epoch's edges."""
    for number in range(EPOCHS):
        often = Counter(Draws(RARE, seed=2).epoch(number).tolist())
        assert all(1 <= often[index] <= 3 for index in range(17, 23))
        assert all(often[index] <= 2 for index in range(17))


def test_an_epoch_does_not_depend_on_the_epochs_before():
    draws, fresh = Draws(RARE, seed=3), Draws(RARE, seed=3)
    for number in range(6):
        draws.epoch(number)
    np.testing.assert_array_equal(draws.epoch(5), fresh.epoch(5))
    assert not np.array_equal(draws.epoch(5), draws.epoch(6))
    assert not np.array_equal(draws.epoch(5), Draws(RARE, seed=4).epoch(5))


@pytest.mark.parametrize("groups", [RARE, PATIENTS, [0] * 5], ids=str)
def test_the_share_is_how_often_a_sample_comes_in_the_long_run(groups):
    draws = Draws(groups, seed=0)
    epochs = 400
    often = np.bincount(np.concatenate([draws.epoch(number) for number in range(epochs)]), minlength=len(groups))
    np.testing.assert_allclose(often / epochs, draws.share(), atol=1.01 / epochs)


def test_each_showing_of_a_sample_has_a_number_of_its_own():
    picks = [pick for batch in EpochBatches(23, 5, Draws(RARE, seed=0)).epoch(4) for pick in batch]
    assert len(set(picks)) == 23
    assert {pick.epoch for pick in picks} == {4}
    for sample in {pick.sample for pick in picks}:
        numbers = [pick.repeat for pick in picks if pick.sample == sample]
        assert numbers == list(range(len(numbers)))
    assert max(pick.repeat for pick in picks) >= 1


def test_without_draws_samples_come_in_their_order_and_none_is_left_out():
    assert list(EpochBatches(3, 2, None).epoch(0)) == [[Pick(0, 0), Pick(0, 1)], [Pick(0, 2)]]
    assert list(EpochBatches(0, 2, None).epoch(0)) == []
    assert [len(batch) for batch in EpochBatches(5, 2, Draws([0] * 5, seed=0)).epoch(0)] == [2, 2]
