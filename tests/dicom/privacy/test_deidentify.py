"""One file de-identified: nothing of what was planted is left, what a picture needs is, and the pixels are the same."""

import re
import zlib
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from mammoscope.dicom.privacy import deidentify as module
from mammoscope.dicom.privacy.deidentify import Deidentifier
from mammoscope.dicom.privacy.encode import Written
from mammoscope.dicom.privacy.phi import audit_file
from mammoscope.dicom.privacy.profile import Options
from mammoscope.dicom.privacy.pseudonyms import DicomPseudonyms, is_keyed_uid
from mammoscope.dicom.read import read_film
from mammoscope.errors import DicomError

from .planted import NUMBER, holds, item, plain, words, write, written_planted

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
ONE, OTHER = DicomPseudonyms(b"1" * 32), DicomPseudonyms(b"2" * 32)


def done(source: Path, *, key: DicomPseudonyms = ONE, is_reviewed: bool = False, **options: bool) -> Path:
    """Where the result went: below a folder beside the source."""
    deidentifier = Deidentifier(pseudonyms=key, options=Options(**options), is_reviewed=is_reviewed)
    result = source.with_suffix(".new")
    result.unlink(missing_ok=True)
    subject = deidentifier.deidentify(source, result)
    target = source.parent / f"out-{key.key_name}" / subject.target
    target.parent.mkdir(parents=True, exist_ok=True)
    return result.rename(target)


def code_of(source: Path, **kwargs: bool) -> str:
    with pytest.raises(DicomError) as caught:
        done(source, **kwargs)
    return caught.value.code


def unfolded(file: Path) -> bytes:
    """All of its bytes, and what they unfold to."""
    content = file.read_bytes()
    meta = pydicom.filereader.read_file_meta_info(file)
    if meta.TransferSyntaxUID != DeflatedExplicitVRLittleEndian:
        return content
    at = 132 + 12 + meta.FileMetaInformationGroupLength
    return content + zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[at:])


@pytest.mark.parametrize("options", [{}, {"shifts_dates": True}, {"retains_device": True, "shifts_dates": True}])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name)
def test_nothing_planted_is_left(tmp_path: Path, syntax: str, options: dict[str, bool]):
    source = written_planted(tmp_path / f"{NUMBER}.dcm", syntax)
    assert all(holds(unfolded(source), w) for w in words() if w not in (b"EXPQ", b"PRIVSEQQ", b"UNKNOWNPNQ"))
    result = done(source, **options)
    retained = [b"SERIALQ", b"DETECTQ", b"STATQ"] if options.get("retains_device") else []
    left = [word for word in words() if holds(unfolded(result), word) or holds(str(result.name).encode(), word)]
    assert left == retained or sorted(left) == sorted(retained)
    assert audit_file(result, result.parts[-4:]) == ()
    assert result.read_bytes()[:132] == bytes(128) + b"DICM"
    before, after = pydicom.dcmread(source), pydicom.dcmread(result)
    assert after.PixelData == before.PixelData
    assert after.file_meta.TransferSyntaxUID == syntax
    assert (read_film(result).raw == read_film(source).raw).all()


def test_what_a_picture_needs_stays(tmp_path: Path):
    before, after = plain(), pydicom.dcmread(done(write(tmp_path / "a.dcm", plain())))
    same = (
        "SOPClassUID Modality PresentationIntentType BodyPartExamined Manufacturer ManufacturerModelName ImageType "
        "ImageLaterality ViewPosition PatientOrientation ImagerPixelSpacing KVP ExposureTime CompressionForce Rows "
        "BurnedInAnnotation PresentationLUTShape RescaleIntercept RescaleType WindowCenter SeriesNumber InstanceNumber"
    )
    assert [k for k in same.split() if after.get(k) != before.get(k)] == []
    assert after.ViewCodeSequence[0].CodeValue == "R-10242"
    assert after.ViewCodeSequence[0].CodeMeaning == "Cranio-caudal projection (qualifier value)"  # the standard's own
    # type 2 in the IOD: there, and empty
    assert [k for k in ("StudyDate", "AccessionNumber", "PatientBirthDate", "PatientSex") if after[k].value] == []
    assert "SeriesDate" not in after  # type 3
    assert "AcquisitionDateTime" not in after


def test_a_type_1_that_must_go_has_a_dummy_of_its_vr(tmp_path: Path):
    d = plain()
    d.ContributionDateTime = "20150312"
    d.Modality = "ZYBRANDT"  # type 1, and the patient's name in it
    d.ConversionType = "DV"
    after = pydicom.dcmread(done(write(tmp_path / "a.dcm", d), is_reviewed=True))
    assert after.Modality == "REMOVED"
    assert "ContributionDateTime" not in after


