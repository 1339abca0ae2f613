"""Look-up tables: of a modality, of what is shown, of a palette (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """Values below `first` become the first entry, those beyond the last one the last."""

    entries: np.ndarray  # uint16
    first: int
    bits: int  # entries reach to 2**bits - 1

    @property
    def highest(self) -> int:
        return (1 << self.bits) - 1


def looked_up(values: np.ndarray, lut: Lut) -> np.ndarray:
    """Entries, in the shape of the values, which are whole numbers of any type."""
    last = lut.first + len(lut.entries) - 1
    return lut.entries[np.clip(values, lut.first, last).astype(np.int64) - lut.first]


def read_lut(descriptor: Any, data: Any, *, is_signed: bool, is_big_endian: bool, is_segmented: bool = False) -> Lut:
    """is_signed: whether what is looked up may be negative, which decides how the first value mapped is read.

    Raises: ValueError where the table is not what its descriptor says.
    """
    count, first, bits = (int(value) for value in descriptor)
    count, first = count & 0xFFFF or 1 << 16, first & 0xFFFF
    if is_signed and first >= 1 << 15:
        first -= 1 << 16
    if not 8 <= bits <= 16:
        raise ValueError(f"entries of {bits} bits; allowed: 8 to 16")
    if is_segmented:
        entries = _expanded(_words(data, is_big_endian), count, bits)
    else:
        entries = _entries(_words(data, is_big_endian), count, bits)
    if len(entries) != count:
        raise ValueError(f"{len(entries)} entries; the descriptor says {count}")
    if entries.max() >> bits:
        raise ValueError(f"an entry {entries.max()}, beyond its {bits} bits")
    return Lut(entries, first, bits)


def _words(data: Any, is_big_endian: bool) -> np.ndarray:
    if isinstance(data, bytes):
        return np.frombuffer(data, ">u2" if is_big_endian else "<u2").astype(np.uint16)
    return np.atleast_1d(np.asarray(data)).astype(np.uint16)


def _entries(words: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Entries of 8 bit may lie two in a word, the first in the lower half."""
    if bits == 8 and len(words) == (count + 1) // 2 < count:
        return words.astype("<u2").view(np.uint8)[:count].astype(np.uint16)
    return words


def _expanded(words: np.ndarray, count: int, bits: int) -> np.ndarray:
    """PS3.3 C.7.9.2: pieces of a table, or slopes between their ends. Never more than `count` entries."""
    units = (words.astype("<u2").view(np.uint8) if bits == 8 else words).tolist()
    if len(units) > 4 * count + 2:  # a segment has an entry at least
        raise ValueError(f"segments of {len(units)} values, for {count} entries")
    table: list[int] = []
    at = 0
    while at + 1 < len(units) and len(table) < count:
        extend = _repeat if units[at] == _INDIRECT else _extend
        at = extend(units, at, table, count, bits)
    return np.array(table, np.uint16)


def _extend(units: list[int], at: int, table: list[int], count: int, bits: int) -> int:
    """By the segment at `at`. Returns: where the next one begins."""
    kind, length = units[at : at + 2]
    if kind == _DISCRETE:
        values, end = units[at + 2 : at + 2 + length], at + 2 + length
    elif kind == _LINEAR and table and at + 2 < len(units):
        last, target = table[-1], units[at + 2]
        values, end = np.rint(np.linspace(last, target, length + 1)[1:]).astype(int).tolist(), at + 3
    else:
        raise ValueError(f"a segment of kind {kind} that has nothing before it, or is cut")
    if not values:
        raise ValueError("an empty segment")
    table += values[: count - len(table)]
    return end


def _repeat(units: list[int], at: int, table: list[int], count: int, bits: int) -> int:
    """As many segments as it says from where it says, in bytes; they may not be of its own kind."""
    width = 4 if bits == 8 else 2
    if at + 2 + width > len(units):
        raise ValueError("a segment that repeats others is cut")
    parts = units[at + 2 : at + 2 + width]
    offset = sum(part << (8 if bits == 8 else 16) * k for k, part in enumerate(parts)) // (1 if bits == 8 else 2)
    for _ in range(units[at + 1]):
        if offset + 1 >= len(units):
            raise ValueError("a segment repeats others that there are not")
        if len(table) >= count:
            break
        offset = _extend(units, offset, table, count, bits)
    return at + 2 + width
