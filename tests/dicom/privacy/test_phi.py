"""The audit of one file finds every planted place, and never says what is there."""

from pathlib import Path

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from mammoscope.dicom.privacy.phi import Finding, audit_file
from mammoscope.dicom.privacy.why import WHYS, Why

from .planted import PLANTS, holds, plain, words, write, written_planted

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
# where the file has no VR, nothing tells a PN that the standard does not have, nor a sequence in a private block
ONLY_EXPLICIT = ("ExposureTime", "(0008,9996)", "(0009,1004)[0].PatientComments")


def found(path: Path, names: tuple[str, ...] = ()) -> dict[str, Finding]:
    return {f.place: f for f in audit_file(path, names)}


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name)
def test_every_planted_place_is_found(tmp_path: Path, syntax: str):
    findings = found(written_planted(tmp_path / "a.dcm", syntax))
    plants = [p for p in PLANTS if syntax != ImplicitVRLittleEndian or p.place not in ONLY_EXPLICIT]
    assert len(plants) >= 75
    assert [p.place for p in plants if p.place not in findings] == []
    assert [p.place for p in plants if p.why is not None and findings[p.place].why != p.why] == []
    said = repr(findings).encode()
    assert [word for word in words() if word != b"1.2.826.99.7.1" and holds(said, word)] == []
    if syntax == ImplicitVRLittleEndian:
        assert findings["(0009,1004)"].why is Why.private


def test_a_plain_mammogram_has_only_what_the_profile_lists(tmp_path: Path):
    findings = found(write(tmp_path / "a.dcm", plain()), ("1.dcm",))
    assert {f.why for f in findings.values()} == {Why.listed, Why.meta, Why.code}
    assert findings["StudyInstanceUID"] == Finding(
        "StudyInstanceUID", "UI", 24, Why.listed, findings["StudyInstanceUID"].action
    )
    assert [findings[p].action for p in ("PatientName", "StudyDate", "SOPInstanceUID", "AccessionNumber")] == list(
        "DZUZ"
    )
    assert set(WHYS) == set(Why)


@pytest.mark.parametrize(
    ("said", "sop_class", "conversion", "expected"),
    [
        ("NO", None, "", set()),
        ("YES", None, "", {Why.burned_in}),
        (None, None, "", {Why.burned_in_unsaid}),
        ("NO", SecondaryCaptureImageStorage, "", {Why.secondary_capture}),
        (None, SecondaryCaptureImageStorage, "WSD", {Why.secondary_capture, Why.burned_in_unsaid}),
        ("MAYBE", None, "", {Why.burned_in_unsaid}),
    ],
)
def test_pictures_that_may_have_text_in_them_are_flagged(tmp_path: Path, said, sop_class, conversion, expected):
    d = plain()
    d.SOPClassUID = sop_class or d.SOPClassUID
    d.ConversionType = conversion
    del d.BurnedInAnnotation
    if said is not None:
        d.BurnedInAnnotation = said
    findings = audit_file(write(tmp_path / "a.dcm", d))
    assert {f.why for f in findings if f.action == "refuse"} == expected


def test_more_bytes_than_the_picture_has(tmp_path: Path):
    d = plain()
    d.PixelData += bytes(4)
    assert "PixelData" not in found(write(tmp_path / "zeros.dcm", d))
    d.PixelData += b"ZYBR"
    assert found(write(tmp_path / "a.dcm", d))["PixelData"].why is Why.pixel_text


def jpeg(comment: bytes, application: bytes = b"JFIF\0\1\1\0\0\1\0\1\0\0") -> bytes:
    segments = ((0xE0, application), (0xFE, comment)) if comment else ((0xE0, application),)
    head = b"".join(bytes((0xFF, m)) + (len(v) + 2).to_bytes(2, "big") + v for m, v in segments)
    return b"\xff\xd8" + head + b"\xff\xda\0\2\xff\xd9"


def jpeg_2000(comment: bytes) -> bytes:
    size = b"\xff\x51" + (4).to_bytes(2, "big") + b"\0\0"
    return b"\xff\x4f" + size + b"\xff\x64" + (len(comment) + 2).to_bytes(2, "big") + comment + b"\xff\x90\xff\xd9"


@pytest.mark.parametrize(
    ("stream", "is_found"),
    [
        (jpeg(b""), False),
        (jpeg(b"Lavc58.134.100"), False),
        (jpeg(b"Anna Zybrandt"), True),
        (jpeg(b"IJG Anna"), True),
        (jpeg(b"\0\1\2"), False),
        (jpeg_2000(b"\0\1Creator: JasPer Version 1.701.0"), False),
        (jpeg(b"", b"Exif\0\0II"), True),
        (jpeg_2000(b"\0\1Created by OpenJPEG version 2.5.0"), False),
        (jpeg_2000(b"\0\1Anna"), True),
        (jpeg(b"Anna Zybrandt").replace(b"\xff\xfe", b"\xff\xff\xff\xfe"), True),
        (jpeg_2000(b"").replace(b"\xff\x90", b"\xff\x90\0\x0a" + bytes(8) + b"\xff\x64\0\x0fAnna Zybrandt"), True),
        (jpeg(b"") + b"\0" * 8, False),
        (jpeg(b"") + b"Anna Zybrandt", True),
        (jpeg(b"") + bytes(100_000) + b"Anna Zybrandt", True),
        (jpeg_2000(b"") + b"Anna Zybrandt", True),
    ],
)
def test_comments_in_compressed_streams(tmp_path: Path, stream: bytes, is_found: bool):
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    d = plain()
    d.PixelData = encapsulate([stream])
    d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
    assert ("PixelData" in found(write(tmp_path / "a.dcm", d, JPEGBaseline8Bit))) is is_found


def test_files_that_cannot_be_read_are_said(tmp_path: Path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7 Zybrandt")
    assert found(tmp_path / "letter.pdf")["file"].code == "E-NOT-DICOM"
    whole = write(tmp_path / "a.dcm", plain())
    (tmp_path / "cut.dcm").write_bytes(whole.read_bytes()[:-10])
    assert found(tmp_path / "cut.dcm")["PixelData"].code == "E-TRUNCATED"


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        ("1-1.dcm", True),
        ("IM000012", True),
        ("series_3", True),
        ("MLO.dcm", True),
        ("T885e28_04cdb2a77e98", True),
        ("2.25.112819906818720268446067719406934255074.dcm", True),
        ("2.25.112819906818720268446067719406934255075999.dcm", False),
        ("Zybrandt.dcm", False),
        ("zybrandt_wilhelmina", False),
        ("smith.dcm", False),
        ("20150312", False),
        ("MRN7734501.dcm", False),
        ("1.2.826.99.7.1", False),
    ],
)
def test_names_of_files_and_folders(tmp_path: Path, name: str, is_safe: bool):
    file = write(tmp_path / "a.dcm", plain())
    assert ("file name" not in found(file, ("data", name))) is is_safe
    assert ("folder name 1" not in found(file, (name, "1.dcm"))) is is_safe


def test_every_reason_is_documented():
    page = (Path(__file__).resolve().parents[3] / "docs" / "deidentification.md").read_text("utf-8")
    assert [why for why in Why if f"`{why}`" not in page] == []
