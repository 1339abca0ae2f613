from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from mammoscope.phantom.geometry import draw_anatomy, draw_build
from mammoscope.phantom.ideal import log_likelihood_ratio
from mammoscope.phantom.lesions import Lesion, draw_lesion, draw_patch, place
from mammoscope.phantom.plan import PlannedAbnormality
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Pathology, View

D_PRIME = 1.8
KINDS = list(CBIS_DDSM_KINDS)


def lesion(seed: int, kind: AbnormalityKind, malignant: bool, deviation: float = 0.0) -> Lesion:
    return draw_lesion(np.random.default_rng(seed), PlannedAbnormality(kind, 1, malignant, deviation), D_PRIME, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_equal_latents_draw_equal_lesions_whatever_the_class(kind: AbnormalityKind, seed: int):
    """A malignant one and a benign one that fell on the same latents differ in the verdict and in nothing else."""
    malignant, benign = lesion(seed, kind, True, -0.9), lesion(seed, kind, False, 0.9)
    np.testing.assert_allclose(malignant.latents, benign.latents, atol=1e-12)
    assert replace(malignant.finding, pathology=Pathology.BENIGN) == replace(benign.finding, pathology=Pathology.BENIGN)
    for field in ("body", "ratio", "radius", "contrast", "depth"):
        assert getattr(malignant, field) == getattr(benign, field)
    drawn = [draw_patch(np.random.default_rng(1), item, (50.0, 50.0, 15.0)) for item in (malignant, benign)]
    np.testing.assert_allclose(drawn[0].added, drawn[1].added, atol=1e-6)
    np.testing.assert_array_equal(drawn[0].roi, drawn[1].roi)


@pytest.mark.parametrize("kind", KINDS)
def test_the_roi_does_not_depend_on_the_latents(kind: AbnormalityKind):
    calm, wild = lesion(0, kind, False, -2.0), lesion(0, kind, True, 2.0)
    patches = [draw_patch(np.random.default_rng(1), item, (60.0, 60.0, 20.0)) for item in (calm, wild)]
    assert np.abs(calm.latents - wild.latents).max() > 1
    np.testing.assert_array_equal(patches[0].roi, patches[1].roi)
    assert np.abs(patches[0].added - patches[1].added).max() > 0.02


def draw_table(kind: AbnormalityKind, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(columns one-hot, log-likelihood ratios, malignant, assessment)."""
    rng = np.random.default_rng(8)
    rows = [
        draw_lesion(rng, PlannedAbnormality(kind, 1, bool(rng.random() < 0.45), rng.standard_normal()), D_PRIME, 1)
        for _ in range(count)
    ]
    columns = []
    for name in ("assessment", "subtlety", "descriptor_1", "descriptor_2"):
        values = [getattr(row.finding, name) for row in rows]
        columns += [[value == level for value in values] for level in sorted(set(values))[1:]]
    columns += [[getattr(row, name) for row in rows] for name in ("radius", "contrast", "depth", "ratio")]
    columns.append([row.latents @ [1, -1] for row in rows])
    table = np.array(columns, float).T
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    ratios = log_likelihood_ratio(np.array([row.latents for row in rows]), D_PRIME)
    assessment = np.array([row.finding.assessment for row in rows])
    return table, ratios, np.array([row.planned.malignant for row in rows]), assessment


@pytest.mark.parametrize("kind", KINDS)
def test_no_column_tells_more_than_the_latents(kind: AbnormalityKind):
    table, ratios, malignant, _ = draw_table(kind, 4000)

    def fit(columns: np.ndarray) -> float:
        model = LogisticRegression(C=np.inf, max_iter=500).fit(columns, malignant)
        return 2 * len(malignant) * log_loss(malignant, model.predict_proba(columns))

    gain = fit(ratios[:, None]) - fit(np.column_stack([ratios, table]))
    assert chi2.sf(gain, table.shape[1]) > 0.01


@pytest.mark.parametrize(("kind", "low", "high"), [(KINDS[0], 0.78, 0.86), (KINDS[1], 0.69, 0.78)])
def test_the_reader_scores_about_as_in_the_real_set(kind: AbnormalityKind, low: float, high: float):
    _, ratios, malignant, assessment = draw_table(kind, 4000)
    reader = np.where(assessment == 0, 3.5, assessment)
    assert low < roc_auc_score(malignant, reader) < high < roc_auc_score(malignant, ratios)


@pytest.mark.parametrize(("kind", "share"), [(KINDS[0], 0.15), (KINDS[1], 0.45)])
def test_benign_without_callback_is_the_harmless_end_of_the_benign(kind: AbnormalityKind, share: float):
    rng = np.random.default_rng(2)
    rows = [
        draw_lesion(rng, PlannedAbnormality(kind, 1, False, rng.standard_normal()), D_PRIME, 1) for _ in range(3000)
    ]
    spared = np.array([row.finding.pathology is Pathology.BENIGN_WITHOUT_CALLBACK for row in rows])
    ratios = log_likelihood_ratio(np.array([row.latents for row in rows]), D_PRIME)
    assert spared.mean() == pytest.approx(share, abs=0.03)
    assert ratios[spared].mean() < ratios[~spared].mean() - 0.5


@pytest.mark.parametrize("view", list(View))
def test_lesions_lie_in_the_breast_off_the_muscle_and_apart(view: View):
    free = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        anatomy = draw_anatomy(rng, view, draw_build(rng, 2 / 3), (360, 240))
        taken: list[tuple[float, float, float]] = []
        for kind in KINDS:
            planned = PlannedAbnormality(kind, 1, False, 0.0)
            taken.append(place(rng, anatomy, draw_lesion(rng, planned, D_PRIME, 2), taken))
        for row, column, _ in taken:
            assert anatomy.inside[int(row), int(column)] == 1
            free += anatomy.pectoral[int(row), int(column)] < 0.2
        (row, column, radius), (other_row, other_column, other_radius) = taken
        assert max(abs(row - other_row), abs(column - other_column)) > radius + other_radius
    assert free >= 22
