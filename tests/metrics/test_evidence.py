import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.evidence import gather_evidence, quick_auc
from mammoscope.metrics.levels import units_at
from mammoscope.vocabulary import Level, Partition

HALF = dict.fromkeys(Level, 0.5)


@pytest.fixture
def predictions(predictions_of):
    """40 patients, both views of the left breast, two abnormalities on every fourth film."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(40):
        for view in ("CC", "MLO"):
            for _ in range(2 if number % 4 == 0 else 1):
                target = number % 3 == 0
                score = 1 / (1 + math.exp(-rng.normal(1.0 if target else -1.0)))
                rows.append((f"P_{number:05d}", "left", view, f"{number}{view}", int(target), score))
    return predictions_of(rows)


def gathered(predictions, thresholds=None, seed=0, replicates=200):
    return gather_evidence(predictions, thresholds=thresholds, rng=np.random.default_rng(seed), replicates=replicates)


def test_every_level_carries_every_metric_with_its_counts(predictions):
    evidence = gathered(predictions)
    assert evidence.levels == tuple(Level)
    assert [(r.level, r.metric) for r in evidence.results] == [
        (level, metric)
        for level in Level
        for metric in ("auc", "average_precision", "brier", "sensitivity", "specificity")
    ]
    counts = {level: evidence.result(level, "auc") for level in Level}
    assert [(r.n, r.positives, r.patients) for r in counts.values()] == [
        (100, 36, 40),
        (80, 28, 40),
        (40, 14, 40),
        (40, 14, 40),
    ]
    assert all(r.low <= r.value <= r.high for r in evidence.results)


def test_numbers_and_confusions_come_from_the_units(predictions):
    evidence = gathered(predictions)
    for level in Level:
        units, confusion = units_at(predictions, level), evidence.confusion(level)
        assert evidence.result(level, "auc").value == pytest.approx(
            roc_auc_score(units.targets, units.scores), abs=1e-12
        )
        expected = confusion_matrix(units.targets, units.scores >= confusion.threshold).ravel()
        assert [confusion.tn, confusion.fp, confusion.fn, confusion.tp] == expected.tolist()
        assert evidence.result(level, "sensitivity").value == confusion.tp / (confusion.tp + confusion.fn)
        assert evidence.result(level, "specificity").value == confusion.tn / (confusion.tn + confusion.fp)


def test_thresholds_of_validation_are_carried_to_test(predictions):
    validation = gathered(predictions)
    test = gathered(replace(predictions, partition=Partition.test), thresholds=dict(validation.thresholds))
    assert test.thresholds == validation.thresholds
    assert gathered(predictions, thresholds=HALF).confusion(Level.image).threshold == 0.5


def test_flat_names_partition_level_and_metric(predictions):
    evidence = gathered(predictions)
    flat, auc = evidence.flat(), evidence.result(Level.image, "auc")
    assert len(flat) == 4 * (5 * 3 + 4)
    assert flat["validation/image/auc"] == auc.value
    assert (flat["validation/image/auc_low"], flat["validation/image/auc_high"]) == (auc.low, auc.high)
    assert (flat["validation/breast/n"], flat["validation/breast/positives"]) == (40.0, 14.0)
    assert flat["validation/patient/patients"] == 40.0
    assert flat["validation/abnormality/threshold"] == evidence.confusion(Level.abnormality).threshold
    assert all(type(value) is float for value in flat.values())


def test_full_images_have_no_abnormality_level(predictions):
    assert gathered(replace(predictions, finest=Level.image)).levels == (Level.image, Level.breast, Level.patient)


def test_the_same_generator_gives_the_same_evidence(predictions):
    assert gathered(predictions, seed=3) == gathered(predictions, seed=3)


def test_quick_auc_is_the_same_number_without_interval(predictions):
    evidence = gathered(predictions)
    assert quick_auc(predictions) == {level: evidence.result(level, "auc").value for level in Level}


@pytest.mark.parametrize("partition", [Partition.train, Partition.test])
def test_a_threshold_is_chosen_on_validation_only(predictions, partition):
    with pytest.raises(MammoscopeError, match=f"thresholds=None for the {partition} partition"):
        gathered(replace(predictions, partition=partition))


def test_a_level_without_a_threshold_is_refused(predictions):
    with pytest.raises(MammoscopeError, match="none for level=patient"):
        gathered(predictions, thresholds={level: 0.5 for level in Level if level is not Level.patient})


@pytest.mark.parametrize("score", [-0.1, 1.5, math.nan])
def test_a_score_that_is_no_probability_is_refused(predictions, score):
    scores = predictions.scores.copy()
    scores[7] = score
    with pytest.raises(MammoscopeError, match=r"row_7 is .* \(1 of 100 rows .* allowed are probabilities, 0 to 1"):
        gathered(replace(predictions, scores=scores))


@pytest.mark.parametrize("ask", [gathered, quick_auc])
@pytest.mark.parametrize(("target", "counts"), [(0, "0 malignant and 100 benign"), (1, "100 malignant and 0 benign")])
def test_one_class_only_is_refused_with_the_counts(predictions, ask, target, counts):
    targets = np.full_like(predictions.targets, target)
    with pytest.raises(MammoscopeError, match=f"validation partition, level=abnormality: {counts}"):
        ask(replace(predictions, targets=targets))


def test_an_empty_partition_is_refused(predictions_of):
    with pytest.raises(MammoscopeError, match="0 malignant and 0 benign"):
        gathered(predictions_of([]))
