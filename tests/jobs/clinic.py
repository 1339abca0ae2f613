"""A clinic's export of mammograms, as a stranger may have it: every place that names a patient names one."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, PngImagePlugin
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from ..identities import Planted

FAMILIES, GIVEN = ("Oberleitner", "Käßbohrer", "Szczepańska", "Quirrenbach"), ("Walburga", "Philomena", "Hedwigis")
BORN = (datetime(1961, 3, 19), datetime(1955, 7, 7))
STUDIED = (datetime(2019, 4, 12, 9, 41, 27, 123456), datetime(2018, 11, 5, 16, 2, 51, 654321))
PHYSICIAN, INSTITUTION, TECHNICIAN = "Hollerith", "Klinikum Vilshofen", "Pfannenstiel"
PATIENT_IDS, ACCESSIONS, SITE = "KHM-0815", "ACZ774", "1.2.276.0.4711.88"
FOLDER = "zwiesel_export"  # where the clinic's table lies: whoever runs a command with it knows it, and nobody else
SPELLINGS = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y", "%d%m%Y", "%d %b %Y")
SHAPE_PX = (160, 112)
PARTITIONS = {"train": 6, "validation": 4, "test": 4}  # patients


@dataclass(frozen=True)
class Patient:
    number: int
    partition: str

    @property
    def target(self) -> int:
        return self.number % 2

    @property
    def family(self) -> str:
        return FAMILIES[self.number % len(FAMILIES)]

    @property
    def given(self) -> str:
        return GIVEN[self.number % len(GIVEN)]

    @property
    def id(self) -> str:
        return f"{PATIENT_IDS}-{self.number:04d}"

    @property
    def written(self) -> str:
        """As the table has them: of some it has the name and the birthday."""
        return self.id if self.number % 3 else f"{self.family}, {self.given} (*{self.born:%d.%m.%Y}) {self.number}"

    @property
    def born(self) -> datetime:
        return BORN[self.number % len(BORN)]

    @property
    def studied(self) -> datetime:
        return STUDIED[self.number // 2 % len(STUDIED)]

    @property
    def folder(self) -> str:
        name = f"{self.family}_{self.given}".upper()
        return f"{name}_{self.born:%Y%m%d}_{self.number}/{self.studied:%Y-%m-%d} MG {PHYSICIAN}"


@dataclass(frozen=True)
class Clinic:
    table: Path
    rows: tuple[dict[str, str], ...]
    planted: Planted

    def written(self, name: str, **changes: str) -> Path:
        """Another table beside the clinic's own, whose first row is changed."""
        path = self.table.with_name(name)
        _write_table(path, (self.rows[0] | changes, *self.rows[1:]))
        return path


def write_clinic(place: Path) -> Clinic:
    """An export of DICOM files and some PNGs, and its table; two films are nearly one."""
    root = place / FOLDER
    partitions = [name for name, count in PARTITIONS.items() for _ in range(count)]
    patients = [Patient(number, partition) for number, partition in enumerate(partitions)]
    rows = tuple(row for patient in patients for row in _write_patient(root, patient))
    table = root / "images.csv"
    _write_table(table, rows)
    return Clinic(table, rows, _planted(patients, rows))


