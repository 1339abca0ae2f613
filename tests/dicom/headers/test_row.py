"""One file as a row: every element with its path, whatever nests it, and pydicom's values as the oracle."""

import datetime
import json
import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mammoscope.dicom.headers.row import MAX_CELLS, MAX_ITEMS, Row, RowReader
from mammoscope.dicom.headers.selection import Selection
from mammoscope.errors import MammoscopeError

from ..written import written

ALL = Selection()
SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)


def row_of(d: Dataset, folder: Path, syntax: str = ExplicitVRLittleEndian, selection: Selection = ALL) -> Row:
    return RowReader(selection).read(written(folder / "a.dcm", d, syntax))


def values(row: Row) -> dict[str, object]:
    return {element.name: value.typed for element, value in row.cells if not element.tag.startswith("(0002")}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_elements_sequences_private_blocks_and_overlays(tmp_path: Path, syntax: str):
    d, item, inner = Dataset(), Dataset(), Dataset()
    inner.CodeValue = "R-10242"
    item.ViewModifierCodeSequence = [Dataset(), inner]
    d.ViewCodeSequence = [item]
    d.StudyDate, d.PatientName, d.PatientWeight, d.Rows = "20240229", "Doe^Jane", "70.5", 12
    d.PixelSpacing, d.ReferencedSOPSequence = ["0.07", "0.07"], []
    d.FrameIncrementPointer = 0x00181063
    d.private_block(0x0013, "CTP", create=True).add_new(0x10, "UN", b"CBIS-DDSM ")
    d.add_new(0x60020010, "US", 4)
    row = row_of(d, tmp_path, syntax)
    assert values(row) == {
        "StudyDate": datetime.date(2024, 2, 29),
        "PatientName": "Doe^Jane",
        "PatientWeight": 70.5,
        "(0013,0010)": "CTP",
        "(0013,xx10)[CTP]": "CBIS-DDSM",
        "FrameIncrementPointer": "(0018,1063)",
        "Rows": 12,
        "PixelSpacing": [0.07, 0.07],
        "ViewCodeSequence[0].ViewModifierCodeSequence[1].CodeValue": "R-10242",
        "OverlayRows(6002)": 4,
    }
    assert row.empty == ("ReferencedSOPSequence", "ViewCodeSequence[0].ViewModifierCodeSequence[0]")
    told = {element.name: (element.tag, element.vr) for element, _ in row.cells}
    assert told["ViewCodeSequence[0].ViewModifierCodeSequence[1].CodeValue"] == (
        "(0054,0220)[0].(0054,0222)[1].(0008,0100)",
        "SH",
    )
    assert told["TransferSyntaxUID"] == ("(0002,0010)", "UI")
    assert told["(0013,xx10)[CTP]"] == ("(0013,xx10)", "LO")
    assert row.facts["StudyDate"] == "2024-02-29"
    assert row.facts["PixelSpacing"] == "0.07\\0.07"


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("sign", [0, 1])
def test_words_that_may_be_signed_are_read_by_the_files_pixel_representation(tmp_path: Path, syntax: str, sign: int):
    d, item = Dataset(), Dataset()
    d.PixelRepresentation = sign
    d.BitsAllocated = 16
    d.add_new("SmallestImagePixelValue", "SS" if sign else "US", -5 if sign else 65531)
    item.ReferencedSOPInstanceUID = "1.2"
    d.ReferencedImageSequence = [item]  # pydicom converts PixelRepresentation when it reads a sequence
    found = values(row_of(d, tmp_path, syntax))
    assert found["SmallestImagePixelValue"] == (-5 if sign else 65531)
    assert found["PixelRepresentation"] == sign


def test_unknown_representation_is_looked_up_in_the_dictionaries(tmp_path: Path):
    d = Dataset()
    d.add_new(0x00100020, "UN", b"P1")  # PatientID
    d.add_new(0x00290010, "LO", "SIEMENS CSA HEADER")
    d.add_new(0x00291008, "UN", b"IMAGE NUM 4 ")
    d.add_new(0x00091001, "UN", b"nobody's")
    row = row_of(d, tmp_path)
    assert {e.name: (e.vr, v.typed) for e, v in row.cells if e.tag[:5] != "(0002"} == {
        "(0009,1001)": ("UN", b"nobody's"),
        "PatientID": ("LO", "P1"),
        "(0029,0010)": ("LO", "SIEMENS CSA HEADER"),
        "(0029,xx08)[SIEMENS CSA HEADER]": ("CS", "IMAGE NUM 4"),
    }


def test_items_have_a_character_set_of_their_own(tmp_path: Path):
    d, item = Dataset(), Dataset()
    d.SpecificCharacterSet, d.PatientName = "ISO_IR 100", "J\xe9r\xf4me"
    item.SpecificCharacterSet, item.PatientName = "ISO_IR 192", "王^小东"
    d.ReferencedPatientSequence = [item, Dataset()]
    d.ReferencedPatientSequence[1].PatientName = "\xe9"
    found = values(row_of(d, tmp_path))
    assert found["PatientName"] == "Jérôme"
    assert found["ReferencedPatientSequence[0].PatientName"] == "王^小东"
    assert found["ReferencedPatientSequence[1].PatientName"] == "é"  # by the file's


def test_items_beyond_those_that_get_columns_are_kept_as_json(tmp_path: Path):
    d = Dataset()
    d.ReferencedImageSequence = [Dataset() for _ in range(MAX_ITEMS + 2)]
    for number, item in enumerate(d.ReferencedImageSequence):
        item.InstanceNumber = number
    row = row_of(d, tmp_path)
    assert len(values(row)) == MAX_ITEMS
    assert row.more is not None
    assert json.loads(row.more) == {
        f"ReferencedImageSequence[{k}].InstanceNumber": k for k in (MAX_ITEMS, MAX_ITEMS + 1)
    }


