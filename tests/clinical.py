"""Files as mammography devices write them: with the places in their headers that CBIS-DDSM leaves empty."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DIGITAL_MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"  # for presentation


def breast(rows: int = 60, columns: int = 40, *, wall_on_left: bool = True) -> np.ndarray:
    """uint16: a bright half disc at the chest wall, brighter towards the top."""
    row, column = np.mgrid[:rows, :columns]
    inside = ((row - rows / 2) / (0.4 * rows)) ** 2 + (column / (0.7 * columns)) ** 2 < 1
    pixels = np.where(inside, 3000 - 10 * row, 100).astype(np.uint16)
    return pixels if wall_on_left else pixels[:, ::-1]


def write_image(path: Path, pixels: np.ndarray, **elements: object) -> Path:
    """pixels: uint8 or uint16, (rows, columns), (frames, rows, columns) or (rows, columns, 3). elements: by keyword."""
    d = FileDataset(str(path), Dataset(), preamble=b"\0" * 128)
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID, d.SOPInstanceUID = DIGITAL_MAMMOGRAPHY, generate_uid(entropy_srcs=[str(path)])
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    d.PatientID, d.Modality, d.StudyDate = "P1", "MG", "20240131"
    is_colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    d.SamplesPerPixel = 3 if is_colour else 1
    d.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        d.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        d.NumberOfFrames = len(pixels)
    d.Rows, d.Columns = pixels.shape[:2] if is_colour else pixels.shape[-2:]
    d.BitsAllocated = d.BitsStored = 8 * pixels.itemsize
    d.HighBit, d.PixelRepresentation = d.BitsStored - 1, int(pixels.dtype.kind == "i")
    d.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    d["PixelData"].VR = "OW"
    for keyword, value in elements.items():
        setattr(d, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    d.save_as(path, enforce_file_format=True)
    return path
