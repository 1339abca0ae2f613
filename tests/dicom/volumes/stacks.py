"""Series and files of many frames as scanners write them, and two ways to compare volumes: what tests of volumes share.

Every voxel's place and value is known by the standard's formula (PS3.3 C.7.6.2.1.1), not by our code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
)

SERIES, STUDY, SPACE = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
MODALITY = {
    EnhancedCTImageStorage: ("CT", "CTImageFrameTypeSequence"),
    EnhancedMRImageStorage: ("MR", "MRImageFrameTypeSequence"),
    BreastTomosynthesisImageStorage: ("MG", "XRay3DFrameTypeSequence"),
}
Edit = Callable[[Dataset, int], None]


def untouched(d: Dataset, k: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Slices along their normal, lowest first."""

    stored: np.ndarray  # (slice, row, column)
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)  # degrees, about x, y and z, in this order
    origin: tuple[float, float, float] = (-100.0, 40.5, -300.25)
    spacing_mm: tuple[float, float, float] = (2.5, 0.75, 0.5)  # slice, row, column
    rescale: tuple[tuple[float, float], ...] = ((1.0, -1024.0),)  # slope and intercept; one, or one a slice

    @property
    def axes(self) -> np.ndarray:
        """(3, 3): columns are the directions of slices, rows' numbers and columns' numbers."""
        a, b, c = np.radians(self.angles)
        x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        return np.round((z @ y @ x)[:, [2, 1, 0]], 10)

    @property
    def cosines(self) -> list[float]:
        return [*self.axes[:, 2], *self.axes[:, 1]]

    @property
    def affine_ras(self) -> np.ndarray:
        affine = np.eye(4)
        affine[:3, :3] = self.axes * self.spacing_mm
        affine[:3, 3] = self.origin
        return np.diag([-1, -1, 1, 1]) @ affine

    @property
    def values(self) -> np.ndarray:
        slopes, intercepts = np.array(self.rescale).T.reshape(2, -1, 1, 1)
        return self.stored * slopes + intercepts

    def position(self, k: float) -> list[float]:
        return [round(v, 8) for v in self.origin + k * self.spacing_mm[0] * self.axes[:, 0]]

    def rescale_of(self, k: int) -> tuple[float, float]:
        return self.rescale[k % len(self.rescale)]


def noise(*shape: int, dtype: str = "uint16", bits: int = 12, seed: int = 5) -> np.ndarray:
    low, high = (-(1 << bits - 1), 1 << bits - 1) if dtype.startswith("i") else (0, 1 << bits)
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


OBLIQUE = Stack(stored=noise(7, 10, 12), angles=(20, -35, 11))


def write_series(folder: Path, stack: Stack, order: Sequence[int] | None = None, edit: Edit = untouched) -> list[Path]:
    """A file a slice. order: which slices, in the order of their instance numbers and names."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, k in enumerate(range(len(stack.stored)) if order is None else order, 1):
        d = _image(CTImageStorage, stack, stack.stored[k], f"{SERIES}.{number}")
        d.Modality, d.InstanceNumber, d.ImageType = "CT", number, ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.ImagePositionPatient, d.ImageOrientationPatient = stack.position(k), _ds(stack.cosines)
        d.PixelSpacing, d.SliceThickness = list(stack.spacing_mm[1:]), 1
        d.RescaleSlope, d.RescaleIntercept = stack.rescale_of(k)
        d.RescaleType = "HU"
        edit(d, k)
        paths.append(write(folder / f"{number:03}.dcm", d))
    return paths


def multiframe(
    stack: Stack, sop_class: str = BreastTomosynthesisImageStorage, order: Sequence[int] | None = None
) -> Dataset:
    """One file; what all frames share stands once. order: of the slices, as write_series'."""
    order = range(len(stack.stored)) if order is None else order
    d = _image(sop_class, stack, stack.stored[list(order)], f"{SERIES}.77")
    modality, frame_type = MODALITY[sop_class]
    d.Modality, d.InstanceNumber, d.NumberOfFrames = modality, 1, len(order)
    d.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    organization = Dataset()
    organization.DimensionOrganizationUID = f"{SERIES}.8"
    d.DimensionOrganizationSequence = [organization]
    d.DimensionIndexSequence = [_index(0x00209056), _index(0x00209057)]
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=_ds(stack.cosines))]
    shared.PixelMeasuresSequence = [
        _item(
            PixelSpacing=list(stack.spacing_mm[1:]),
            SliceThickness=stack.spacing_mm[0],
            SpacingBetweenSlices=stack.spacing_mm[0],
        )
    ]
    setattr(shared, frame_type, [_item(FrameType=list(d.ImageType))])
    d.SharedFunctionalGroupsSequence = [shared]
    if len(stack.rescale) == 1:
        shared.PixelValueTransformationSequence = [_transformation(stack, 0)]
    d.PerFrameFunctionalGroupsSequence = [_frame(stack, k, is_own=len(stack.rescale) > 1) for k in order]
    return d


