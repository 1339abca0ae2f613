"""When two runs count as the same."""

from dataclasses import replace

import numpy as np
import pytest

from mammoscope.jobs.agreement import Outcome, Verdict, compare
from mammoscope.records import ClassScores, Predictions
from mammoscope.vocabulary import Level, Partition

NAMES = np.array(["a", "b"])
PREDICTIONS = Predictions(
    partition=Partition.validation,
    finest=Level.image,
    ids=NAMES,
    patients=NAMES,
    lateralities=NAMES,
    views=NAMES,
    kinds=NAMES,
    films=NAMES,
    targets=np.array([0, 1], np.int8),
    scores=np.array([0.25, 0.5]),
    classes=None,
)
METRICS = {"epoch/train/loss": 0.5, "validation/image/auc": 0.7, "kept/epoch": 3.0}
FIRST = Outcome(PREDICTIONS, METRICS, "w1")


def scored(*scores: float) -> Predictions:
    return replace(PREDICTIONS, scores=np.array(scores))


def of_classes(*probabilities: float, names: tuple[str, ...] = ("x", "y", "z")) -> Predictions:
    classes = ClassScores(names=names, targets=np.array([0, 1], np.int8), probabilities=np.array([probabilities] * 2))
    return replace(PREDICTIONS, classes=classes)


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (FIRST, Verdict.bit_equal),
        (replace(FIRST, weights=None), Verdict.bit_equal),
        (replace(FIRST, weights="w2"), Verdict.within),
        (replace(FIRST, predictions=scored(0.25, 0.5005)), Verdict.within),
        (replace(FIRST, predictions=scored(0.25, 0.502)), Verdict.differs),
        (replace(FIRST, predictions=replace(PREDICTIONS, ids=np.array(["a", "c"]))), Verdict.differs),
        (replace(FIRST, metrics=METRICS | {"validation/image/auc": 0.7005}), Verdict.within),
        (replace(FIRST, metrics=METRICS | {"epoch/train/loss": 0.6}), Verdict.differs),
        (replace(FIRST, metrics=METRICS | {"validation/image/more": 0.1}), Verdict.differs),
        (replace(FIRST, metrics=METRICS | {"kept/epoch": 4.0}), Verdict.differs),
        (
            replace(FIRST, metrics=METRICS | {"kept/seconds": 9.0, "test/image/auc": 1, "system/x": 2}),
            Verdict.bit_equal,
        ),
        (replace(FIRST, metrics=METRICS | {"epoch/train/images_per_s": 9.0}), Verdict.bit_equal),
    ],
)
def test_verdicts(second: Outcome, verdict: Verdict):
    assert compare(FIRST, second).verdict(1e-3) is verdict
    assert compare(second, FIRST).verdict(1e-3) is verdict


def test_class_probabilities_count_as_scores_do():
    first = replace(FIRST, predictions=of_classes(0.2, 0.3, 0.5))
    assert compare(first, first).verdict(0) is Verdict.bit_equal
    other = replace(FIRST, predictions=of_classes(0.3, 0.2, 0.5))
    assert compare(first, other).scores == pytest.approx(0.1)
    renamed = replace(FIRST, predictions=of_classes(0.2, 0.3, 0.5, names=("x", "z", "y")))
    assert compare(first, renamed).verdict(1) is Verdict.differs
    assert compare(first, FIRST).verdict(1) is Verdict.differs


def test_the_words_name_the_worst_metric():
    agreement = compare(FIRST, replace(FIRST, metrics=METRICS | {"validation/image/auc": 0.75}, weights="w2"))
    assert "metrics by at most 0.05 (validation/image/auc)" in agreement.in_words()
    assert "the weights are others" in agreement.in_words()
