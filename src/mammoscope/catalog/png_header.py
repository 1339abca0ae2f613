"""What a PNG says of itself in its first 33 bytes (ISO/IEC 15948, 11.2.2); pixels are read in data/png.py."""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.errors import PngError

IMAGE_BITS, MASK_BITS = (8, 16), (1, 8, 16)
MAX_PIXELS: Final = 1 << 28  # as for DICOM: a promise beyond it is a bomb
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES: Final = {0: "grey", 2: "colour", 3: "a palette", 4: "grey with alpha", 6: "colour with alpha"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PngHeader:
    rows_px: int
    columns_px: int
    bits: int
    file_bytes: int


def is_png(path: str) -> bool:
    """By its name; whether that is true, reading it says."""
    return path.lower().endswith(".png")


def read_png_header(path: Path, bits: Collection[int]) -> PngHeader:
    """Raises PngError for what is no PNG in plain grey of so many bits, with the reason."""
    try:
        with open(path, "rb") as file:
            head = file.read(33)
            size = file.seek(0, 2)
    except OSError as error:
        raise PngError(str(path), error.strerror or str(error)) from error
    if head[:8] != _SIGNATURE or head[12:16] != b"IHDR" or len(head) < 33:
        raise PngError(str(path), "is no PNG, whatever its name says")
    columns, rows, depth, colour_type = struct.unpack(">IIBB", head[16:26])
    if colour_type != 0:
        found = _COLOUR_TYPES.get(colour_type, f"colour type {colour_type}")
        raise PngError(str(path), f"a PNG in {found}; allowed: plain grey (what is grey in it, only you know)")
    if depth not in bits:
        raise PngError(str(path), f"a PNG of {depth} bits; allowed: {', '.join(map(str, bits))}")
    if not 0 < rows * columns <= MAX_PIXELS:
        raise PngError(str(path), f"{rows} x {columns} px; allowed: 1 to {MAX_PIXELS} pixels")
    return PngHeader(rows_px=rows, columns_px=columns, bits=depth, file_bytes=size)
