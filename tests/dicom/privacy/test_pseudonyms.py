"""What stands in place of UIDs, dates and names."""

import re
import uuid

import pytest
from pydicom.uid import UID

from mammoscope.dicom.privacy.pseudonyms import MAX_SHIFT_DAYS, DicomPseudonyms, is_keyed_uid, is_pseudonym, shifted

ONE, OTHER = DicomPseudonyms(b"1" * 32), DicomPseudonyms(b"2" * 32)


def test_uids_are_uuids_of_the_key():
    uids = {key.uid(uid) for key in (ONE, OTHER) for uid in ("1.2.3.4", "1.2.3.5")}
    assert len(uids) == 4
    for uid in uids:
        assert UID(uid).is_valid
        assert is_keyed_uid(uid)
        assert uuid.UUID(int=int(uid.removeprefix("2.25."))).version == 8
    assert ONE.uid("1.2.3.4") == DicomPseudonyms(b"1" * 32).uid("1.2.3.4")
    assert ONE.uid("1.2.840.10008.1.2.1") == "1.2.840.10008.1.2.1"  # the standard's own
    assert not any(map(is_keyed_uid, ("1.2.3", "2.25.1", "2.25.x", f"2.25.{uuid.UUID(int=5, version=4).int}", "")))


def test_days_are_the_patients_and_the_keys():
    drawn = [key.days(f"P{n}") for key in (ONE, OTHER) for n in range(500)]
    assert len(set(drawn)) > 800
    assert -MAX_SHIFT_DAYS <= min(drawn) < -3000
    assert -300 < max(drawn) <= -1
    assert ONE.days("P1") == ONE.days("P1")


def test_the_key_is_in_nothing_that_is_shown():
    assert "1111" not in repr(ONE)
    assert is_pseudonym(ONE.patient("Ann"))
    assert not re.search("31" * 6, ONE.patient("Ann"))


@pytest.mark.parametrize(
    ("value", "vr", "days", "expected"),
    [
        (b"20200301", "DA", -1, b"20200229"),
        (b"20200301\\20200302 ", "DA", -1, b"20200229\\20200301"),
        (b"2020.03.01", "DA", -1, b"20200229"),
        (b"", "DA", -1, b""),
        (b"202003", "DA", -1, None),
        (b"20200231", "DA", -1, None),
        (b"ANN", "DA", -1, None),
        (b"20200301ANN", "DA", -1, None),
        (b"00010101", "DA", -1, None),
        (b"20200301120000.123456+0100", "DT", -366, b"20190301120000.123456"),
        (b"20200301", "DT", -366, b"20190301"),
        (b"2020", "DT", -1, None),
        (b"20200301ANN", "DT", -1, None),
        (b"235959.5", "TM", -9, b"235959.5"),
        (b"23:59", "TM", -9, b"23:59"),
        (b"ANN", "TM", -9, None),
        (b"20200301\\ANN", "DA", -1, None),
    ],
)
def test_dates_move_by_whole_days(value: bytes, vr: str, days: int, expected: bytes | None):
    assert shifted(value, vr, days) == expected
