"""Elements -> bytes (PS3.5 7.1). Values are written as they lay in the file; pydicom would read and write them anew."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_LONG_VRS: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_LONGEST_SHORT: Final = 0xFFFF
_ITEM: Final = (0xFFFE, 0xE000)
_NUL_PADDED: Final = frozenset(("UI", "OB", "OW", "UN", "OD", "OF", "OL", "OV"))

Item = Sequence["Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """An element that is to be written."""

    tag: int
    vr: str
    value: bytes | Sequence[Item] = field(repr=False)  # of a sequence: its items


def encode(elements: Item, *, is_implicit: bool, is_little: bool) -> bytes:
    """In the order of tags. Sequences and items have defined lengths."""
    order = "<" if is_little else ">"
    return b"".join(_element(e, order, is_implicit) for e in sorted(elements, key=lambda e: e.tag))


def padded(value: bytes, vr: str) -> bytes:
    """To an even number of bytes."""
    return value if len(value) % 2 == 0 else value + (b"\0" if vr in _NUL_PADDED else b" ")


def _element(element: Written, order: str, is_implicit: bool) -> bytes:
    vr = element.vr
    value = (
        padded(element.value, vr)
        if isinstance(element.value, bytes)
        else b"".join(_item(item, order, is_implicit) for item in element.value)
    )
    tag = struct.pack(f"{order}HH", element.tag >> 16, element.tag & 0xFFFF)
    if is_implicit:
        return tag + struct.pack(f"{order}L", len(value)) + value
    if vr not in _LONG_VRS and len(value) > _LONGEST_SHORT:
        vr = "UN"  # PS3.5 6.2.2, note 2
    if vr in _LONG_VRS:
        return tag + vr.encode() + struct.pack(f"{order}HL", 0, len(value)) + value
    return tag + vr.encode() + struct.pack(f"{order}H", len(value)) + value


def _item(item: Item, order: str, is_implicit: bool) -> bytes:
    value = encode(item, is_implicit=is_implicit, is_little=order == "<")
    return struct.pack(f"{order}HHL", *_ITEM, len(value)) + value
