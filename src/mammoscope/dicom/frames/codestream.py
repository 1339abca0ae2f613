"""What a compressed frame says of itself, read before it is decoded: two kilobytes can unfold to gigabytes, and some
decoders make half a picture, or one of another size, without a word."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

END_OF_IMAGE: Final = b"\xff\xd9"
# every SOFn of ISO/IEC 10918-1, and SOF55 of JPEG-LS; C4, C8 and CC are tables
_FRAME_MARKERS: Final = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
START_OF_SCAN: Final = 0xDA
_JPEG_LS_FRAME: Final = 0xF7
_USUAL_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC3, _JPEG_LS_FRAME})  # progressive ones may have scans without end
_RLE_HEADER_BYTES: Final = 64
_RLE_MOST: Final = 64  # bytes that one byte can unfold to: two make 128 (PS3.5 G.3.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Codestream:
    rows_px: int
    columns_px: int
    samples: int
    precision: int  # bits of a sample
    near: int = 0  # most that a value may be off, of near-lossless JPEG-LS
    fault: str = ""  # why it is not whole
    is_odd: bool = False  # made of so many parts that it needs far more memory or time than its picture


def read_jpeg(stream: bytes) -> Codestream | None:
    """Of JPEG and JPEG-LS; None where the stream is neither, or ends before it says its size."""
    if not stream.startswith(b"\xff\xd8"):
        return None
    said, frame, near = None, 0, 0
    for marker, at, length in segments(stream, START_OF_SCAN):
        if marker in _FRAME_MARKERS and at + 10 <= len(stream):
            frame = marker
            rows, columns = int.from_bytes(stream[at + 5 : at + 7]), int.from_bytes(stream[at + 7 : at + 9])
            said = stream[at + 4], rows, columns, stream[at + 9]
        if marker == START_OF_SCAN and frame == _JPEG_LS_FRAME and at + 2 + length <= len(stream) and length >= 6:
            near = stream[at + length - 1]  # third from the end: NEAR, interleave mode, point transform
    if said is None:
        return None
    fault = "" if is_ended(stream) else "the compressed picture has no end"
    precision, rows, columns, samples = said
    return Codestream(
        rows_px=rows,
        columns_px=columns,
        samples=samples,
        precision=precision,
        near=near,
        fault=fault,
        is_odd=frame not in _USUAL_FRAMES,
    )


def segments(stream: bytes, last: int) -> Iterator[tuple[int, int, int]]:
    """Of JPEG, JPEG-LS and JPEG 2000: marker, where it stands, and the length that follows it, up to a marker `last`.

    The length counts its own two bytes; so many need not be there.
    """
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4])
        if marker == 0xFF:  # fill bytes may stand before any marker
            at += 1
            continue
        yield marker, at, length
        if marker == last:
            return
        at += 2 + max(length, 2)


def is_ended(stream: bytes) -> bool:
    """Whether it reaches its end marker, of JPEG or JPEG-LS; padding may follow, by zeros or by ones."""
    return stream[-64:].rstrip(b"\0\xff").endswith(END_OF_IMAGE)


def rle_fault(stream: bytes, pixels: int, planes: int) -> str:
    """Whether run lengths can be those of so many pixels, in so many planes of bytes (PS3.5 G.5). Empty: they can."""
    if len(stream) < _RLE_HEADER_BYTES:
        return f"{len(stream)} bytes of run lengths; their header has {_RLE_HEADER_BYTES}"
    header = [int.from_bytes(stream[k : k + 4], "little") for k in range(0, _RLE_HEADER_BYTES, 4)]
    if header[0] != planes:
        return f"{header[0]} segments of run lengths; the header makes {planes}"
    starts = [*header[1 : planes + 1], len(stream)]
    if starts[0] != _RLE_HEADER_BYTES or any(b <= a for a, b in pairwise(starts)):
        return "segments of run lengths that do not follow each other"
    if min(b - a for a, b in pairwise(starts)) * _RLE_MOST < pixels:
        return f"a segment of run lengths is too short for {pixels} pixels"
    return ""
