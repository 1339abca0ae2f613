"""Our table of the standard's actions, held against a well-kept package's, and what is done with it."""

import dicomanonymizer.dicom_anonymization_databases.dicomfields_2026c as theirs
import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

from mammoscope.dicom.iod import iod_of
from mammoscope.dicom.privacy.judging import is_valid
from mammoscope.dicom.privacy.profile import (
    TEMPORAL,
    Action,
    Options,
    Rule,
    _rows,
    action_of,
    dummy_of,
    kept,
    rule_of,
    vrs_of,
)

BASIC = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
# Of curves and overlays theirs has a mask: group 50xx, and two elements of 60xx. We remove all of both groups: the
# standard leaves an overlay's label and description, which are free text, and its geometry, which is then of nothing.
REPEATING = {(0x5000, 0x0000): 0x50003000, (0x6000, 0x4000): 0x60004000, (0x6000, 0x3000): 0x60003000}


def their_actions() -> dict[int, str]:
    found = {}
    for name, basic in BASIC.items():
        for tag in getattr(theirs, name):
            found[REPEATING[tag[:2]] if len(tag) == 4 else tag[0] << 16 | tag[1]] = basic
    return found


def test_the_basic_actions_are_those_of_a_well_kept_package():
    actions = their_actions()
    assert len(actions) == 655
    assert {t: b for t, b in actions.items() if (rule := rule_of(t)) is None or rule.basic != b} == {}
    assert {row["tag"] for row in _rows("profile.csv")} - {f"{t:08x}" for t in actions} == {
        "50xxxxxx",
        "60xx3000",
        "60xx4000",
    }


def test_the_tables_agree_with_the_dictionary():
    for row in _rows("profile.csv"):
        if "x" not in row["tag"] and dictionary_has_tag(int(row["tag"], 16)):
            assert row["keyword"] == keyword_for_tag(int(row["tag"], 16))
            assert row["device"] in ("", "K", "C")
    for row in _rows("keep.csv"):
        assert row["keyword"] == keyword_for_tag(int(row["tag"], 16))


def test_what_may_stay_is_not_listed_by_the_profile_and_holds_no_text_but_named_products_and_codes():
    numbers = {"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "DS", "IS", "CS", "SQ", "OW", "OV", "UI"}
    for tag, text in kept().items():
        assert rule_of(tag) is None
        assert (set(vrs_of(tag)) & numbers) or text, keyword_for_tag(tag)
        assert not {"PN", "DA", "DT", "TM", "AS", "LT", "ST", "UT", "UR", "UN"} & set(vrs_of(tag))


def test_dates_are_shifted_where_the_standard_has_them_and_the_birth_date_is_not():
    rows = {row["tag"]: row for row in _rows("profile.csv") if "x" not in row["tag"]}
    temporal = {tag for tag in rows if dictionary_has_tag(int(tag, 16)) and dictionary_VR(int(tag, 16)) in TEMPORAL}
    # birth date and time belong to the patient's characteristics, which is another option
    assert {tag for tag in temporal if not rows[tag]["dates"]} == {"00100030", "00100032"}
    shifts = Options(shifts_dates=True)
    study_date, birth_date = rule_of(0x00080020), rule_of(0x00100030)
    assert study_date
    assert birth_date
    assert action_of(study_date, "DA", "2", shifts) is Action.shift
    assert action_of(study_date, "DA", "2", Options()) is Action.empty
    assert action_of(birth_date, "DA", "2", shifts) is Action.empty
    last_calibrated = rule_of(0x00181200)
    assert last_calibrated
    assert action_of(last_calibrated, "DA", "3", Options(retains_device=True)) is Action.remove


@pytest.mark.parametrize(
    ("basic", "kind", "expected"),
    [
        ("X", "1", "X"),
        ("Z", "1", "Z"),
        ("D", "3", "D"),
        ("Z/D", "1", "D"),
        ("Z/D", "2", "Z"),
        ("Z/D", "1C", "D"),
        ("X/Z", "2", "Z"),
        ("X/Z", "3", "X"),
        ("X/Z", None, "X"),
        ("X/D", "1", "D"),
        ("X/D", "3", "X"),
        ("X/D", "2", "D"),
        ("X/Z/D", "1", "D"),
        ("X/Z/D", "2C", "Z"),
        ("X/Z/D", "3", "X"),
        ("X/Z/U*", "3", "U"),
        ("U", None, "U"),
    ],
)
def test_a_choice_is_made_by_the_type(basic: str, kind: str | None, expected: str):
    assert action_of(Rule(basic, "", ""), "LO", kind, Options()) == expected


def test_every_dummy_is_valid_for_its_vr():
    for vr in ("CS", "DS", "IS", "AS", "LO", "SH", "US", "UL", "SS", "SL", "FL", "FD", "AT", "UV", "SV", "OW", "OV"):
        assert is_valid(vr, dummy_of(vr)), vr
        assert dummy_of(vr)


def test_the_pictures_that_are_known_have_an_iod():
    for sop_class in ("1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.13.1.3"):
        assert iod_of(sop_class) is not None