def test_the_method_is_recorded(tmp_path: Path):
    for options, codes, dates in (
        ({}, ["113100"], "REMOVED"),
        ({"shifts_dates": True}, ["113100", "113107"], "MODIFIED"),
        ({"retains_device": True}, ["113100", "113109"], "REMOVED"),
    ):
        after = pydicom.dcmread(done(write(tmp_path / "a.dcm", plain()), **options))
        assert [i.CodeValue for i in after.DeidentificationMethodCodeSequence] == codes
        assert {i.CodingSchemeDesignator for i in after.DeidentificationMethodCodeSequence} == {"DCM"}
        method = after.DeidentificationMethod
        assert len(codes) == 1 or list(method) == [i.CodeMeaning for i in after.DeidentificationMethodCodeSequence]
        assert (after.PatientIdentityRemoved, after.LongitudinalTemporalInformationModified) == ("YES", dates)
    after = pydicom.dcmread(done(written_planted(tmp_path / "b.dcm")))
    assert after[0x00131010].value == "CBIS-DDSM"
    assert 0x00131013 not in after
    assert after.DeidentificationMethodCodeSequence[-1].CodeValue == "113111"


def test_names_uids_and_references_are_the_same_everywhere_and_hang_on_the_key(tmp_path: Path):
    sources = [write(tmp_path / f"{n}.dcm", plain(n)) for n in (1, 2)]
    first, second = (pydicom.dcmread(done(source)) for source in sources)
    assert first.ReferencedImageSequence[0].ReferencedSOPInstanceUID == second.SOPInstanceUID
    assert second.ReferencedImageSequence[1].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert (first.StudyInstanceUID, first.PatientID) == (second.StudyInstanceUID, second.PatientID)
    assert first.PatientID == str(first.PatientName)
    assert all(is_keyed_uid(u) for u in (first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID))
    again, otherwise = pydicom.dcmread(done(sources[0])), pydicom.dcmread(done(sources[0], key=OTHER))
    assert again == first
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"):
        assert otherwise[keyword].value != first[keyword].value
    elsewhere = plain()
    elsewhere.IssuerOfPatientID = "another hospital"
    assert pydicom.dcmread(done(write(tmp_path / "3.dcm", elsewhere))).PatientID != first.PatientID


def test_who_has_no_number_is_known_by_the_study(tmp_path: Path):
    ids = set()
    for n, study_date in ((1, "20150312"), (2, "20150312"), (3, "20160401")):
        d = plain(n, study_date=study_date, patient="")
        ids.add(pydicom.dcmread(done(write(tmp_path / f"{n}.dcm", d))).PatientID)
    assert len(ids) == 2


def test_the_days_between_a_patients_dates_stay(tmp_path: Path):
    def dates(patient: str, key: DicomPseudonyms = ONE) -> list[date]:
        found = []
        for n, day in ((1, "20150312"), (2, "20160229")):
            d = plain(n, study_date=day, patient=patient)
            after = pydicom.dcmread(done(write(tmp_path / f"{n}.dcm", d), key=key, shifts_dates=True))
            assert after.StudyDate == after.SeriesDate == after.AcquisitionDateTime[:8]
            assert after.AcquisitionDateTime[8:] == "101112.5"  # the offset from UTC tells where this was
            assert after.StudyTime == "101112"
            found.append(date.fromisoformat(after.StudyDate))
        return found

    of_one, of_other, otherwise = dates("A1234"), dates("B1234"), dates("A1234", OTHER)
    assert {(b - a).days for a, b in (of_one, of_other, otherwise)} == {354}
    assert len({a for a, _ in (of_one, of_other, otherwise)}) == 3
    assert all(a < date(2015, 3, 12) for a, _ in (of_one, of_other, otherwise))


def test_half_a_date_is_not_moved_and_does_not_stay(tmp_path: Path):
    d = plain()
    d.StudyDate, d.SeriesDate, d.AcquisitionDateTime = "20150311", "20150312", "201503"
    file = write(tmp_path / "a.dcm", d)
    file.write_bytes(file.read_bytes().replace(b"20150311", b"201503  "))
    after = pydicom.dcmread(done(file, shifts_dates=True))
    assert after.StudyDate == ""
    assert "AcquisitionDateTime" not in after
    assert re.fullmatch(r"\d{8}", after.SeriesDate)


