import math

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.thresholds import youden_threshold


def test_lies_halfway_between_the_scores_that_it_parts(units_of):
    assert youden_threshold(units_of([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)


def test_of_equally_good_ones_the_lowest_is_taken(units_of):
    units = units_of([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4])  # J = 0.5 at 0.15 and at 0.35
    assert youden_threshold(units) == pytest.approx(0.15)


def test_ties_fall_together(units_of):
    assert youden_threshold(units_of([0, 0, 1, 1, 1], [0.1, 0.5, 0.5, 0.5, 0.8])) == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(10))
def test_its_j_is_the_best_of_all(units_of, seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(60), 2)
    targets = (rng.random(60) < scores).astype(np.int8)
    fpr, tpr, _ = roc_curve(targets, scores)
    called = scores >= youden_threshold(units_of(targets, scores))
    assert called[targets == 1].mean() - called[targets == 0].mean() == pytest.approx((tpr - fpr).max(), abs=1e-12)


@pytest.mark.parametrize(("scores", "expected"), [([0.5, 0.5, 0.5], 0.5), ([0.9, 0.2, 0.1], 0.1)])
def test_no_better_than_chance_calls_everything_malignant(units_of, scores, expected):
    assert youden_threshold(units_of([0, 1, 1], scores)) == expected


def test_neighbours_without_room_between_them_are_still_parted(units_of):
    low, high = 0.5, math.nextafter(0.5, 1)
    assert youden_threshold(units_of([0, 1], [low, high])) == high


@pytest.mark.parametrize("targets", [[], [0, 0], [1]])
def test_one_class_only_is_refused_with_the_counts(units_of, targets):
    malignant = sum(targets)
    with pytest.raises(MammoscopeError, match=f"{malignant} malignant and {len(targets) - malignant} benign"):
        youden_threshold(units_of(targets, [0.5] * len(targets)))