def test_a_file_cannot_make_more_columns_than_are_allowed(tmp_path: Path):
    d = Dataset()
    for element in range(MAX_CELLS):
        d.add_new(0x00090000 | element + 0x1000, "US", 1)
    row = row_of(d, tmp_path)
    assert len(row.cells) == MAX_CELLS
    meta = len(row.cells) - len(values(row))
    assert row.more is not None
    assert len(json.loads(row.more)) == meta


def test_what_is_behind_the_pixels_belongs_to_the_row_and_the_pixels_do_not(tmp_path: Path):
    d = Dataset()
    d.PatientID = "P"
    d.add_new(0x7FE00010, "OW", b"\1\2" * 50)
    d.DataSetTrailingPadding = b"\0" * 8
    row = row_of(d, tmp_path)
    assert set(values(row)) == {"PatientID", "DataSetTrailingPadding"}
    assert row.pixel_bytes == 100


def test_a_file_whose_pixels_are_cut_or_whose_items_lie_has_a_row_that_says_so(tmp_path: Path):
    d, item = Dataset(), Dataset()
    item.CodeValue = "ABCD"
    d.PatientID, d.ViewCodeSequence = "P", [item]
    whole = written(tmp_path / "a.dcm", d, ImplicitVRLittleEndian).read_bytes()
    lies, cut = tmp_path / "lies.dcm", tmp_path / "cut.dcm"
    lies.write_bytes(whole.replace(b"\x04\x00\x00\x00ABCD", b"\x40\x00\x00\x00ABCD"))
    cut.write_bytes(whole + struct.pack("<HHL", 0x7FE0, 0x0010, 1000) + b"12")
    for file in (lies, cut):
        row = RowReader().read(file)
        assert row.error is not None
        assert row.error.code == "E-TRUNCATED"
        assert values(row)["PatientID"] == "P"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_values_are_those_of_pydicom(tmp_path: Path, syntax: str):
    """Of every file that pydicom brings, in small: one dataset with an element of each VR."""
    d = Dataset()
    for tag, vr, value in (
        (0x00080054, "AE", "STATION"),
        (0x00101010, "AS", "045Y"),
        (0x00280009, "AT", 0x00181063),
        (0x00080008, "CS", ["ORIGINAL", "PRIMARY"]),
        (0x00180050, "DS", "1.5"),
        (0x00189073, "FD", 1.25),
        (0x00089459, "FL", 0.5),
        (0x00200013, "IS", "7"),
        (0x00081030, "LO", "study"),
        (0x00104000, "LT", "comments"),
        (0x00100010, "PN", "Doe^Jane"),
        (0x00080050, "SH", "A1"),
        (0x00186020, "SL", -7),
        (0x00189219, "SS", -3),
        (0x00080081, "ST", "street"),
        (0x00082111, "ST", "derived"),
        (0x00080118, "UI", "1.2.3"),
        (0x00080040, "US", 3),
        (0x00081196, "US", 4),
        (0x00181600, "CS", "RECTANGULAR"),
        (0x00280121, "US", 9),
        (0x00400440, "SQ", []),
        (0x00409210, "SH", "label"),
        (0x00420010, "ST", "title"),
        (0x00660040, "OL", b"\1\0\0\0"),
        (0x00720065, "OB", b"\1\2"),
        (0x7FE00001, "OV", b"\1\0\0\0\0\0\0\0"),
    ):
        d.add_new(tag, vr, value)
    row = row_of(d, tmp_path, syntax)
    read = pydicom.dcmread(tmp_path / "a.dcm")
    for element, value in row.cells:
        tag = int(element.tag[1:5] + element.tag[6:10], 16)
        peer = (read.file_meta if tag >> 16 == 2 else read)[tag]
        if element.vr in ("AT", "OL", "OV"):
            continue  # written in words; turned round: tests of values
        assert element.vr == peer.VR
        assert (list(peer.value) if peer.VM > 1 else peer.value) == value.typed, element.name


@pytest.mark.parametrize(
    ("keywords", "exclude", "expected"),
    [
        (("PatientID", "StudyDate"), (), {"PatientID", "StudyDate"}),
        (("(0010,*",), ("00100020",), {"PatientName"}),
        (("ViewCodeSequence",), (), {"ViewCodeSequence[0].CodeValue", "ViewCodeSequence[0].CodeMeaning"}),
        (("CodeValue",), (), {"ViewCodeSequence[0].CodeValue"}),
        (
            (),
            ("Patient*", "(0013,xx10)", "ViewCodeSequence[0].CodeM*"),
            {"StudyDate", "(0013,0010)", "ViewCodeSequence[0].CodeValue"},
        ),
    ],
)
def test_a_selection(tmp_path: Path, keywords: tuple[str, ...], exclude: tuple[str, ...], expected: set[str]):
    d, item = Dataset(), Dataset()
    item.CodeValue, item.CodeMeaning = "R", "view"
    d.PatientID, d.PatientName, d.StudyDate, d.ViewCodeSequence = "P", "N", "20240101", [item]
    d.private_block(0x0013, "CTP", create=True).add_new(0x10, "LO", "x")
    row = row_of(d, tmp_path, selection=Selection(keywords, exclude))
    assert set(values(row)) == expected
    assert row.facts["PatientID"] == "P"  # what rows are sorted by is read, whatever was asked for


def test_a_keyword_that_the_standard_lacks_is_refused_and_the_nearest_one_named():
    with pytest.raises(MammoscopeError, match=r"--keywords PatintID.*PatientID"):
        Selection(("PatintID",))
    with pytest.raises(MammoscopeError, match="--exclude xyz"):
        Selection((), ("xyz",))