def test_pixels_that_may_name_somebody(tmp_path: Path):
    unsaid, burned_in, secondary, commented = plain(), plain(), plain(), plain()
    del unsaid.BurnedInAnnotation
    burned_in.BurnedInAnnotation = "YES"
    secondary.SOPClassUID = SecondaryCaptureImageStorage
    for d, reviewed in ((unsaid, None), (secondary, None), (burned_in, "E-BURNED-IN")):
        file = write(tmp_path / "a.dcm", d)
        assert code_of(file) == (reviewed or "E-UNREVIEWED")
        if reviewed is None:
            result = done(file, is_reviewed=True)
            assert pydicom.dcmread(result).BurnedInAnnotation == "NO"
            assert audit_file(result) == ()
        else:
            assert code_of(file, is_reviewed=True) == reviewed
    commented.PixelData = encapsulate([b"\xff\xd8\xff\xfe\0\x0aANNA Z.\xff\xda\0\2\xff\xd9"])
    commented["PixelData"].VR, commented["PixelData"].is_undefined_length = "OB", True
    assert code_of(write(tmp_path / "b.dcm", commented, JPEGBaseline8Bit), is_reviewed=True) == "E-PIXEL-TEXT"


def test_compressed_pixels_are_carried_over(tmp_path: Path):
    d = plain()
    source = write(tmp_path / "a.dcm", d)
    compressed = pydicom.dcmread(source)
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.save_as(source)
    result = done(source)
    assert pydicom.dcmread(result).PixelData == pydicom.dcmread(source).PixelData
    assert (read_film(result).raw == read_film(source).raw).all()


def test_files_that_cannot_be_told(tmp_path: Path):
    d = plain()
    del d.PixelData
    assert code_of(write(tmp_path / "a.dcm", d)) == "E-NO-PIXELS"
    d = plain()
    d.SOPClassUID = "1.2.826.99.8"
    assert code_of(write(tmp_path / "a.dcm", d)) == "E-SOP-CLASS"
    d = plain()
    del d.SeriesInstanceUID
    assert code_of(write(tmp_path / "a.dcm", d)) == "E-HEADER"
    whole = write(tmp_path / "a.dcm", plain()).read_bytes()
    (tmp_path / "a.dcm").write_bytes(whole[:-10])
    assert code_of(tmp_path / "a.dcm") == "E-TRUNCATED"
    said = whole.replace(ExplicitVRLittleEndian.encode() + b"\0", b"1.2.840.10008.1.2\0\0\0")
    (tmp_path / "a.dcm").write_bytes(said)
    assert code_of(tmp_path / "a.dcm") == "E-SYNTAX"


def test_a_code_that_nobody_knows_goes_and_frames_are_still_counted(tmp_path: Path):
    d = plain()
    d.PerFrameFunctionalGroupsSequence = [item(), item(PlanePositionSequence=[item(ImagePositionPatient=[1, 2, 3])])]
    local = item(CodeValue="T-1", CodingSchemeDesignator="99HOSP", CodeMeaning="MRS SMITH")
    d.AnatomicRegionSequence, d.PrimaryAnatomicStructureSequence = [local], [local]
    after = pydicom.dcmread(done(write(tmp_path / "a.dcm", d)))
    assert [i.CodeMeaning for i in after.AnatomicRegionSequence] == ["Unknown"]  # of type 1: there must be one
    assert len(after.PrimaryAnatomicStructureSequence) == 0
    assert len(after.PerFrameFunctionalGroupsSequence) == 2


@pytest.mark.parametrize(
    "careless",
    [
        Written(0x00101001, "PN", b"ANN"),
        Written(0x00181030, "LO", b"ZYBRANDT"),
        Written(0x00200052, "UI", OTHER.uid("1.2.3").encode()),  # of the right form, and of nothing in the source
    ],
    ids=lambda e: f"{e.tag:08x}",
)
def test_a_result_that_is_not_clean_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: Written):
    source, real = write(tmp_path / "a.dcm", plain()), module._Cleaner.clean
    monkeypatch.setattr(
        module._Cleaner, "clean", lambda self, d, steps: [*real(self, d, steps), *([] if steps else [careless])]
    )
    assert code_of(source) == "E-AUDIT"


def test_a_second_pass(tmp_path: Path):
    """What was de-identified once is a source like any other."""
    first = done(written_planted(tmp_path / "a.dcm"))
    again = done(first)
    assert audit_file(again) == ()
    assert pydicom.dcmread(again).SOPInstanceUID != pydicom.dcmread(first).SOPInstanceUID
