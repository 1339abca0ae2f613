"""Which fragments of encapsulated pixels make up which frame (PS3.5 A.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataelem import RawDataElement
from pydicom.uid import RLELossless

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.layout import Layout

_EXTENDED_OFFSETS: Final = 0x7FE00001  # 64 bit each, from the first byte after the first item
_EXTENDED_LENGTHS: Final = 0x7FE00002
_STREAM_STARTS: Final = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")  # JPEG and JPEG-LS, JPEG 2000, JP2


@dataclass(frozen=True, slots=True)
class Fragment:
    at: int  # of its bytes in the layout's stream
    length: int


def frame_fragments(layout: Layout, facts: ImageFacts, path: Path) -> list[list[Fragment]]:
    """For each frame, in order. Raises: DicomError E-FRAMES where the fragments do not make as many as is promised."""
    offsets, fragments, start = _items(layout, path)
    if len(fragments) < facts.frames:
        refuse("E-FRAMES", path, f"{len(fragments)} fragments; NumberOfFrames is {facts.frames}")
    if (extended := _longs(layout, _EXTENDED_OFFSETS, path)) is not None:
        return _shortened(_at_offsets(extended, fragments, start, facts, path), layout, path)
    if facts.frames == 1 and len(offsets) <= 1:  # whatever it says, there is nothing to tell apart
        return [fragments]
    if offsets:
        return _at_offsets(offsets, fragments, start, facts, path)
    if len(fragments) == facts.frames:
        return [[fragment] for fragment in fragments]
    if facts.transfer_syntax == RLELossless:  # each frame is one fragment (PS3.5 A.4.2)
        refuse("E-FRAMES", path, f"{len(fragments)} fragments of run lengths; NumberOfFrames is {facts.frames}")
    return _by_their_starts(layout, fragments, facts, path)


def frame_bytes(layout: Layout, fragments: Sequence[Fragment]) -> bytes:
    parts = []
    for fragment in fragments:
        layout.stream.seek(fragment.at)
        parts.append(layout.stream.read(fragment.length))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _items(layout: Layout, path: Path) -> tuple[list[int], list[Fragment], int]:
    """The basic offset table, the fragments, and the offset that both tables count from. Lengths have been checked."""
    pixels, stream = layout.pixels, layout.stream
    assert pixels is not None, "facts have been read"
    at, end, items = pixels.at, pixels.at + pixels.length - 8, []
    while at < end:
        stream.seek(at + 4)
        length = int.from_bytes(stream.read(4), "little")
        items.append(Fragment(at + 8, length))
        at += 8 + length
    if not items or items[0].length % 4:
        found = f"{items[0].length} bytes" if items else "absent"
        refuse("E-FRAMES", path, f"the basic offset table is {found}; allowed: 4 bytes a frame, or empty")
    stream.seek(items[0].at)
    table = stream.read(items[0].length)
    offsets = [int.from_bytes(table[k : k + 4], "little") for k in range(0, len(table), 4)]
    return offsets, items[1:], items[0].at + items[0].length


def _longs(layout: Layout, tag: int, path: Path) -> list[int] | None:
    element = layout.elements.get(tag)
    if element is None:
        return None
    value = element.value if isinstance(element, RawDataElement) else None
    if not isinstance(value, bytes) or len(value) % 8:
        refuse("E-FRAMES", path, "the extended offset table or its lengths are not 8 bytes a frame")
    return [int.from_bytes(value[k : k + 8], "little") for k in range(0, len(value), 8)]


def _at_offsets(
    offsets: list[int], fragments: list[Fragment], start: int, facts: ImageFacts, path: Path
) -> list[list[Fragment]]:
    if len(offsets) != facts.frames:
        refuse("E-FRAMES", path, f"{len(offsets)} offsets of frames; NumberOfFrames is {facts.frames}")
    number_of = {fragment.at - 8 - start: number for number, fragment in enumerate(fragments)}
    firsts = [number_of.get(offset, -1) for offset in offsets]
    if -1 in firsts or firsts[0] != 0 or sorted(set(firsts)) != firsts:
        refuse("E-FRAMES", path, "the offsets of frames are not those of fragments, one after the other")
    return [fragments[a:b] for a, b in zip(firsts, [*firsts[1:], len(fragments)], strict=True)]


def _shortened(frames: list[list[Fragment]], layout: Layout, path: Path) -> list[list[Fragment]]:
    """Without the padding: beside the extended table stand lengths, and each frame is one fragment (C.7.6.3.1.8)."""
    lengths = _longs(layout, _EXTENDED_LENGTHS, path) or []
    if len(lengths) != len(frames) or any(len(frame) > 1 for frame in frames):
        refuse("E-FRAMES", path, f"{len(lengths)} lengths of {len(frames)} frames, or a frame of several fragments")
    for [fragment], length in zip(frames, lengths, strict=True):
        if length > fragment.length:
            refuse("E-FRAMES", path, f"a frame is said to have {length} bytes; its fragment has {fragment.length}")
    return [[Fragment(frame[0].at, length)] for frame, length in zip(frames, lengths, strict=True)]


def _by_their_starts(layout: Layout, fragments: list[Fragment], facts: ImageFacts, path: Path) -> list[list[Fragment]]:
    """Without offsets, a frame begins where a compressed stream does."""
    frames: list[list[Fragment]] = []
    for fragment in fragments:
        layout.stream.seek(fragment.at)
        if layout.stream.read(min(fragment.length, 8)).startswith(_STREAM_STARTS) or not frames:
            frames.append([])
        frames[-1].append(fragment)
    if len(frames) != facts.frames:
        refuse("E-FRAMES", path, f"the fragments begin {len(frames)} pictures; NumberOfFrames is {facts.frames}")
    return frames
