"""One file, and every way in which it can depart from the standard: each code, and no other beside it."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import DicomDictionary, RepeatersDictionary
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from mammoscope.dicom.conformance.value_checks import allows
from mammoscope.dicom.conformance.verify import Finding, verify_file

UID_1, UID_2 = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
SECONDARY_CAPTURE, SEGMENTATION = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.66.4"

Change = Callable[[Dataset], object]


def film(syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """A Secondary Capture that has all that it must have, and no more."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = SECONDARY_CAPTURE
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = UID_1
    d.StudyInstanceUID = d.SeriesInstanceUID = UID_2
    d.Modality, d.ConversionType, d.Laterality = "MG", "WSD", "L"
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"):
        setattr(d, keyword, "")
    d.AccessionNumber = d.ReferringPhysicianName = ""
    d.SeriesNumber = d.InstanceNumber = 1
    d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", 4, 6
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.PixelData = np.arange(24, dtype="<u2").tobytes()
    d["PixelData"].VR = "OW"
    return d


def as_bytes(d: Dataset) -> bytes:
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, d, enforce_file_format=True)
    return buffer.getvalue()


def verdict(folder: Path, content: Dataset | bytes) -> tuple[Finding, ...]:
    path = folder / "1-1.dcm"
    path.write_bytes(content if isinstance(content, bytes) else as_bytes(content))
    return verify_file(path)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_nothing_is_wrong_with_what_is_right(tmp_path: Path, syntax: str):
    assert verdict(tmp_path, film(syntax)) == ()


def put(tag: int, vr: str, value: object) -> Change:
    """Whether the value representation allows the value or not."""

    def change(d: Dataset) -> None:
        with pydicom.config.disable_value_validation():
            d.add_new(tag, vr, value)

    return change


def item(**values: object) -> Dataset:
    d = Dataset()
    for keyword, value in values.items():
        setattr(d, keyword, value)
    return d


def code(**values: object) -> Dataset:
    return item(**{"CodeValue": "R-1", "CodingSchemeDesignator": "SRT", "CodeMeaning": "one", **values})


@pytest.mark.parametrize(
    ("change", "expected", "about"),
    [
        (lambda d: delattr(d, "SOPClassUID"), "W-MISSING", "SOPClassUID is absent"),
        (lambda d: setattr(d, "SOPClassUID", "1.2.3"), "W-SOP-CLASS", "1.2.3"),
        (lambda d: delattr(d, "ConversionType"), "W-MISSING", "ConversionType is absent (type 1 of sc-equipment)"),
        (lambda d: delattr(d, "PatientID"), "W-MISSING", "PatientID is absent (type 2 of patient)"),
        (lambda d: setattr(d, "WindowCenter", 1), "W-MISSING", "WindowWidth is absent (type 1C"),
        (lambda d: setattr(d, "PatientIdentityRemoved", "YES"), "W-MISSING", "DeidentificationMethod is absent"),
        (lambda d: setattr(d, "Modality", ""), "W-EMPTY", "Modality is empty (type 1"),
        (lambda d: setattr(d, "AnatomicRegionSequence", []), "", ""),  # type 3: may be empty
        (lambda d: setattr(d, "AnatomicRegionSequence", [code(CodeMeaning="")]), "W-EMPTY", "Sequence[0].CodeMeaning"),
        (lambda d: setattr(d, "PatientOrientation", "MLO"), "W-VM", "has 1 value; the standard wants 2"),
        (lambda d: setattr(d, "PixelSpacing", [1, 1, 1]), "W-VM", "has 3 values; the standard wants 2"),
        (lambda d: setattr(d, "PixelSpacing", [1, 1]), "", ""),
        (put(0x00180015, "LO", "BREAST"), "W-VR", "BodyPartExamined is LO; the standard has CS"),
        (put(0x00180015, "CS", "breast"), "W-VALUE", "BodyPartExamined has not the form of CS ('breast')"),
        (put(0x00080020, "DA", "20230230"), "W-VALUE", "StudyDate has not the form of DA"),
        (put(0x00080020, "DA", "20230201-"), "W-VALUE", "StudyDate has not the form of DA"),
        (put(0x00080030, "TM", "25"), "W-VALUE", "StudyTime has not the form of TM"),
        (put(0x00200013, "IS", "99999999999"), "W-VALUE", "InstanceNumber has not the form of IS"),
        (put(0x00200010, "SH", "seventeen letters"), "W-VALUE", "StudyID has 17 characters; SH allows 16"),
        (put(0x00081030, "LO", "two\nlines"), "W-VALUE", "control character"),
        (put(0x0020000D, "UI", "1.02.3"), "W-UID", "StudyInstanceUID has not the form of UI"),
        (put(0x0020000D, "UI", "1." * 32 + "1"), "W-UID", "65 characters"),
        (put(0x00100010, "PN", b"M\xfcller^A "), "W-CHARSET", "PatientName holds more than ASCII"),
        (put(0x00080001, "UL", 1), "", ""),  # retired, and was an element
        (put(0x00080002, "UL", 1), "W-TAG", "(0008,0002)"),
        (put(0x00131010, "LO", "CBIS"), "W-PRIVATE", "nobody has reserved"),
        (put(0x00130001, "LO", "CBIS"), "W-PRIVATE", "no private element may be"),
    ],
)
def test_departures(tmp_path: Path, change: Change, expected: str, about: str):
    d = film()
    change(d)
    found = verdict(tmp_path, d)
    assert sorted(f.code for f in found) == sorted(expected.split())
    assert not expected or any(about in f.reason for f in found)


