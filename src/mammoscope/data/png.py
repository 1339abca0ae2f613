"""The pixels of a PNG in plain grey."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from mammoscope.catalog.png_header import read_png_header
from mammoscope.errors import PngError


def read_png(path: Path, bits: Collection[int]) -> np.ndarray:
    """Stored values, (rows, columns), uint8 or uint16; of a mask with one bit a pixel 0 and 255.

    Raises PngError for what is no PNG in plain grey of so many bits, is damaged, or ends early.
    """
    header = read_png_header(path, bits)
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # None where a checksum is wrong or the end is missing
    dtype = np.uint16 if header.bits == 16 else np.uint8
    if pixels is None or pixels.shape != (header.rows_px, header.columns_px) or pixels.dtype != dtype:
        raise PngError(str(path), "the PNG is damaged or ends early")
    return pixels
