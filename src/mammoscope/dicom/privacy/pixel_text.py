"""What pixel data may hold beside a picture: comments in its compressed streams, and bytes behind its end."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from mammoscope.dicom.frames.codestream import START_OF_SCAN, is_ended, segments
from mammoscope.dicom.frames.facts import stated_facts
from mammoscope.dicom.layout import Layout, Pixels
from mammoscope.dicom.privacy.identity import Identity
from mammoscope.errors import DicomError

_ANY_PATH: Final = Path()  # no error of it is said
_HEAD_BYTES: Final = 1 << 16  # of a fragment: its comments come before its picture
_TAIL_BYTES: Final = 64  # behind a stream's end marker comes padding, and nothing else
_JPEG, _JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_COMMENT, _COMMENT_2000 = 0xFE, 0x64
_APPLICATION: Final = range(0xE0, 0xF0)
_NO_TEXT: Final = (b"JFIF\0", b"LJIF\0", b"Adobe", b"SPIFF", b"mrfx")  # what application segments begin with
_TILE_DATA: Final = 0x93  # a tile may have comments before it, too
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
    heads, is_ended_before = [], True
    for head, tail in _fragments(layout.stream, pixels):
        if head.startswith((_JPEG, _JPEG_2000)):
            if not is_ended_before:
                return True
            heads.append(head)
        is_ended_before = not heads or is_ended(tail)
    comments = (c for head in heads for c in _comments(head))
    is_said = any(identity.is_in(c) or (_WORD.search(c) and not _ENCODERS.fullmatch(c)) for c in comments)
    return is_said or not is_ended_before


def _has_more(layout: Layout, pixels: Pixels) -> bool:
    try:
        facts = stated_facts(layout, _ANY_PATH)
    except DicomError:  # nobody can tell where such a picture ends
        return True
    promised = -(-facts.frame_bits * facts.frames // 8)
    if pixels.length <= promised + promised % 2:
        return False
    layout.stream.seek(pixels.at + promised)
    rest = pixels.length - promised
    while rest > 0:
        chunk = layout.stream.read(min(rest, 1 << 20))
        if not chunk or chunk.strip(b"\0"):
            return True
        rest -= len(chunk)
    return False


def _fragments(stream: BinaryIO, pixels: Pixels) -> Iterator[tuple[bytes, bytes]]:
    """The first bytes of each, and its last ones."""
    at, end = pixels.at, pixels.at + pixels.length - 8  # of the delimiter
    while at < end:
        stream.seek(at)
        item = stream.read(8)
        length = int.from_bytes(item[4:], "little")
        head = stream.read(min(length, _HEAD_BYTES))
        if length > _HEAD_BYTES:
            stream.seek(at + 8 + length - _TAIL_BYTES)
        yield head, head[-_TAIL_BYTES:] if length <= _HEAD_BYTES else stream.read(_TAIL_BYTES)
        at += 8 + length


def _comments(head: bytes) -> Iterator[bytes]:
    is_2000 = head.startswith(_JPEG_2000)
    for marker, at, length in segments(head, _TILE_DATA if is_2000 else START_OF_SCAN):
        value = head[at + 4 : at + 2 + length]
        if marker == (_COMMENT_2000 if is_2000 else _COMMENT):
            yield value
        if not is_2000 and marker in _APPLICATION and not value.startswith(_NO_TEXT):
            yield value
