"""R CC, L CC above R MLO, L MLO; by person, then by date; and what brings a picture into its place."""

from pathlib import Path

import pytest

from mammoscope.collection.hanging import Hung, hang, turn_by_orientation, turn_by_tissue
from mammoscope.collection.picture_ids import names_part, patient_of
from mammoscope.dicom.headers.cards import Card


def card(laterality: str = "R", view: str = "CC", *, orientation: tuple[str, ...] = (), **said: str) -> Card:
    facts = {
        "sop_class": "",
        "sop_uid": "",
        "series_uid": "1",
        "study_uid": "1",
        "patient_id": "P",
        "modality": "MG",
        "study_date": "20240131",
        "study_time": "",
        "series_description": "",
        "instance_number": "",
        "rows": "2",
        "columns": "2",
        **said,
    }
    return Card(laterality=laterality, view=view, orientation=orientation, has_pixels=True, **facts)


def hung(name: str, *words: str, **said: str) -> Hung:
    return Hung(Path(name), card(*words, **said))


def places(pictures: list[Hung]) -> list[list[tuple[str, str | None, str | None]]]:
    """Of each panel its rows: view, what hangs on the left, what on the right."""
    return [
        [(row.view, row.right and row.right.path.name, row.left and row.left.path.name) for row in panel.rows]
        for panel in hang(pictures)
    ]


def test_a_study_of_four_views_hangs_right_breast_on_the_left():
    pictures = [hung("a", "L", "MLO"), hung("b", "R", "MLO"), hung("c", "L", "CC"), hung("d", "R", "CC")]
    assert places(pictures) == [[("CC", "d", "c"), ("MLO", "b", "a")]]


def test_what_is_missing_leaves_its_place_empty_and_a_row_of_nothing_is_none():
    assert places([hung("a", "L", "MLO")]) == [[("MLO", None, "a")]]


def test_second_pictures_further_views_and_those_without_a_place_come_after():
    pictures = [
        hung("cc1", "R", "CC", instance_number="1"),
        hung("cc2", "R", "CC", instance_number="2"),
        hung("mlo", "L", "MLO"),
        hung("ml", "L", "ML"),
        hung("x", "", "CC"),
        hung("y", "B", "MLO"),
        hung("z", "L", ""),
    ]
    assert places(pictures) == [
        [("CC", "cc1", None), ("MLO", None, "mlo")],
        [("CC", "cc2", None), ("ML", None, "ml")],
        [("", "x", "y"), ("", "z", None)],
    ]
    assert [panel.is_continued for panel in hang(pictures)] == [False, True, True]


def test_studies_hang_by_person_then_by_date_then_by_time():
    pictures = [
        hung("later", study_date="20240201", study_uid="2"),
        hung("noon", study_time="120000", study_uid="3"),
        hung("morning", study_time="080000", study_uid="4"),
        hung("other", patient_id="A", study_date="20300101"),
    ]
    assert [panel.pictures[0].path.name for panel in hang(pictures)] == ["other", "morning", "noon", "later"]


def test_the_films_of_a_cbis_ddsm_patient_hang_together_though_each_is_a_study():
    right = hung("r", "R", patient_id="Mass-Training_P_00001_RIGHT_CC", study_uid="1", study_date="20160101")
    left = hung("l", "L", patient_id="Calc-Test_P_00001_LEFT_CC", study_uid="2", study_date="20170101")
    assert places([left, right]) == [[("CC", "r", "l")]]
    (panel,) = hang([left, right])
    assert (panel.person, panel.study_dates) == ("P_00001", ("20160101", "20170101"))
    assert patient_of("Mass-Training_X") == "Mass-Training_X"
    assert names_part("Mass-Training_P_00001_RIGHT_CC_1")
    assert not names_part(right.card.patient_id)
    assert not names_part("P_1")


@pytest.mark.parametrize(
    ("laterality", "view", "orientation", "mirrored", "upended"),
    [
        ("R", "CC", ("P", "L"), False, False),
        ("L", "CC", ("A", "R"), False, False),
        ("R", "MLO", ("P", "F"), False, False),
        ("L", "MLO", ("A", "FR"), False, False),
        ("R", "CC", ("A", "L"), True, False),
        ("L", "MLO", ("P", "F"), True, False),
        ("R", "MLO", ("A", "H"), True, True),
        ("R", "CC", ("A", "R"), True, True),
        ("L", "CC", ("A", "L"), False, True),
        ("L", "MLO", ("AF", "HR"), False, True),
    ],
)
def test_orientation_brings_chest_walls_to_the_middle(laterality, view, orientation, mirrored, upended):
    turn = turn_by_orientation(card(laterality, view, orientation=orientation))
    assert turn is not None
    assert (turn.mirrored, turn.upended) == (mirrored, upended)
    assert bool(turn.words) == (mirrored or upended)  # never silently
    if turn.words:
        assert "\\".join(orientation) in turn.words


@pytest.mark.parametrize("orientation", [(), ("MLO",), ("L", "P"), ("x", "y"), ("L", "F")])
def test_where_orientation_says_nothing_of_the_chest_wall_there_is_no_turn(orientation):
    assert turn_by_orientation(card("R", "MLO", orientation=orientation)) is None
    assert turn_by_orientation(card("", "MLO", orientation=("P", "F"))) is None


def test_tissue_brings_chest_walls_to_the_middle():
    found = {(side, on_left): turn_by_tissue(side, on_left).mirrored for side in "RL" for on_left in (True, False)}
    assert found == {("R", True): True, ("R", False): False, ("L", True): False, ("L", False): True}
    assert turn_by_tissue("R", True).words == "mirrored (by its tissue)"
