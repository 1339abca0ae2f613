"""Files that hold the same pixels under different UIDs. Only those are read whose headers say that they may."""

import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import xxhash

from mammoscope.collection.facts import Facts, digest, facts_in
from mammoscope.dicom.layout import open_dicom
from mammoscope.errors import DicomError
from mammoscope.pool import Pool

_ALIKE: Final = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "pixel_bytes",
)
_AT_ONCE: Final = 32  # files a process reads
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class SamePixels:
    digest: str
    sop_uids: tuple[str, ...]
    paths: tuple[str, ...]


def find_same_pixels(root: Path, facts: Path, pool: Pool, step: Callable[[int, int], None]) -> Iterator[SamePixels]:
    """The bytes of the pixels are compared as they lie in the file, so a copy that was compressed is not found."""
    alike = array("Q", (_likeness(row) for row in facts_in(facts, *_ALIKE)))
    values, counts = np.unique(np.frombuffer(alike, np.uint64), return_counts=True) if alike else ([], np.array([]))
    several = set(np.asarray(values)[counts > 1].tolist())
    total = int(counts[counts > 1].sum())
    rows = (
        row
        for row in facts_in(facts, "path", "SOPInstanceUID", *_ALIKE)
        if "pixel_bytes" in row and _likeness(row) in several
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for done, one in enumerate(pool.map(partial(_digested, root), rows, at_once=_AT_ONCE), start=1):
        if one is not None:
            pixels, uid, path = one
            found.setdefault(pixels, []).append((uid, path))
        step(done, total)
    for pixels, files in found.items():
        uids = tuple(dict.fromkeys(uid for uid, _ in files))
        if len(uids) > 1:
            yield SamePixels(pixels, uids, tuple(path for _, path in files))


def pixel_digest(path: Path) -> str:
    """Of the value of PixelData as it lies in the file. Raises: DicomError where it has none, or not all of it."""
    with open_dicom(path) as layout:
        pixels = layout.pixels
        if pixels is None:
            raise DicomError("E-NO-PIXELS", str(path), "no PixelData")
        if pixels.fault is not None:
            raise pixels.fault
        layout.stream.seek(pixels.at)
        left, state = pixels.length, xxhash.xxh3_128()
        while left > 0 and (block := layout.stream.read(min(left, _BLOCK_BYTES))):
            state.update(block)
            left -= len(block)
        return state.hexdigest()


def _likeness(row: Facts) -> int:
    return digest("\x1f".join(str(row.get(name, "")) for name in _ALIKE))


def _digested(root: Path, row: Facts) -> tuple[str, str, str] | None:
    """None of what cannot be read: the table tells why, in the row's error."""
    try:
        return pixel_digest(root / os.fsdecode(row["path"])), row.get("SOPInstanceUID", ""), row["file_path"]
    except DicomError:
        return None
