"""Where in a file what lies: the elements before the pixels, and the place and length of the pixels.

pydicom takes a PixelData of 4 GiB in a file of 8 kB without a word: lengths are compared with the file's size here.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from mammoscope.dicom.elements import (
    ANY_PIXELS,
    IMPLICIT,
    UNDEFINED,
    Elements,
    by_tag,
    inflated,
    is_cut,
    plain_elements,
    read_elements,
    read_meta,
    refuse,
)
from mammoscope.errors import DicomError

_META_AT: Final = 132  # after preamble and prefix
_ITEM: Final = b"\xfe\xff\x00\xe0"  # little endian: no other is ever encapsulated
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"
_NOTHING: Final = Dataset()  # nobody adds to it; making one takes a twentieth of the time of reading a header
_LONG_VRS: Final = (b"OB", b"OW", b"UN", b"OF", b"OD", b"OV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Where the value of PixelData, or of its kin for floats, lies."""

    tag: int  # 0x7FE00010, 0x7FE00008 (floats) or 0x7FE00009 (doubles)
    vr: str  # empty where the file gives none
    at: int  # offset in the layout's stream
    length: int  # bytes; encapsulated: up to and with the sequence delimiter
    is_encapsulated: bool
    fault: DicomError | None  # why not all of it is there


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    dataset: Dataset  # all that comes before the pixels; without pixels, all
    elements: Elements  # the same
    meta: Elements  # of group 0002
    after: Dataset  # what follows whole pixels, where it was asked for: signatures, padding
    transfer_syntax: str  # empty where the file names none
    file_bytes: int
    preamble: bytes  # 128 of them, whatever they are
    beyond_bytes: int  # behind the end of what a deflated file unfolds from: nothing reads them
    stream: BinaryIO  # what offsets count in: the file, or what a deflated one unfolds to
    stream_bytes: int
    pixels: Pixels | None


@contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """A file open for reading. Raises: DicomError E-UNREADABLE, for whatever the system says about it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # before opening: a named pipe would wait for ever
            refuse("E-UNREADABLE", path, "not a plain file")
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        refuse("E-UNREADABLE", path, error.strerror or str(error), error)


@contextmanager
def open_dicom(path: Path, *, after: bool = False) -> Iterator[Layout]:
    """The layout of any DICOM file; its stream is open within the block. after, and what is raised: see read_layout."""
    with open_plain(path) as file:
        yield read_layout(file, path, after=after)


def read_layout(file: BinaryIO, path: Path, *, after: bool = False) -> Layout:
    """after: to read the elements behind the pixels, too.

    Nested sequences of defined length are read when they are asked for: `dicom.walk` does that within limits. Where
    only the pixels are cut short, the rest is given and `pixels.fault` says so.

    Raises: DicomError E-NOT-DICOM, E-UNREADABLE, E-TRUNCATED, E-NESTED, E-TOO-LARGE.
    """
    size = os.fstat(file.fileno()).st_size
    preamble = _read_preamble(file, size, path)
    meta, transfer_syntax = read_meta(file, size, path)
    if (last_byte := max((e.value_tell + e.length for e in plain_elements(meta)), default=0)) > size:
        refuse("E-TRUNCATED", path, f"an element of the file meta group reaches to byte {last_byte} of {size}")
    stream, stream_bytes, beyond_bytes = file, size, 0
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        stream, beyond_bytes = inflated(file, path)
        stream_bytes = len(stream.getbuffer())
    start = stream.tell()
    dataset = read_elements(stream, stream_bytes, transfer_syntax, path)
    elements = by_tag(dataset)
    pixels = None
    if stream.tell() < stream_bytes:
        pixels = _find_pixels(stream, stream_bytes, elements, transfer_syntax, path)
    elif is_cut(elements, start, stream_bytes):
        refuse("E-TRUNCATED", path, f"the file ends at byte {stream_bytes}, inside an element")
    return Layout(
        dataset=dataset,
        elements=elements,
        meta=meta,
        after=_read_after(stream, stream_bytes, pixels, transfer_syntax, path) if after else _NOTHING,
        transfer_syntax=transfer_syntax,
        file_bytes=size,
        preamble=preamble,
        beyond_bytes=beyond_bytes,
        stream=stream,
        stream_bytes=stream_bytes,
        pixels=pixels,
    )


def read_behind(layout: Layout, path: Path) -> Dataset:
    """What follows whole pixels, as Layout.after. Raises: see read_layout."""
    return _read_after(layout.stream, layout.stream_bytes, layout.pixels, layout.transfer_syntax, path)


def _read_preamble(file: BinaryIO, size: int, path: Path) -> bytes:
    start = file.read(_META_AT)
    if start[128:] != b"DICM":
        refuse("E-NOT-DICOM", path, f"no DICM prefix in its {size} bytes" if size else "the file is empty")
    return start[:128]


def _read_after(stream: BinaryIO, size: int, pixels: Pixels | None, transfer_syntax: str, path: Path) -> Dataset:
    if pixels is None or pixels.fault is not None or pixels.at + pixels.length == size:
        return Dataset()
    stream.seek(pixels.at + pixels.length)
    after = read_elements(stream, size, transfer_syntax, path)
    if stream.tell() < size:
        refuse("E-UNREADABLE", path, f"more pixel data at byte {stream.tell()}, behind the pixels")
    return after


def _find_pixels(stream: BinaryIO, size: int, elements: Elements, transfer_syntax: str, path: Path) -> Pixels:
    """The stream stands at the element's tag.

    A file may be encoded otherwise than its transfer syntax says; then its other elements are, too.
    """
    like = next(plain_elements(elements), None)
    is_little = like.is_little_endian if like else transfer_syntax != ExplicitVRBigEndian
    is_implicit = like.is_implicit_VR if like else transfer_syntax in IMPLICIT
    order = "<" if is_little else ">"
    group, element = struct.unpack(f"{order}HH", _read_exactly(stream, 4, size, path))
    tag = group << 16 | element
    if tag not in ANY_PIXELS:  # an item's end outside of any: pydicom takes it for the end of all
        refuse("E-UNREADABLE", path, f"{Tag(tag)} at byte {stream.tell() - 4}, outside of any sequence")
    vr = b"" if is_implicit else _read_exactly(stream, 4, size, path)[:2]
    if vr and vr not in _LONG_VRS:
        refuse("E-UNREADABLE", path, f"PixelData has the value representation {vr!r}; allowed: OB, OW")
    (length,) = struct.unpack(f"{order}L", _read_exactly(stream, 4, size, path))
    at, fault = stream.tell(), None
    is_encapsulated = length == UNDEFINED
    if is_encapsulated:
        try:
            length = _encapsulated_length(stream, size, path)
        except DicomError as error:
            length, fault = size - at, error
    elif at + length > size:
        fault = DicomError("E-TRUNCATED", str(path), f"PixelData promises {length} bytes, {size - at} are there")
    return Pixels(tag=tag, vr=vr.decode(), at=at, length=length, is_encapsulated=is_encapsulated, fault=fault)


def _encapsulated_length(file: BinaryIO, size: int, path: Path) -> int:
    """Walks the fragments by their lengths (PS3.5 A.4): a search for the delimiter may meet its bytes in a picture."""
    start = file.tell()
    while True:
        item = _read_exactly(file, 8, size, path)
        if item[:4] == _SEQUENCE_END:
            return file.tell() - start
        length = int.from_bytes(item[4:], "little")
        if item[:4] != _ITEM or length == UNDEFINED:
            refuse("E-UNREADABLE", path, f"no fragment of PixelData at byte {file.tell() - 8}")
        if file.seek(length, os.SEEK_CUR) > size:
            refuse("E-TRUNCATED", path, f"a fragment reaches to byte {file.tell()} of {size}")


def _read_exactly(file: BinaryIO, count: int, size: int, path: Path) -> bytes:
    data = file.read(count)
    if len(data) < count:
        refuse("E-TRUNCATED", path, f"the file ends at byte {size}, inside PixelData")
    return data