def test_values_are_read_in_the_characters_that_the_file_names(tmp_path: Path):
    d = film()
    d.SpecificCharacterSet, d.PatientName = "ISO_IR 192", "Müller^Ä"
    assert verdict(tmp_path, d) == ()
    raw = as_bytes(d)
    for wrong in (raw.replace("Müller".encode(), b"M\xfc\xfcller"), raw.replace(b"ISO_IR 192", b"ISO_IR 999")):
        assert {f.code for f in verdict(tmp_path, wrong)} == {"W-CHARSET"}


def test_an_item_takes_the_characters_of_what_it_lies_in(tmp_path: Path):
    d = film()
    d.SpecificCharacterSet = "ISO_IR 100"
    d.AnatomicRegionSequence = [code(CodeMeaning="Brüste")]
    assert verdict(tmp_path, d) == ()
    del d.SpecificCharacterSet
    d.AnatomicRegionSequence[0].SpecificCharacterSet = "ISO_IR 100"
    assert verdict(tmp_path, d) == ()


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def test_order_duplicates_and_odd_lengths(tmp_path: Path):
    whole = as_bytes(film())
    side, number = element(0x00200060, b"CS", b"L "), element(0x00200013, b"IS", b"1 ")
    assert whole.count(side) == whole.count(number) == 1
    swapped = whole.replace(number, b"").replace(side, side + number)
    assert [(f.code, "InstanceNumber comes behind Laterality" in f.reason) for f in verdict(tmp_path, swapped)] == [
        ("W-ORDER", True)
    ]
    assert [f.code for f in verdict(tmp_path, whole.replace(side, side + side))] == ["W-DUPLICATE"]
    assert [f.code for f in verdict(tmp_path, whole.replace(side, element(0x00200060, b"CS", b"L")))] == ["W-LENGTH"]


def test_file_meta_against_itself_and_the_data_set(tmp_path: Path):
    d = film()
    whole = as_bytes(d)
    assert [f.reason for f in verdict(tmp_path, whole.replace(UID_1.encode(), UID_2.encode(), 1))] == [
        "MediaStorageSOPInstanceUID is not SOPInstanceUID of the data set"
    ]
    length = int.from_bytes(whole[140:144], "little")
    wrong = whole[:140] + struct.pack("<L", length + 2) + whole[144:]
    assert [f.code for f in verdict(tmp_path, wrong)] == ["W-META"]


def test_faults_that_frames_share_are_one(tmp_path: Path):
    d = film()
    d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = SEGMENTATION
    groups = [item(FrameContentSequence=[item(DimensionIndexValues=1)], FrameVOILUTSequence=[Dataset()]) for _ in "123"]
    for group in groups:
        group.DerivationImageSequence = [item(DerivationCodeSequence=[code(CodeMeaning="")])]
    d.NumberOfFrames, d.PerFrameFunctionalGroupsSequence = 2, groups
    found = {f.reason: f.times for f in verdict(tmp_path, d) if f.code in ("W-EMPTY", "W-FRAMES")}
    first = "PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].DerivationCodeSequence[0].CodeMeaning"
    assert found == {
        f"{first} is empty (type 1 of segmentation-multi-frame-functional-groups)": 3,
        "PerFrameFunctionalGroupsSequence has 3 items; allowed for 2 frames: 2": 1,
    }


def test_errors(tmp_path: Path):
    whole = as_bytes(film())
    without = film()
    del without.PixelData
    syntax = str(ExplicitVRLittleEndian).encode() + b"\0"
    other = syntax.replace(b".1\0", b".9\0")
    trailing = whole + element(0xFFFCFFFC, b"OB", b"\0\0\x40\0\0\0")
    for content, expected in (
        (b"GIF89a", ["E-NOT-DICOM"]),
        (whole[:-2], ["E-TRUNCATED"]),
        (trailing, ["E-TRUNCATED"]),  # said, and the pixels are looked at all the same
        (as_bytes(without), ["E-NO-PIXELS"]),
        (whole.replace(syntax, other), ["E-SYNTAX"]),
        (whole.replace(syntax, str(ImplicitVRLittleEndian).encode() + b"\0\0\0"), ["E-SYNTAX"]),
        (whole.replace(b"OW\0\0\x30\0\0\0", b"OW\0\0\x2e\0\0\0"), ["E-TRUNCATED"]),
    ):
        found = verdict(tmp_path, content)
        assert [f.code for f in found if f.is_error] == expected, found
    d = film(JPEGBaseline8Bit)
    d.PixelData = pydicom.encaps.encapsulate([b"no JPEG"])
    assert [f.code for f in verdict(tmp_path, d)] == ["E-UNDECODABLE"]
    assert [f.code for f in verify_file(tmp_path / "absent.dcm")] == ["E-UNREADABLE"]


def test_errors_come_first(tmp_path: Path):
    d = film()
    d.PatientOrientation = "MLO"
    assert [f.code for f in verdict(tmp_path, as_bytes(d)[:-2])] == ["E-TRUNCATED", "W-VM"]


def test_files_without_pixels_need_none(tmp_path: Path):
    for name in ("DICOMDIR", "rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"):
        path = get_testdata_file(name, download=False)
        assert not [f for f in verify_file(Path(path)) if f.is_error], name


def test_every_multiplicity_of_the_dictionary_is_understood():
    multiplicities = {entry[1] for entry in [*DicomDictionary.values(), *RepeatersDictionary.values()]}
    assert all(isinstance(allows(multiplicity, 1), bool) for multiplicity in multiplicities)
    for multiplicity, yes, no in (
        ("1", [1], [2]),
        ("2-4", [2, 4], [1, 5]),
        ("1-n", [1, 9], [0]),
        ("3-3n", [3, 6], [2, 4]),
        ("1-n or 1", [1, 2], [0]),
    ):
        assert all(allows(multiplicity, count) for count in yes)
        assert not any(allows(multiplicity, count) for count in no)
