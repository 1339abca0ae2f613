"""Arrays and facts to one file, with the headers that CBIS-DDSM has on TCIA and none of those that it lacks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from mammoscope.files import written_whole
from mammoscope.vocabulary import Laterality, View

SIDE = {Laterality.left: "L", Laterality.right: "R"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmHeader:
    """What differs between the files of CBIS-DDSM. Everything else in their headers is the same in all."""

    patient_id: str  # names a picture: Mass-Training_P_00001_LEFT_MLO_1
    study_uid: str
    series_uid: str
    sop_uid: str
    description: str  # SeriesDescription; tells full, crop and mask apart where the folder's name does not
    instance_number: int
    laterality: Laterality
    view: View
    study_date: str  # YYYYMMDD
    study_time: str  # HHMMSS
    content_date: str
    content_time: str
    site: str  # the eight digits that TCIA's CTP leaves in (0013,1013)


def write_film(path: Path, pixels: np.ndarray, header: FilmHeader) -> None:
    """Write one scanned film, crop or mask as a Secondary Capture, Implicit VR Little Endian.

    pixels: (rows, columns), uint16 or uint8; stored as they are, every bit significant. The folder must exist.
    There is no PixelSpacing, ViewPosition, window or rescale: the view stands in PatientOrientation (sic).
    """
    if pixels.ndim != 2 or pixels.dtype.kind != "u" or pixels.itemsize > 2 or not pixels.size:
        raise TypeError(f"pixels: {pixels.dtype} of shape {pixels.shape}; uint8 or uint16, (rows, columns)")
    dataset = FileDataset(str(path), Dataset(), file_meta=_file_meta(header.sop_uid), preamble=b"\0" * 128)
    _describe(dataset, header)
    _attach(dataset, pixels)
    _write(path, dataset)


def rewrite(path: Path, **elements: str) -> None:
    """The same file with other values of elements, by keyword: for files that are to be wrong."""
    dataset = dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    _write(path, dataset)


def rewrite_pixels(path: Path, pixels: np.ndarray) -> None:
    """The same file with other pixels, as those of write_film; what the rest of its header says stays."""
    dataset = dcmread(path)
    _attach(dataset, pixels)
    _write(path, dataset)


def rewrite_compressed(path: Path, transfer_syntax: str, stream: bytes) -> None:
    """The same file with a compressed stream in place of its pixels, whether it is one or not."""
    dataset = dcmread(path)
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    _write(path, dataset)


def _write(path: Path, dataset: Dataset) -> None:
    with written_whole(path) as temporary:
        dcmwrite(temporary, dataset, enforce_file_format=True)


def _file_meta(sop_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.ImplementationClassUID = UID("1.2.40.0.13.1.1.1")
    meta.ImplementationVersionName = "dcm4che-1.4.35"
    return meta


def _describe(d: Dataset, header: FilmHeader) -> None:
    d.SpecificCharacterSet = "ISO_IR 100"
    d.SOPClassUID, d.SOPInstanceUID = SecondaryCaptureImageStorage, header.sop_uid
    d.StudyDate, d.StudyTime = header.study_date, header.study_time
    d.ContentDate, d.ContentTime = header.content_date, header.content_time
    d.AccessionNumber = d.ReferringPhysicianName = ""
    d.Modality, d.ConversionType = "MG", "WSD"
    d.SeriesDescription = header.description
    d.PatientName = d.PatientID = header.patient_id
    d.PatientBirthDate = d.PatientSex = ""
    block = d.private_block(0x0013, "CTP", create=True)
    block.add_new(0x10, "UN", b"CBIS-DDSM ")
    block.add_new(0x13, "UN", header.site.encode())
    d.BodyPartExamined = "BREAST"
    d.SecondaryCaptureDeviceManufacturer, d.SecondaryCaptureDeviceManufacturerModelName = "MathWorks", "MATLAB"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.StudyID = header.study_uid, header.series_uid, "DDSM"
    d.SeriesNumber, d.InstanceNumber = 1, header.instance_number
    d.PatientOrientation, d.Laterality = str(header.view), SIDE[header.laterality]


def _attach(d: Dataset, pixels: np.ndarray) -> None:
    bits = pixels.dtype.itemsize * 8
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = pixels.shape
    d.BitsAllocated = d.BitsStored = bits
    d.HighBit, d.PixelRepresentation = bits - 1, 0
    d.SmallestImagePixelValue, d.LargestImagePixelValue = int(pixels.min()), int(pixels.max())
    little_endian = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    d.PixelData = little_endian.tobytes() + b"\0" * (pixels.nbytes % 2)
    d["PixelData"].VR = "OW"
