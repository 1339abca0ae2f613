"""Where a picture's pixels come from, whatever its file's format is."""

from pathlib import Path

import numpy as np

from mammoscope.dicom.read import Film, read_film, read_pixels


def read_source_film(path: Path) -> Film:
    """Raises MammoscopeError (DicomError for DICOM) for a file whose pixels cannot be trusted."""
    return read_film(path)


def read_mask(path: Path) -> np.ndarray:
    """Stored values of a mask, (rows, columns). Raises as read_source_film."""
    return read_pixels(path)[0]
