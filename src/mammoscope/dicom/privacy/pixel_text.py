"""What pixel data may hold beside a picture: comments in its compressed streams, and bytes behind its last pixel."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from pydicom.tag import Tag

from mammoscope.dicom.elements import Elements, text
from mammoscope.dicom.layout import Layout, Pixels
from mammoscope.dicom.privacy.identity import Identity

_SIZES: Final = tuple(int(Tag(k)) for k in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
_HEAD_BYTES: Final = 1 << 16  # of a fragment: its comments come before its picture
_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_COMMENT, _COMMENT_2000 = 0xFE, 0x64
_APPLICATION: Final = range(0xE0, 0xF0)
_NO_TEXT: Final = (b"JFIF\0", b"LJIF\0", b"Adobe", b"SPIFF", b"mrfx")  # what application segments begin with
_SCAN, _TILE = 0xDA, 0x90
_WORD: Final = re.compile(rb"[^\W\d_]{2}")  # what has none says nothing
# how encoders sign their work
_ENCODERS: Final = re.compile(
    rb"(\0\x01)?(Kakadu|(Created by )?(GDCM/)?OpenJPEG|Creator: JasPer|LEAD Technologies|IJG|Lavc|MITRA_DICOM_STANDARD)"
    rb"[ -]?([Vv]ersion )?v?[\d.]{0,16}[\0 ]?"
)


def has_text(layout: Layout, identity: Identity) -> bool:
    """Whether the pixel data may hold words: an encoder's signature is none, a comment that is not one is."""
    pixels = layout.pixels
    if pixels is None or pixels.fault is not None:
        return False
    if not pixels.is_encapsulated:
        return _has_more(layout, pixels)
    comments = (c for head in _heads(layout.stream, pixels) for c in _comments(head))
    return any(identity.is_in(c) or (_WORD.search(c) and not _ENCODERS.fullmatch(c)) for c in comments)


def _has_more(layout: Layout, pixels: Pixels) -> bool:
    promised = _promised(layout.elements)
    if promised is None or pixels.length <= promised + promised % 2:
        return False
    layout.stream.seek(pixels.at + promised)
    rest = pixels.length - promised
    while rest > 0:
        chunk = layout.stream.read(min(rest, 1 << 20))
        if not chunk or chunk.strip(b"\0"):
            return True
        rest -= len(chunk)
    return False


def _promised(elements: Elements) -> int | None:
    """Bytes; None where the header does not say."""
    facts = [_number(elements, tag) for tag in _SIZES]
    frames = text(elements, "NumberOfFrames") or "1"
    if None in facts or not frames.isdecimal():
        return None
    rows, columns, samples, bits = (fact or 0 for fact in facts)
    values = rows * columns * samples * int(frames)
    if text(elements, "PhotometricInterpretation") == "YBR_FULL_422":
        values = values * 2 // 3
    return (values * bits + 7) // 8


def _number(elements: Elements, tag: int) -> int | None:
    element = elements.get(tag)
    value = element.value if element is not None else None
    if not isinstance(value, bytes) or len(value) != 2:
        return None
    return int.from_bytes(value, "little" if getattr(element, "is_little_endian", True) else "big")


def _heads(stream: BinaryIO, pixels: Pixels) -> Iterator[bytes]:
    """The first bytes of each fragment."""
    at, end = pixels.at, pixels.at + pixels.length
    while at + 8 <= end:
        stream.seek(at)
        item = stream.read(8)
        length = int.from_bytes(item[4:], "little")
        yield stream.read(min(length, _HEAD_BYTES))
        at += 8 + length


def _comments(head: bytes) -> Iterator[bytes]:
    if not head.startswith((_JPEG, _JPEG_2000)):
        return
    is_2000, at = head.startswith(_JPEG_2000), 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        value = head[at + 4 : at + 2 + length]
        if marker == (_TILE if is_2000 else _SCAN) or length < 2:
            return
        if marker == (_COMMENT_2000 if is_2000 else _COMMENT):
            yield value
        if not is_2000 and marker in _APPLICATION and not value.startswith(_NO_TEXT):
            yield value
        at += 2 + length
