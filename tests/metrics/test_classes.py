import dataclasses

import numpy as np
import pytest

from mammoscope.metrics.classes import gather_class_evidence, lesions_only
from mammoscope.metrics.reference import with_scores
from mammoscope.records import ClassScores

TISSUE = ("normal", "benign", "malignant")


@pytest.fixture
def tissue(predictions_of):
    """Twelve patients with a row of each class; two malignant rows look benign, the others like themselves."""
    targets = np.tile([0, 1, 2], 12)
    said = targets.copy()
    said[[2, 5]] = 1
    probabilities = np.full((36, 3), 0.1) + 0.7 * np.eye(3)[said]
    rows = [
        (f"P_{n // 3:05d}", "left", "CC", f"film_{n // 3}", int(target == 2), float(p[2]))
        for n, (target, p) in enumerate(zip(targets, probabilities, strict=True))
    ]
    scores = ClassScores(names=TISSUE, targets=targets.astype(np.int8), probabilities=probabilities)
    return dataclasses.replace(predictions_of(rows), classes=scores)


def test_which_class_is_taken_for_which(tissue):
    found = gather_class_evidence(tissue, rng=np.random.default_rng(0), replicates=200)
    assert found.confusion.tolist() == [[12, 0, 0], [0, 12, 0], [0, 2, 10]]
    assert (found.n, found.patients) == (36, 12)
    assert found.aucs["normal"].value == 1
    # 10 of 12 malignant rows above all others, two tied with them
    assert found.aucs["malignant"].value == pytest.approx((10 + 2 * 0.5) / 12)
    assert found.aucs["malignant"].low < found.aucs["malignant"].value < found.aucs["malignant"].high


def test_numbers_by_key(tissue):
    numbers = gather_class_evidence(tissue, rng=np.random.default_rng(0), replicates=200).flat()
    assert numbers["validation/classes/auc_normal"] == 1
    assert numbers["validation/classes/malignant_called_benign"] == 2
    assert numbers["validation/classes/n_benign"] == 12
    assert numbers["validation/classes/auc_malignant_low"] < numbers["validation/classes/auc_malignant_high"]


def test_a_class_that_is_absent_has_no_auc(tissue):
    found = gather_class_evidence(lesions_only(tissue), rng=np.random.default_rng(0), replicates=50)
    assert set(found.aucs) == {"benign", "malignant"}
    assert found.confusion[0].tolist() == [0, 0, 0]


def test_without_normal_rows_the_lesions_are_left(tissue):
    lesions = lesions_only(tissue)
    assert len(lesions) == 24
    assert len(lesions.ids) == len(lesions.films) == len(lesions.classes.probabilities) == 24
    assert set(lesions.classes.targets.tolist()) == {1, 2}
    assert lesions.targets.sum() == 12


def test_two_classes_have_no_evidence_of_their_own(predictions_of):
    two = predictions_of([("P_00001", "left", "CC", "f", 1, 0.5)])
    assert gather_class_evidence(two, rng=np.random.default_rng(0)) is None
    assert lesions_only(two) is two


def test_another_scorer_has_no_class_probabilities(tissue):
    assert with_scores(tissue, dict.fromkeys(tissue.ids.tolist(), 0.5)).classes is None
