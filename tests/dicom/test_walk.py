"""Every element of a file, those within sequences too; and files that would have it go on for ever."""

import struct
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mammoscope.dicom.elements import MAX_VALUE_BYTES
from mammoscope.dicom.layout import open_dicom
from mammoscope.dicom.walk import MAX_DEPTH, path_of, walk
from mammoscope.errors import DicomError

from .written import written


def paths(file: Path) -> list[str]:
    with open_dicom(file) as layout:
        return [path_of(place, layout.dataset) for place in walk(layout.dataset, str(file))]


def code_of(file: Path) -> str:
    with pytest.raises(DicomError) as caught:
        paths(file)
    return caught.value.code


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_sequences_private_blocks_and_overlays_have_paths(tmp_path: Path, syntax: str):
    d, item, inner = Dataset(), Dataset(), Dataset()
    inner.CodeValue = "R-10242"
    item.ViewModifierCodeSequence = [Dataset(), inner]
    d.ViewCodeSequence = [item]
    d.PatientID = "P"
    d.private_block(0x0013, "CTP", create=True).add_new(0x10, "LO", "CBIS-DDSM")
    d.add_new(0x60020010, "US", 4)
    d.add_new(0x00091001, "LO", "of a block that nobody reserved")
    assert paths(written(tmp_path / "a.dcm", d, syntax)) == [
        "(0009,1001)",
        "PatientID",
        "(0013,0010)",
        "(0013,xx10)[CTP]",
        "ViewCodeSequence",
        "ViewCodeSequence[0].ViewModifierCodeSequence",
        "ViewCodeSequence[0].ViewModifierCodeSequence[1].CodeValue",
        "OverlayRows(6002)",
    ]


def nested(depth: int) -> bytes:
    """Sequences of defined length within each other."""
    value = b""
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value
        value = struct.pack("<HHL", 0x0008, 0x1140, len(item)) + item
    return value


def test_nesting_is_followed_so_far_and_no_further(tmp_path: Path):
    whole = written(tmp_path / "a.dcm", Dataset()).read_bytes()
    for depth, expected in ((MAX_DEPTH, MAX_DEPTH), (MAX_DEPTH + 1, "E-NESTED"), (1000, "E-NESTED")):
        file = tmp_path / f"{depth}.dcm"
        file.write_bytes(whole + nested(depth))
        assert (code_of(file) if isinstance(expected, str) else len(paths(file))) == expected


def test_an_element_that_reaches_beyond_its_item_is_said(tmp_path: Path):
    d, item = Dataset(), Dataset()
    item.CodeValue = "ABCD"
    d.ViewCodeSequence = [item]
    file = written(tmp_path / "a.dcm", d)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"\x04\x00\x00\x00ABCD", b"\x40\x00\x00\x00ABCD"))
    assert code_of(file) == "E-TRUNCATED"


def test_a_value_that_was_left_in_the_file_is_passed_and_a_sequence_refused(tmp_path: Path):
    d = Dataset()
    d.PatientID = "P"
    file = written(tmp_path / "a.dcm", d)
    whole, value = file.read_bytes(), bytes(MAX_VALUE_BYTES + 2)
    file.write_bytes(whole + struct.pack("<HHL", 0x0042, 0x0011, len(value)) + value)
    assert paths(file) == ["PatientID", "EncapsulatedDocument"]
    file.write_bytes(whole + struct.pack("<HHL", 0x0040, 0xA730, len(value)) + value)
    assert code_of(file) == "E-TOO-LARGE"


def test_a_sequence_that_nobody_knew_is_walked_however_long_it_is(tmp_path: Path):
    """pydicom leaves UN of more than 64 kB as bytes; names and dates may be in it."""
    d, item = Dataset(), Dataset()
    item.PatientName, item.TextValue = "Doe", "x" * 70_000
    d.ContentSequence = [item]
    file = written(tmp_path / "a.dcm", d, ExplicitVRLittleEndian)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"\x40\x00\x30\xa7SQ", b"\x40\x00\x30\xa7UN"))
    assert paths(file) == ["ContentSequence", "ContentSequence[0].PatientName", "ContentSequence[0].TextValue"]
