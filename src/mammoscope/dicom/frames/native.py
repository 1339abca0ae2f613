"""Uncompressed frames, straight from the file into an array."""

import io
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from pydicom.uid import ExplicitVRBigEndian

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.layout import Pixels

_BLOCK: Final = 1 << 17  # values


def native_frame(stream: BinaryIO, pixels: Pixels, facts: ImageFacts, path: Path, n: int) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3). Raises: DicomError E-TRUNCATED where the file has shrunk since."""
    count = facts.frame_bits // facts.bits_allocated
    if facts.bits_allocated == 1:
        values = _single_bits(stream, pixels, facts, count, n)
    elif facts.bits_allocated == 8 and _is_swapped(pixels, facts):
        values = _swapped_bytes(stream, pixels.at, n * count, count)
    else:
        values = _whole_values(stream, pixels, facts, count, n)
    if values.size != count:
        refuse("E-TRUNCATED", path, f"{values.size} of the {count} values of frame {n} could be read")
    if not facts.is_float and facts.bits_allocated > 1:
        values = _without_unused_bits(values, facts)
    return _in_colour(values, facts) if facts.samples_per_pixel > 1 else values.reshape(facts.rows_px, facts.columns_px)


def _without_unused_bits(values: np.ndarray, facts: ImageFacts) -> np.ndarray:
    """Bits above BitsStored carry no meaning (PS3.5 8.1.1; retired overlays lie there): filled with zeros or the sign.

    In place, as the array is nobody else's, and in blocks that stay in a cache.
    """
    unused = values.itemsize * 8 - facts.bits_stored
    values = values.view(f"i{values.itemsize}") if facts.is_signed else values
    if not unused:
        return values
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        if facts.is_signed:
            block <<= unused
            block >>= unused
        else:
            block &= (1 << facts.bits_stored) - 1
    return values


def _whole_values(stream: BinaryIO, pixels: Pixels, facts: ImageFacts, count: int, n: int) -> np.ndarray:
    order = ">" if facts.transfer_syntax == ExplicitVRBigEndian else "<"
    dtype = np.dtype(f"{order}{'f' if facts.is_float else 'u'}{facts.bits_allocated // 8}")
    stored = _values(stream, pixels.at + n * count * dtype.itemsize, dtype, count)
    return stored.astype(dtype.newbyteorder("="), copy=False)


def _is_swapped(pixels: Pixels, facts: ImageFacts) -> bool:
    return facts.transfer_syntax == ExplicitVRBigEndian and pixels.vr == "OW"


def _swapped_bytes(stream: BinaryIO, at: int, first: int, count: int) -> np.ndarray:
    """Bytes in words of a big endian file: each pair lies the other way round (PS3.5 annex D.2 of 2006, retired)."""
    start, stop = first & ~1, first + count + 1 & ~1
    words = _values(stream, at + start, np.dtype(np.uint16), (stop - start) // 2)
    return words.byteswap().view(np.uint8)[first - start :][:count]


def _single_bits(stream: BinaryIO, pixels: Pixels, facts: ImageFacts, count: int, n: int) -> np.ndarray:
    """Of 0 and 1, uint8. Frames follow each other bit by bit, the lowest bit of a byte first (PS3.5 8.1.1)."""
    first, stop = n * count, (n + 1) * count
    first_byte, bytes_ = first // 8, -(-stop // 8) - first // 8
    if _is_swapped(pixels, facts):
        packed = _swapped_bytes(stream, pixels.at, first_byte, bytes_)
    else:
        packed = _values(stream, pixels.at + first_byte, np.dtype(np.uint8), bytes_)
    return np.unpackbits(packed, bitorder="little")[first % 8 :][:count]


def _values(stream: BinaryIO, at: int, dtype: np.dtype, count: int) -> np.ndarray:
    stream.seek(at)
    if isinstance(stream, io.BytesIO):  # a deflated file's
        return np.frombuffer(stream.read(count * dtype.itemsize), dtype).copy()
    return np.fromfile(stream, dtype, count)


def _in_colour(values: np.ndarray, facts: ImageFacts) -> np.ndarray:
    if facts.photometric == "YBR_FULL_422":  # two pixels share their chrominance: Y Y Cb Cr (PS3.3 C.7.6.3.1.2)
        pairs = values.reshape(facts.rows_px, -1, 4)
        out = np.empty((facts.rows_px, facts.columns_px, 3), values.dtype)
        out[:, 0::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
        out[:, 0::2, 1:] = out[:, 1::2, 1:] = pairs[..., 2:]
        return out
    if facts.planar_configuration == 1:
        planes = values.reshape(3, facts.rows_px, facts.columns_px)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))
    return values.reshape(facts.rows_px, facts.columns_px, 3)
