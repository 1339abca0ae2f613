from collections import defaultdict

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn.metrics import roc_auc_score

from mammoscope.config import PhantomConfig
from mammoscope.phantom.ideal import ideal_auc
from mammoscope.phantom.plan import PlannedPatient, plan_patients
from mammoscope.vocabulary import CBIS_DDSM_KINDS, Partition, View


def planned(patients: int, seed: int = 0, test_fraction: float = 0.25) -> tuple[PlannedPatient, ...]:
    config = PhantomConfig(
        patients=patients, seed=seed, d_prime=1.8, height_px=720, width_px=480, test_fraction=test_fraction
    )
    return plan_patients(config)


@pytest.mark.parametrize("patients", [12, 24, 320])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_even_a_small_phantom_has_what_the_real_set_has(patients: int, seed: int):
    plan = planned(patients, seed)
    breasts = [breast for patient in plan for breast in patient.breasts]
    assert any(len(set(dict(patient.published).values())) == 2 for patient in plan)  # crosses the split
    assert any(len({a.kind for a in breast.abnormalities}) == 2 for breast in breasts)  # a film stored twice
    assert any(len(breast.views) == 1 for breast in breasts)
    mixed = [{a.malignant for a in b.of_kind(kind)} for b in breasts for kind in CBIS_DDSM_KINDS]
    assert {True, False} in mixed
    classes = defaultdict(set)
    for patient in plan:
        for kind, partition in patient.published:
            findings = [a for breast in patient.breasts for a in breast.of_kind(kind)]
            assert findings
            for finding in findings:
                classes[kind, partition, finding.malignant].add(patient.number)
    assert len(classes) == 8
    assert min(map(len, classes.values())) >= (1 if patients < 24 else 2)


@pytest.mark.parametrize("test_fraction", [0.01, 0.25, 0.9, 0.99])
def test_the_test_set_has_its_share_and_never_everyone(test_fraction: float):
    plan = planned(320, test_fraction=test_fraction)
    for kind in CBIS_DDSM_KINDS:
        published = [dict(patient.published)[kind] for patient in plan if kind in dict(patient.published)]
        tests = published.count(Partition.test)
        assert 4 <= tests <= len(published) - 4
        assert abs(tests - test_fraction * len(published)) <= 4


def test_numbers_count_through_both_kinds_of_a_breast():
    for patient in planned(60):
        for breast in patient.breasts:
            assert [a.number for a in breast.abnormalities] == list(range(1, len(breast.abnormalities) + 1))


def test_a_bigger_d_prime_or_another_film_size_changes_nobody():
    config = PhantomConfig(patients=40, seed=4, d_prime=3.0, height_px=128, width_px=96, test_fraction=0.25)
    assert plan_patients(config) == planned(40, seed=4)


def test_side_and_view_say_nothing_of_the_truth():
    rows = [
        (breast.laterality, view, finding.malignant)
        for patient in planned(4000)
        for breast in patient.breasts
        for view in breast.views
        for finding in breast.abnormalities
    ]
    for column in (0, 1):
        values = sorted({row[column] for row in rows})
        table = [
            [sum(r[column] == value and r[2] is truth for r in rows) for value in values] for truth in (True, False)
        ]
        assert chi2_contingency(table).pvalue > 0.01
    assert 0.43 < np.mean([row[2] for row in rows]) < 0.47
    assert {row[1] for row in rows} == set(View)


def test_each_partition_has_nearly_the_ideal_auc():
    along, truths = defaultdict(list), defaultdict(list)
    for patient in planned(320):
        for kind, partition in patient.published:
            for breast in patient.breasts:
                for finding in breast.of_kind(kind):
                    along[kind, partition].append((finding.malignant - 0.5) * 1.8 + finding.deviation)
                    truths[kind, partition].append(finding.malignant)
    for group, scores in along.items():
        assert roc_auc_score(truths[group], scores) == pytest.approx(ideal_auc(1.8), abs=0.02)