def write(path: Path, d: Dataset, compression: str = "") -> Path:
    """compression: a transfer syntax that pydicom can encode."""
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if compression:
        d.compress(compression)
    dcmwrite(path, d, enforce_file_format=True)
    return path


def assert_same_in_world(
    ours: np.ndarray, our_affine: np.ndarray, theirs: np.ndarray, their_affine: np.ndarray
) -> None:
    """Each voxel of theirs has one of ours at the same place, with the same value; and there are as many.

    Affines map an array's own indices to one space, mm. NIfTI keeps float32: places within 0.001 voxels are the same.
    """
    assert ours.size == theirs.size
    indices = np.indices(theirs.shape).reshape(3, -1)
    to_ours = np.linalg.inv(our_affine) @ their_affine
    found = to_ours[:3, :3] @ indices + to_ours[:3, 3:]
    at = np.rint(found).astype(int)
    assert np.abs(found - at).max() < 1e-3
    flat = np.ravel_multi_index(tuple(at), ours.shape)  # raises where one lies outside
    assert len(np.unique(flat)) == ours.size
    np.testing.assert_allclose(ours.ravel()[flat], theirs.ravel(), rtol=1e-6, atol=1e-4)


def _image(sop_class: str, stack: Stack, stored: np.ndarray, uid: str) -> Dataset:
    d = Dataset()
    d.SOPClassUID, d.SOPInstanceUID = sop_class, uid
    d.SeriesInstanceUID, d.StudyInstanceUID, d.FrameOfReferenceUID = SERIES, STUDY, SPACE
    d.PatientName, d.PatientID, d.StudyDate, d.StudyTime = "Planted^Petra", "PLANTED-1", "20010203", "040506"
    d.SeriesDescription, d.SeriesNumber, d.Manufacturer = "Planted Petra ../../x", 4, "None"
    d.StudyID, d.AccessionNumber, d.PatientBirthDate, d.PatientSex, d.PositionReferenceIndicator = "1", "", "", "", ""
    d.ReferringPhysicianName = ""
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = stack.stored.shape[1:]
    d.BitsAllocated = stored.itemsize * 8
    d.BitsStored, d.PixelRepresentation = d.BitsAllocated, int(stored.dtype.kind == "i")
    d.HighBit = d.BitsStored - 1
    data = np.ascontiguousarray(stored).tobytes()
    d.PixelData = data + b"\0" * (len(data) % 2)
    d["PixelData"].VR = "OW"
    return d


def _frame(stack: Stack, k: int, *, is_own: bool) -> Dataset:
    frame = Dataset()
    frame.FrameContentSequence = [_item(StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=[1, k + 1])]
    frame.PlanePositionSequence = [_item(ImagePositionPatient=stack.position(k))]
    if is_own:
        frame.PixelValueTransformationSequence = [_transformation(stack, k)]
    return frame


def _transformation(stack: Stack, k: int) -> Dataset:
    slope, intercept = stack.rescale_of(k)
    return _item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")


def _index(pointer: int) -> Dataset:
    return _item(
        DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111, DimensionOrganizationUID=f"{SERIES}.8"
    )


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _ds(values: Sequence[float]) -> list[str]:
    return [f"{v:.10f}" for v in values]
