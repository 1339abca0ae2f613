"""A small CBIS-DDSM on disk, with real headers and pictures of a few pixels; each test damages its own copy."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from mammoscope.catalog.case_descriptions import FILES, read_case_descriptions
from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.join import join
from mammoscope.records import Catalog
from mammoscope.vocabulary import CBIS_DDSM_KINDS, Partition

SHAPE = (24, 16)
_PUBLISHED = {Partition.train: "Training", Partition.test: "Test"}


def write_dicom(path: Path, pixels: np.ndarray, study: str, series: str, patient_id: str, **changes: object) -> None:
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = SecondaryCaptureImageStorage
    sop = f"{series}.{int.from_bytes(path.name.encode()) % 10**9}.{pixels.dtype.itemsize}"
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = sop
    d.StudyInstanceUID, d.SeriesInstanceUID, d.Modality, d.PatientID = study, series, "MG", patient_id
    side, view = patient_id.split("_")[3:5]
    d.Laterality, d.PatientOrientation, d.SeriesDescription = side[0], view, "a description"
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
    d.Rows, d.Columns = pixels.shape
    d.BitsAllocated = d.BitsStored = pixels.dtype.itemsize * 8
    d.HighBit = d.BitsStored - 1
    d.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    d["PixelData"].VR = "OW"
    for keyword, value in changes.items():
        setattr(d, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, d, enforce_file_format=True)


@dataclass
class Tree:
    """Rows are dicts of the official columns; `write` writes CSVs and files."""

    root: Path
    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)  # by picture: <key>, <key>_1/mask, <key>_1/crop

    def add(
        self,
        patient: int,
        side: str = "LEFT",
        view: str = "CC",
        *,
        number: int = 1,
        kind: str = "mass",
        published: str = "train",
        pathology: str = "BENIGN",
        separate: bool = False,
    ) -> str:
        """One row and its three files; returns the row's key. separate: mask and crop in two series."""
        name = f"{kind.capitalize()}-{_PUBLISHED[Partition(published)]}_P_{patient:05d}_{side}_{view}"
        key = f"{name}_{number}"
        image, roi, crop = (_uids(name, "image"), _uids(key, "roi"), _uids(key, "crop" if separate else "roi"))
        columns = ("mass shape", "mass margins") if kind == "mass" else ("calc type", "calc distribution")
        row = {
            "patient_id": f"P_{patient:05d}",
            "breast_density" if kind == "mass" else "breast density": "2",
            "left or right breast": side,
            "image view": view,
            "abnormality id": str(number),
            "abnormality type": "mass" if kind == "mass" else "calcification",
            columns[0]: "N/A",
            columns[1]: "CLUSTERED",
            "assessment": "4",
            "pathology": pathology,
            "subtlety": "3",
            "image file path": f"{name}/{'/'.join(image)}/000000.dcm",
            "cropped image file path": f"{key}/{'/'.join(crop)}/000000.dcm",
            "ROI mask file path": f"{key}/{'/'.join(roi)}/{'000000' if separate else '000001'}.dcm\n",
        }
        self.rows.setdefault(f"{kind}_case_description_{published}_set.csv", []).append(row)
        rng = np.random.default_rng(patient)
        self.files[name] = self._folder(name, image) / "1-1.dcm"
        write_dicom(self.files[name], rng.integers(0, 65536, SHAPE).astype(np.uint16), *image, name)
        self.files[f"{key}/crop"] = self._folder(key, crop) / "1-2.dcm"
        write_dicom(self.files[f"{key}/crop"], np.full((6, 5), 65535, np.uint16), *crop, key)
        self.files[f"{key}/mask"] = self._folder(key, roi) / "1-1.dcm"
        write_dicom(self.files[f"{key}/mask"], np.eye(*SHAPE, dtype=np.uint8) * 255, *roi, key)
        return key

    def _folder(self, name: str, uids: tuple[str, str]) -> Path:
        return self.root / "CBIS-DDSM" / name / f"07-20-2016-DDSM-NA-{uids[0][-5:]}" / f"1.0-{uids[1][-5:]}"

    def write_csvs(self) -> None:
        for name, rows in self.rows.items():
            with open(self.root / name, "w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)


def _uids(name: str, role: str) -> tuple[str, str]:
    base = f"1.2.{int.from_bytes(name.encode()) % 10**12}"
    return f"{base}.1", f"{base}.{ {'image': 2, 'roi': 3, 'crop': 4}[role] }"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "tree"
    root.mkdir()
    return Tree(root)


@pytest.fixture(scope="session")
def real_rows_catalog(shared: Path) -> Catalog:
    """The real case descriptions, no file present."""
    joined = join(read_case_descriptions([shared / "data/cbis_ddsm/csv" / name for name in FILES]), [])
    return as_catalog(tuple(joined.mammograms.values()), joined.abnormalities, joined.defects, is_phantom=False)


@pytest.fixture
def make_tree(tree: Tree) -> Callable[[], Tree]:
    """Four patients of each kind and partition, the second half malignant, with CC and MLO."""

    def _make() -> Tree:
        for kind_number, kind in enumerate(CBIS_DDSM_KINDS):
            for published in ("train", "test"):
                for number in range(1, 5):
                    patient = 100 * kind_number + (10 if published == "test" else 0) + number
                    for view in ("CC", "MLO"):
                        pathology = "MALIGNANT" if number > 2 else "BENIGN"
                        tree.add(patient, view=view, kind=kind, published=published, pathology=pathology)
        tree.write_csvs()
        return tree

    return _make
