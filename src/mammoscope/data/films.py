"""Where a picture's pixels come from, whatever its file's format is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.catalog.png_header import IMAGE_BITS, MASK_BITS, is_png
from mammoscope.data.png import read_png
from mammoscope.dicom.read import read_film, read_pixels


@dataclass(frozen=True, slots=True, eq=False)
class SourceFilm:
    """raw: stored values, (rows, columns), of 8 or 16 bits. grey: same shape, brighter is denser."""

    raw: np.ndarray
    grey: np.ndarray
    bits_stored: int

    @property
    def image(self) -> np.ndarray:
        """grey as float32; made anew at each call where it is not."""
        return self.grey.astype(np.float32, copy=False)


def read_source_film(path: Path) -> SourceFilm:
    """A PNG says nothing of its grey levels: brighter is taken to be denser, as in what displays show.

    Raises MammoscopeError (DicomError for DICOM) for a file whose pixels cannot be trusted.
    """
    if is_png(path.name):
        raw = read_png(path, IMAGE_BITS)
        return SourceFilm(raw, raw, raw.dtype.itemsize * 8)
    film = read_film(path)
    return SourceFilm(film.raw, film.grey, film.header.bits_stored)


def read_mask(path: Path) -> np.ndarray:
    """Stored values of a mask, (rows, columns). Raises as read_source_film."""
    return read_png(path, MASK_BITS) if is_png(path.name) else read_pixels(path)[0]
