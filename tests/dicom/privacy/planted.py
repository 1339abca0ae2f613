"""A mammogram with a person in every place where one was ever found, each with words of its own to look for."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

STUDY, SERIES, FRAME_OF_REFERENCE = "1.2.826.99.7.1", "1.2.826.99.7.2", "1.2.826.99.7.9"
FAMILY, GIVEN, NUMBER, ACCESSION = "ZYBRANDT", "WILHELMINA", "MRN7734501", "9917320"
OWN = (FAMILY, GIVEN, NUMBER, ACCESSION, "19310228")


@dataclass(frozen=True)
class Plant:
    place: str  # where the audit must find it
    word: str | bytes | None = None  # what must be gone; None: what is there are only the patient's own
    why: str | None = None  # what the audit must say, where that is the point


def sop_uid(number: int) -> str:
    return f"1.2.826.99.7.3.{number}"


def item(**elements: object) -> Dataset:
    d = Dataset()
    for keyword, value in elements.items():
        setattr(d, keyword, value)
    return d


def plain(number: int = 1, *, study_date: str = "20150312", patient: str = NUMBER) -> Dataset:
    """A mammogram as the standard wants it, with nobody in it but in names, numbers, dates and UIDs."""
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = DigitalMammographyXRayImageStorageForPresentation, sop_uid(number)
    d.StudyInstanceUID, d.SeriesInstanceUID = f"{STUDY}.{study_date}", f"{SERIES}.{study_date}"
    d.PatientName, d.PatientID = f"{FAMILY}^{GIVEN}^QUIRIN", patient
    d.PatientBirthDate, d.PatientSex, d.AccessionNumber = "19310228", "F", ACCESSION
    d.StudyDate = d.SeriesDate = d.ContentDate = d.AcquisitionDate = study_date
    d.StudyTime = d.SeriesTime = d.ContentTime = d.AcquisitionTime = "101112"
    d.AcquisitionDateTime = f"{study_date}101112.5+0100"
    d.ReferringPhysicianName, d.StudyID, d.SeriesNumber, d.InstanceNumber = "", "", 1, number
    d.Modality, d.PresentationIntentType, d.BodyPartExamined = "MG", "FOR PRESENTATION", "BREAST"
    d.Manufacturer, d.ManufacturerModelName = "HOLOGIC, Inc.", "Selenia Dimensions"
    d.ImageType = ["DERIVED", "PRIMARY"]
    d.ImageLaterality, d.ViewPosition, d.PatientOrientation = "L", "CC", ["A", "R"]
    d.ViewCodeSequence = [item(CodeValue="R-10242", CodingSchemeDesignator="SRT", CodeMeaning="cranio-caudal")]
    d.ImagerPixelSpacing, d.KVP, d.ExposureTime, d.CompressionForce = [0.07, 0.07], "28", "1200", "86.3"
    d.BurnedInAnnotation, d.PresentationLUTShape, d.LossyImageCompression = "NO", "IDENTITY", "00"
    d.RescaleIntercept, d.RescaleSlope, d.RescaleType = 0, 1, "US"
    d.WindowCenter, d.WindowWidth = ["2047", "1900"], ["4096", "3000"]
    d.ReferencedImageSequence = [
        item(ReferencedSOPClassUID=d.SOPClassUID, ReferencedSOPInstanceUID=sop_uid(2)),
        item(ReferencedSOPClassUID=d.SOPClassUID, ReferencedSOPInstanceUID=sop_uid(1)),
    ]
    pixels = np.arange(24 * 18, dtype="<u2").reshape(24, 18) * number % 4096
    d.Rows, d.Columns = pixels.shape
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.PixelData = pixels.tobytes()
    d["PixelData"].VR = "OW"
    return d


PLANTS = (
    Plant("PatientName", FAMILY),
    Plant("PatientID", NUMBER),
    Plant("PatientBirthDate", "19310228"),
    Plant("AccessionNumber", ACCESSION),
    Plant("StudyInstanceUID", STUDY),
    Plant("SeriesInstanceUID", SERIES),
    Plant("SOPInstanceUID", sop_uid(1)),
    Plant("FrameOfReferenceUID", FRAME_OF_REFERENCE),
    Plant("IrradiationEventUID", "1.2.826.99.7.44"),
    Plant("ReferencedImageSequence[0].ReferencedSOPInstanceUID", sop_uid(2)),
    Plant("SourceImageSequence[0].ReferencedSOPInstanceUID", "1.2.826.99.7.45"),
    Plant("StudyDate", "20150312"),
    Plant("AcquisitionDateTime", "20150312101112"),
    Plant("PatientAge", "093Y", "age-over-89"),
    Plant("InstitutionName", "INSTQ"),
    Plant("InstitutionAddress", "ADDRQ"),
    Plant("InstitutionalDepartmentName", "DEPTQ"),
    Plant("ReferringPhysicianName", "REFQ"),
    Plant("PerformingPhysicianName", "PERFQ"),
    Plant("OperatorsName", "OPERQ"),
    Plant("NameOfPhysiciansReadingStudy", "READQ"),
    Plant("StudyDescription", GIVEN, "own-identifier"),
    Plant("ProtocolName", NUMBER, "own-identifier"),
    Plant("SeriesDescription", "SERDESCQ"),
    Plant("StationName", "STATQ"),
    Plant("OtherPatientIDs", "OTHERIDQ"),
    Plant("OtherPatientNames", "OTHERNQ"),
    Plant("PatientBirthName", "BIRTHNQ"),
    Plant("PatientMotherBirthName", "MOTHERQ"),
    Plant("PatientAddress", "STREETQ"),
    Plant("PatientTelephoneNumbers", "PHONEQ"),
    Plant("EthnicGroup", "ETHNQ"),
    Plant("Occupation", "OCCUPQ"),
    Plant("AdditionalPatientHistory", "HISTQ"),
    Plant("PatientComments", "COMMQ"),
    Plant("PatientReligiousPreference", "RELIGQ"),
    Plant("DeviceSerialNumber", "SERIALQ"),
    Plant("DetectorID", "DETECTQ"),
    Plant("AcquisitionDeviceProcessingDescription", "PROCQ"),
    Plant("ImageComments", "IMGCQ"),
    Plant("StudyID", "STUDYIDQ"),
    Plant("RequestingPhysician", "REQPHQ"),
    Plant("RequestedProcedureDescription", "REQPRQ"),
    Plant("RequestAttributesSequence[0].ScheduledProcedureStepDescription", "SPSQ"),
    Plant("AcquisitionContextSequence[0].PersonName", "CTXPNQ"),
    Plant(
        "ViewCodeSequence[0].ViewModifierCodeSequence[0].EquivalentCodeSequence[0].CodeMeaning", "DEEPQ", "code-text"
    ),
    Plant("ViewCodeSequence[0].CodeMeaning", None, "code-text"),
    Plant("AnatomicRegionSequence[0].CodeMeaning", "LOCALCODEQ", "code-text"),
    Plant("AnatomicRegionSequence[0].CodeValue", "LCVQ", "code-text"),
    Plant("ContributingEquipmentSequence[0].InstitutionName", "CONTRQ"),
    Plant("OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientName", "ORIGQ"),
    Plant("EncryptedAttributesSequence[0].EncryptedContent", b"ENCRQ"),
    Plant("RetrieveURL", "URLQ"),
    Plant("TimezoneOffsetFromUTC", "+0545"),
    Plant("Manufacturer", None, "own-identifier"),
    Plant("BodyPartExamined", None, "own-identifier"),
    Plant("InstanceNumber", None, "own-identifier"),
    Plant("ExposureTime", "EXPQ", "not-its-vr"),
    Plant("Exposure", "EXPTEXTQ", "not-its-vr"),
    Plant("SmallestImagePixelValue", None, "not-its-vr"),
    Plant("FilterType", "FILTERQ", "not-known"),
    Plant("(0008,9998)", "UNKNOWNTAGQ", "not-known"),
    Plant("(0008,9996)", "UNKNOWNPNQ", "person-name"),
    Plant("(0009,0010)", "CREATORQ", "private"),
    Plant("(0009,1001)", "PRIVATEQ", "private"),
    Plant("(0009,1002)", None, "own-identifier"),
    Plant("(0009,1003)", "WIDEQ".encode("utf-16-le"), "private"),
    Plant("(0009,1004)[0].PatientComments", "PRIVSEQQ"),
    Plant("(0013,1013)[CTP]", "SITEQ", "private"),
    Plant("SourceImageSequence[0].(0009,1001)", "NESTEDPRIVQ", "private"),
    Plant("SourceImageSequence[0].PatientID", "NESTEDIDQ"),
    Plant("IconImageSequence[0].PixelData", b"ICONQ"),
    Plant("(5000,3000)", b"CURVEQ", "overlay-or-curve"),
    Plant("(6000,3000)", b"OVERLAYQ", "overlay-or-curve"),
    Plant("(6000,4000)", "OVERLAYCQ", "overlay-or-curve"),
    Plant("(6002,1500)", "OVERLAYLQ", "overlay-or-curve"),
    Plant("behind the pixels: DigitalSignaturesSequence[0].CertificateOfSigner", b"SIGNQ", "behind-pixels"),
    Plant("behind the pixels: DataSetTrailingPadding", b"TRAILQ", "behind-pixels"),
    Plant("preamble", b"PREAMBLEQ", "preamble"),
    Plant("file meta: MediaStorageSOPInstanceUID", sop_uid(1)),
    Plant("file meta: SourceApplicationEntityTitle", "SRCAEQ", "file-meta"),
    Plant("file meta: PrivateInformation", b"METAPRIVQ", "file-meta"),
    Plant("file meta: ImplementationVersionName", None, "file-meta"),
)


def planted() -> Dataset:
    d = plain()
    for plant in PLANTS:
        word = plant.word
        if isinstance(word, str) and plant.place.isidentifier() and plant.why is None and word.endswith("Q"):
            setattr(d, plant.place, word)
    d.FrameOfReferenceUID, d.IrradiationEventUID = FRAME_OF_REFERENCE, "1.2.826.99.7.44"
    d.PatientAge, d.TimezoneOffsetFromUTC, d.RetrieveURL = "093Y", "+0545", "http://pacs.hospital/URLQ"
    d.StudyDescription, d.ProtocolName = f"screening of {GIVEN.capitalize()}", f"for {NUMBER.lower()}, urgent"
    d.Manufacturer, d.BodyPartExamined, d.InstanceNumber = f"made for {FAMILY.lower()}", FAMILY, ACCESSION
    d.add_new(0x00181150, "LO", "EXPQ")  # ExposureTime, with a VR that is not its own
    d.add_new(0x00181152, "LO", "1")
    d["Exposure"].VR = "SH"
    d["Exposure"].value = "EXPTEXTQ"
    d.FilterType = "FILTERQ"
    d.add_new(0x00280106, "US", list(struct.unpack("<4H", b"ANN DOE ")))  # where the standard has one number
    d.add_new(0x00089998, "LO", "UNKNOWNTAGQ")
    d.add_new(0x00089996, "PN", "UNKNOWNPNQ^ANN")
    _plant_sequences(d)
    _plant_private(d)
    d.add_new(0x50003000, "OW", b"CURVEQ")
    for group in (0x6000, 0x6002):
        d.add_new(group << 16 | 0x0010, "US", 4)
        d.add_new(group << 16 | 0x0011, "US", 4)
    d.add_new(0x60003000, "OW", b"OVERLAYQ")
    d.add_new(0x60004000, "LT", "OVERLAYCQ")
    d.add_new(0x60021500, "LO", "OVERLAYLQ")
    d.add_new(0xFFFAFFFA, "SQ", [item(CertificateOfSigner=b"SIGNQ\0")])
    d.add_new(0xFFFCFFFC, "OB", b"TRAILQ")
    return d


def _plant_sequences(d: Dataset) -> None:
    deep = item(CodeValue="R-10242", CodingSchemeDesignator="SRT", CodeMeaning="DEEPQ")
    modifier = item(CodeValue="R-102D5", CodingSchemeDesignator="SRT", CodeMeaning="Magnification")
    modifier.EquivalentCodeSequence = [deep]
    d.ViewCodeSequence[0].ViewModifierCodeSequence = [modifier]
    d.AnatomicRegionSequence = [item(CodeValue="LCVQ", CodingSchemeDesignator="99HOSP", CodeMeaning="LOCALCODEQ")]
    d.RequestAttributesSequence = [item(ScheduledProcedureStepDescription="SPSQ")]
    d.AcquisitionContextSequence = [item(ValueType="PNAME", PersonName="CTXPNQ^ANN")]
    d.ContributingEquipmentSequence = [item(Manufacturer="M", InstitutionName="CONTRQ")]
    d.OriginalAttributesSequence = [item(ModifiedAttributesSequence=[item(PatientName="ORIGQ^ANN")])]
    d.EncryptedAttributesSequence = [
        item(EncryptedContentTransferSyntaxUID=ExplicitVRLittleEndian, EncryptedContent=b"ENCRQ\0")
    ]
    source = item(ReferencedSOPClassUID=d.SOPClassUID, ReferencedSOPInstanceUID="1.2.826.99.7.45")
    source.PatientID = "NESTEDIDQ"
    source.private_block(0x0009, "SIEMENS", create=True).add_new(1, "LO", "NESTEDPRIVQ")
    d.SourceImageSequence = [source]
    icon = item(Rows=1, Columns=6, BitsAllocated=8, BitsStored=8, HighBit=7, SamplesPerPixel=1)
    icon.add_new(0x7FE00010, "OB", b"ICONQ\0")
    d.IconImageSequence = [icon]


def _plant_private(d: Dataset) -> None:
    block = d.private_block(0x0009, "CREATORQ", create=True)
    block.add_new(1, "LO", "PRIVATEQ")
    block.add_new(2, "OB", b"\1\2\3" + FAMILY.lower().encode() + b"\0")
    block.add_new(3, "OB", "WIDEQ".encode("utf-16-le"))
    block.add_new(4, "SQ", [item(PatientComments="PRIVSEQQ")])
    tcia = d.private_block(0x0013, "CTP", create=True)
    tcia.add_new(0x10, "LO", "CBIS-DDSM")
    tcia.add_new(0x13, "LO", "SITEQ")


def write(path: Path, d: Dataset, syntax: str = ExplicitVRLittleEndian, *, has_planted_meta: bool = False) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = d.SOPClassUID, d.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationVersionName = FAMILY if has_planted_meta else "SOME_SCANNER"
    if has_planted_meta:
        meta.SourceApplicationEntityTitle = "SRCAEQ"
        meta.PrivateInformationCreatorUID, meta.PrivateInformation = "1.2.826.99.7.8", b"METAPRIVQ\0"
    preamble = b"PREAMBLEQ".ljust(128, b"\0") if has_planted_meta else bytes(128)
    if syntax == ExplicitVRBigEndian:
        d = _swapped(d)
    file = FileDataset(str(path), d, preamble=preamble, file_meta=meta)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, file, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def _swapped(d: Dataset) -> Dataset:
    count = len(d.PixelData) // 2
    d.PixelData = struct.pack(f">{count}H", *struct.unpack(f"<{count}H", d.PixelData))
    return d


def written_planted(path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    d = planted()
    if syntax == ImplicitVRLittleEndian:  # there is no VR to be wrong
        d.add_new(0x00181150, "IS", "")
    return write(path, d, syntax, has_planted_meta=True)


def words() -> list[bytes]:
    """All that must be gone, those of the patient that stand anywhere included."""
    found = [p.word.encode() if isinstance(p.word, str) else p.word for p in PLANTS if p.word]
    return [*found, *(word.encode() for word in OWN), b"QUIRIN"]


def holds(content: bytes, word: bytes) -> bool:
    small = content.lower()
    return word.lower() in small or word.lower() in small.replace(b"\0", b"")
