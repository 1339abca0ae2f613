"""Files of many frames without functional groups that yet say where each lies: dose grids, reconstructed SPECT."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset

from mammoscope.dicom.elements import refuse

AXIAL: Final = [1, 0, 0, 0, 1, 0]


def first_plane(dataset: Dataset) -> Dataset:
    """What holds ImagePositionPatient and ImageOrientationPatient: nuclear medicine has them in its detector's item."""
    detectors: Any = dataset.get("DetectorInformationSequence") or ()
    return detectors[0] if len(detectors) == 1 and "ImagePositionPatient" not in dataset else dataset


def frame_offsets(dataset: Dataset, frames: int, path: Path) -> list[float] | None:
    """How far each frame lies behind the first plane along its normal, mm; None where the file has no such words.

    Raises: DicomError E-GEOMETRY where they are not as many as the frames, or in a way that the standard does not know.
    """
    if (grid := dataset.get("GridFrameOffsetVector")) is not None:
        return _of_grid(_as_many(grid, frames, "grid offsets", path), dataset, path)
    kind, slices = dataset.get("ImageType") or (), dataset.get("SliceVector")
    if slices is not None and "RECON TOMO" in kind and (step := dataset.get("SpacingBetweenSlices")):
        numbers = _as_many(slices, frames, "values of SliceVector", path)
        return ((numbers - 1) * float(step)).tolist()  # its sign tells on which side they lie (PS3.3 C.8.4.15)
    return None


def _of_grid(offsets: np.ndarray, dataset: Dataset, path: Path) -> list[float]:
    """PS3.3 C.8.8.3.2: relative where the first is 0; else the patient's z, of axial planes alone."""
    if offsets[0] == 0:
        return offsets.tolist()
    position, cosines = dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient")
    if position and cosines and list(cosines) == AXIAL and offsets[0] == position[2]:
        return (offsets - offsets[0]).tolist()
    found = f"GridFrameOffsetVector begins with {offsets[0]:g}"
    refuse("E-GEOMETRY", path, f"{found}; allowed: 0, or the position's z where planes are axial")


def _as_many(values: Any, frames: int, what: str, path: Path) -> np.ndarray:
    numbers = np.atleast_1d(np.array(values, float))
    if len(numbers) != frames or not np.isfinite(numbers).all():
        refuse("E-GEOMETRY", path, f"{len(numbers)} {what} for {frames} frames; allowed: a finite number for each")
    return numbers
