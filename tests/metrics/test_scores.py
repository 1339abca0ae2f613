from functools import partial

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, recall_score, roc_auc_score

from mammoscope.metrics import AT_THRESHOLD, THRESHOLD_FREE
from mammoscope.metrics.scores import average_precision, brier, roc_auc, sensitivity, specificity

THRESHOLD = 0.4


def recall_of(positive: int, targets, scores, sample_weight):
    return recall_score(targets, scores >= THRESHOLD, pos_label=positive, sample_weight=sample_weight)


PEERS = {
    "auc": (roc_auc, roc_auc_score),
    "average_precision": (average_precision, average_precision_score),
    "brier": (brier, brier_score_loss),
    "sensitivity": (partial(sensitivity, threshold=THRESHOLD), partial(recall_of, 1)),
    "specificity": (partial(specificity, threshold=THRESHOLD), partial(recall_of, 0)),
}


def test_every_metric_of_the_menus_has_a_peer():
    assert set(PEERS) == {*THRESHOLD_FREE, *AT_THRESHOLD}


@pytest.mark.parametrize("metric", PEERS)
@pytest.mark.parametrize("decimals", [1, 2, 12], ids=["many_ties", "some_ties", "no_ties"])
def test_agrees_with_scikit_learn_on_every_replicate(metric, decimals):
    rng = np.random.default_rng(decimals)
    scores = np.round(rng.random(80), decimals)
    targets = (rng.random(80) < 0.2 + 0.5 * scores).astype(np.int8)
    weights = rng.poisson(1.0, size=(25, 80)).astype(np.float64)  # zeros too, as in a bootstrap
    ours, theirs = PEERS[metric]
    expected = [theirs(targets, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(ours(targets, scores, weights), expected, rtol=0, atol=1e-12)


def test_ties_count_half():
    assert roc_auc(np.array([0, 1]), np.array([0.5, 0.5]), np.ones((1, 2))).tolist() == [0.5]


def test_a_score_on_the_threshold_is_called_malignant():
    targets, scores, weights = np.array([0, 1]), np.array([0.5, 0.5]), np.ones((1, 2))
    assert sensitivity(targets, scores, weights, threshold=0.5).tolist() == [1.0]
    assert specificity(targets, scores, weights, threshold=0.5).tolist() == [0.0]


@pytest.mark.parametrize("metric", PEERS)
def test_a_replicate_of_one_class_or_of_nothing_is_nan(metric):
    targets, scores = np.array([0, 0, 1], dtype=np.int8), np.array([0.1, 0.7, 0.9])
    weights = np.array([[1, 2, 0], [0, 0, 3], [0, 0, 0], [1, 1, 1]], dtype=np.float64)
    assert np.isnan(PEERS[metric][0](targets, scores, weights)).tolist() == [True, True, True, False]


@pytest.mark.parametrize("metric", PEERS)
def test_no_units_are_nan(metric):
    assert np.isnan(PEERS[metric][0](np.zeros(0, np.int8), np.zeros(0), np.ones((2, 0)))).all()
