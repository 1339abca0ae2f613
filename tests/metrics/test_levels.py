import numpy as np
import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.levels import applicable_levels, units_at
from mammoscope.metrics.reference import with_scores
from mammoscope.vocabulary import Level

# One patient with two breasts. The left CC film is there twice (two abnormalities), and once more as its Calc- twin.
ROWS = [
    ("P_00001", "left", "CC", "film_a", 0, 0.2),
    ("P_00001", "left", "CC", "film_a", 1, 0.6),
    ("P_00001", "left", "CC", "film_a", 0, 0.8),
    ("P_00001", "left", "MLO", "film_b", 0, 0.4),
    ("P_00001", "right", "CC", "film_c", 0, 0.3),
    ("P_00002", "left", "MLO", "film_d", 0, 0.1),
]


def by_key(predictions, level):
    units = units_at(predictions, level)
    return {
        key: (int(target), round(float(score), 12))
        for key, target, score in zip(units.keys, units.targets, units.scores, strict=True)
    }


def test_levels_run_from_fine_to_coarse():
    assert applicable_levels(Level.abnormality) == (Level.abnormality, Level.image, Level.breast, Level.patient)
    assert applicable_levels(Level.image) == (Level.image, Level.breast, Level.patient)
    assert applicable_levels(Level.patient) == (Level.patient,)


def test_an_abnormality_is_a_row(predictions_of):
    units = units_at(predictions_of(ROWS), Level.abnormality)
    assert units.keys.tolist() == [f"row_{number}" for number in range(6)]
    assert units.scores.tolist() == [0.2, 0.6, 0.8, 0.4, 0.3, 0.1]
    assert (len(units), units.positives, units.targets.dtype) == (6, 1, np.int8)


def test_an_image_is_malignant_if_any_row_is_and_scores_its_highest(predictions_of):
    assert by_key(predictions_of(ROWS), Level.image) == {
        "P_00001/left/CC/film_a": (1, 0.8),
        "P_00001/left/MLO/film_b": (0, 0.4),
        "P_00001/right/CC/film_c": (0, 0.3),
        "P_00002/left/MLO/film_d": (0, 0.1),
    }


def test_twins_of_one_film_merge_where_a_row_is_a_record_too(predictions_of):
    twins = [("P_00001", "left", "CC", "film_a", 0, 0.2), ("P_00001", "left", "CC", "film_a", 1, 0.7)]
    assert by_key(predictions_of(twins, finest=Level.image), Level.image) == {"P_00001/left/CC/film_a": (1, 0.7)}


def test_a_breast_is_the_mean_of_its_views_and_a_patient_the_higher_breast(predictions_of):
    assert by_key(predictions_of(ROWS), Level.breast) == {
        "P_00001/left": (1, 0.6),
        "P_00001/right": (0, 0.3),
        "P_00002/left": (0, 0.1),
    }
    assert by_key(predictions_of(ROWS), Level.patient) == {"P_00001": (1, 0.6), "P_00002": (0, 0.1)}


def test_every_unit_knows_its_patient(predictions_of):
    for level, patients in ((Level.image, 3 * ["P_00001"] + ["P_00002"]), (Level.patient, ["P_00001", "P_00002"])):
        assert units_at(predictions_of(ROWS), level).patients.tolist() == patients


def test_no_rows_are_no_units(predictions_of):
    assert [len(units_at(predictions_of([]), level)) for level in Level] == [0, 0, 0, 0]


def test_a_finer_level_than_the_rows_is_refused(predictions_of):
    with pytest.raises(MammoscopeError, match=r"level=abnormality: finer .* allowed are image, breast, patient"):
        units_at(predictions_of(ROWS, finest=Level.image), Level.abnormality)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_refused_by_name(predictions_of, score):
    rows = [*ROWS[:2], (*ROWS[2][:5], score)]
    with pytest.raises(MammoscopeError, match=r"row_2 is not finite \(1 of 3 rows of the validation partition\)"):
        units_at(predictions_of(rows), Level.breast)


def test_an_id_that_stands_twice_is_refused(predictions_of):
    predictions = predictions_of(ROWS)
    predictions.ids[4] = "row_1"
    with pytest.raises(MammoscopeError, match="id row_1 stands 2 times"):
        units_at(predictions, Level.image)


def test_another_scorer_is_asked_about_the_same_rows(predictions_of):
    predictions = predictions_of(ROWS)
    other = with_scores(predictions, {f"row_{number}": 10.0 - number for number in range(9)})
    assert other.scores.tolist() == [10.0, 9.0, 8.0, 7.0, 6.0, 5.0]
    assert other.targets is predictions.targets
    assert predictions.scores[0] == 0.2


def test_a_scorer_that_misses_a_row_is_refused(predictions_of):
    with pytest.raises(MammoscopeError, match=r"row_3 .* has no score \(3 of 6 are missing\)"):
        with_scores(predictions_of(ROWS), {f"row_{number}": 0.0 for number in range(3)})