def _write_table(path: Path, rows: tuple[dict[str, str], ...]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def _write_patient(root: Path, patient: Patient) -> Iterator[dict[str, str]]:
    (root / patient.folder).mkdir(parents=True)
    for view in ("CC", "MLO"):
        # the first of train and the first of validation look alike
        seed = 0 if patient.number == PARTITIONS["train"] else patient.number
        pixels, box = _film(np.random.default_rng([seed, view == "CC"]), patient)
        is_png = patient.number % 4 == 1
        path = f"{patient.folder}/{patient.family}_{patient.given}_{view}.{'png' if is_png else 'dcm'}"
        _write_png(root / path, pixels, patient) if is_png else _write_dicom(root / path, pixels, patient, view)
        roi = "" if patient.number % 2 else path.rpartition(".")[0] + "_roi.png"
        if roi:
            _write_mask(root / roi, box)
        if patient.number == 5 and view == "CC":  # its header can be read, and its pixels cannot
            (root / path).write_bytes((root / path).read_bytes()[:-60])
        for file in filter(None, (path, roi)):
            os.utime(root / file, ns=(_nanoseconds(patient.studied),) * 2)
        yield {
            "path": str(root / path) if patient.number % 5 == 0 else path,
            "patient": patient.written,
            "laterality": "left",
            "view": view,
            "target": str(patient.target),
            "partition": patient.partition,
            "roi": roi,
            "box": "" if roi else " ".join(map(str, box)),
        }


def _film(random: np.random.Generator, patient: Patient) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Half an ellipse of random tissue at the left edge, brighter where it is malignant; and a lesion's box."""
    rows, columns = SHAPE_PX
    y, x = np.mgrid[:rows, :columns]
    breast = ((y - rows / 2) / (rows * 0.45)) ** 2 + (x / (columns * 0.8)) ** 2 < 1
    texture = cv2.GaussianBlur(random.normal(size=SHAPE_PX), (0, 0), 5)
    pixels = np.where(breast, 20000 + 60000 * np.clip(texture + 0.1 * patient.target, -0.2, 0.5), 300)
    top, left = (int(value) for value in random.integers((50, 15), (80, 40)))
    pixels[top : top + 20, left : left + 20] += 6000 + 6000 * patient.target
    noise = np.random.default_rng(patient.number).normal(scale=40, size=SHAPE_PX)
    return np.clip(pixels + noise, 0, 65535).astype(np.uint16), (top, left, top + 20, left + 20)


def _write_png(path: Path, pixels: np.ndarray, patient: Patient) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Patient", f"{patient.family}^{patient.given} {patient.id}")
    Image.fromarray(pixels).save(path, pnginfo=info)


def _write_mask(path: Path, box: tuple[int, int, int, int]) -> None:
    top, left, bottom, right = box
    mask = np.zeros(SHAPE_PX, np.uint8)
    mask[top:bottom, left:right] = 255
    if "HEDWIGIS" in str(path):  # three grey levels: no mask
        mask[0, 0] = 100
    assert cv2.imwrite(str(path), mask)


def _write_dicom(path: Path, pixels: np.ndarray, patient: Patient, view: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = UID(f"{SITE}.{patient.studied:%Y%m%d}.{patient.number}.{ord(view[0])}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d = FileDataset(str(path), Dataset(), file_meta=meta, preamble=b"\0" * 128)
    with disable_value_validation():
        _name(d, patient, meta.MediaStorageSOPInstanceUID)
    d.Modality, d.ImageLaterality, d.ViewPosition = "MG", "L", view
    d.PatientOrientation = ["A", "R"]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = pixels.shape
    d.BitsAllocated = d.BitsStored = 16
    d.HighBit, d.PixelRepresentation = 15, 0
    d.PixelData = pixels.tobytes()
    with disable_value_validation():
        dcmwrite(path, d, enforce_file_format=True)


def _name(d: Dataset, patient: Patient, sop_uid: str) -> None:
    name, day = f"{patient.family}^{patient.given}", f"{patient.studied:%Y%m%d}"
    d.SpecificCharacterSet = "ISO_IR 192"
    d.SOPClassUID, d.SOPInstanceUID = DigitalMammographyXRayImageStorageForPresentation, sop_uid
    d.StudyInstanceUID, d.SeriesInstanceUID = f"{SITE}.1.{patient.number}", f"{SITE}.2.{patient.number}"
    d.PatientName = d.OtherPatientNames = name
    d.PatientID, d.PatientBirthDate = patient.id, f"{patient.born:%Y%m%d}"
    d.StudyDate = d.SeriesDate = d.ContentDate = d.AcquisitionDate = day
    d.AcquisitionDateTime = f"{patient.studied:%Y%m%d%H%M%S.%f}"
    d.AccessionNumber = f"{ACCESSIONS}{patient.number}"
    d.ReferringPhysicianName = d.PerformingPhysicianName = f"Dr.^{PHYSICIAN}"
    d.InstitutionName, d.OperatorsName = INSTITUTION, TECHNICIAN
    d.PatientComments = f"{name}, geb. {patient.born:%d.%m.%Y}"
    d.StudyDescription = d.SeriesDescription = f"Mammographie {patient.family}"
    request = Dataset()
    request.RequestedProcedureDescription = f"Dr. {PHYSICIAN}: {name}"
    d.RequestAttributesSequence = Sequence([request])
    d.private_block(0x0019, patient.family, create=True).add_new(0x10, "LO", f"{name} {patient.id}")
    if patient.number % 4 == 0:  # values that their representations do not allow, of which a library may warn
        d.add_new("PatientBirthDate", "DA", f"{patient.born:%d.%m.%Y}")
        d.add_new("PatientAge", "AS", f"{patient.family} 58")
        d.add_new("IrradiationEventUID", "UI", f"{SITE}.{patient.family}")
        d.WindowCenterWidthExplanation = name


def _planted(patients: list[Patient], rows: tuple[dict[str, str], ...]) -> Planted:
    words = {f"name {n}": name for n, name in enumerate((*FAMILIES, *GIVEN, PHYSICIAN, INSTITUTION, TECHNICIAN))}
    words |= {"patient id": PATIENT_IDS, "accession": ACCESSIONS, "UID": SITE, "folder of the table": FOLDER}
    dates = {f"{day:{spelling}}" for day in (*BORN, *STUDIED) for spelling in SPELLINGS}
    times = {str(value) for day in STUDIED for value in (_nanoseconds(day), _nanoseconds(day) // 10**9)}
    whole = {text for patient in patients for text in (patient.id, patient.written, patient.family)}
    whole |= {row[column] for row in rows for column in ("path", "roi") if row[column]}
    return Planted(words, {f"date {number}": number for number in sorted(dates | times)}, tuple(sorted(whole)))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000 + 789
