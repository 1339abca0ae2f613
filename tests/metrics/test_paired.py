"""The difference of two scorers on the same units, against formulas and against what pairing is for."""

from dataclasses import replace

import numpy as np
import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.intervals import patient_bootstrap
from mammoscope.metrics.paired import paired_difference
from mammoscope.metrics.scores import average_precision, roc_auc
from mammoscope.vocabulary import Level


@pytest.fixture
def two_scorers(units_of):
    """A hundred patients of two units, seen by two scorers whose errors are partly the same."""
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 200)
    shared, own = rng.normal(size=200), rng.normal(size=(2, 200))
    scores = [targets * gain + shared + 0.3 * noise for gain, noise in zip((1.2, 0.9), own, strict=True)]
    patients = [f"P_{number // 2:05d}" for number in range(200)]
    units = units_of(targets.tolist(), scores[0].tolist(), patients)
    units = replace(units, keys=np.array([f"{p}/{n % 2}" for n, p in enumerate(patients)]))
    return units, replace(units, scores=scores[1])


def test_values_are_those_of_each_scorer_alone(two_scorers):
    first, second = two_scorers
    found = paired_difference(first, second, rng=np.random.default_rng(0), replicates=50)
    alone = [
        patient_bootstrap(units, {"auc": roc_auc}, rng=np.random.default_rng(0), replicates=50)["auc"].value
        for units in two_scorers
    ]
    assert [found.first, found.second] == alone
    assert found.difference.value == alone[0] - alone[1]
    assert found.difference.low < found.difference.value < found.difference.high


def test_pairing_makes_the_interval_narrower_than_independent_draws_would(two_scorers):
    first, second = two_scorers
    found = paired_difference(first, second, rng=np.random.default_rng(0)).difference
    halves = []
    for seed, units in enumerate(two_scorers):
        alone = patient_bootstrap(units, {"auc": roc_auc}, rng=np.random.default_rng(seed))["auc"]
        halves.append((alone.high - alone.low) / 2)
    assert (found.high - found.low) / 2 < 0.6 * np.hypot(*halves)


def test_the_order_of_units_does_not_matter(two_scorers):
    first, second = two_scorers
    order = np.random.default_rng(1).permutation(len(second))
    columns = {name: getattr(second, name)[order] for name in ("keys", "patients", "targets", "scores")}
    shuffled = replace(second, **columns)
    assert paired_difference(first, shuffled, rng=np.random.default_rng(0)) == paired_difference(
        first, second, rng=np.random.default_rng(0)
    )


def test_a_scorer_does_not_differ_from_itself_whatever_the_metric(two_scorers):
    first, _ = two_scorers
    found = paired_difference(first, first, rng=np.random.default_rng(0), metric=average_precision).difference
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says(units_of):
    """Two scorers of equal worth: zero lies inside in some 95 of 100 draws."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        targets = rng.integers(0, 2, 120)
        noise = rng.normal(size=(2, 120))
        first, second = (units_of(targets.tolist(), (targets + own).tolist()) for own in noise)
        found = paired_difference(first, second, rng=rng, replicates=200).difference
        covered += found.low <= 0 <= found.high
    assert 52 <= covered <= 60


def test_other_units_are_refused(two_scorers):
    first, second = two_scorers
    rng = np.random.default_rng(0)
    with pytest.raises(MammoscopeError, match=r"levels breast and image; allowed: one level"):
        paired_difference(first, replace(second, level=Level.image), rng=rng)
    keys = second.keys.astype(object)
    keys[7] = "P_99999/0"
    with pytest.raises(MammoscopeError, match=r"P_00003/1 is a unit of one scorer only \(2 in all\)"):
        paired_difference(first, replace(second, keys=keys.astype(np.str_)), rng=rng)
    with pytest.raises(MammoscopeError, match=r"P_00000/0 has another target .*\(200 in all\)"):
        paired_difference(first, replace(second, targets=1 - second.targets), rng=rng)
