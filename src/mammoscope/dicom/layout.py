"""Where in a file what lies: the elements before the pixels, and the place and length of the pixels.

pydicom reads most damaged files without a word, a PixelData of 4 GiB in a file of 8 kB included, so every length is
compared with the file's size here. Values are taken as they lie in the file: converting them is two thirds of the time
of reading a header, and warns about values that nobody asks for.
"""

import os
import stat
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from mammoscope.errors import DicomError

_META_AT: Final = 132  # after preamble and prefix
_META_BYTES: Final = 4096  # the file meta group, which names the transfer syntax, is a few hundred bytes
_UNDEFINED: Final = 0xFFFFFFFF
_PIXEL_DATA: Final = (0x7FE0, 0x0010)
_ANY_PIXELS: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # of floats, of doubles, of whole numbers
_ITEM: Final = b"\xfe\xff\x00\xe0"  # little endian: no other is ever encapsulated
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"
_LONG_VRS: Final = (b"OB", b"OW", b"UN")


Elements = Mapping[int, RawDataElement | DataElement]  # by tag, as pydicom keeps them: nearly all of them unconverted


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    dataset: Dataset  # all that comes before the pixels
    elements: Elements  # the same
    transfer_syntax: str  # empty where the file names none
    file_bytes: int
    pixels_at: int  # offset of PixelData's value
    pixel_bytes: int  # its length; encapsulated: up to and with the sequence delimiter
    is_encapsulated: bool


def refuse(code: str, path: Path, reason: str, cause: BaseException | None = None) -> NoReturn:
    raise DicomError(code, str(path), reason) from cause


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


def read_layout(file: BinaryIO, path: Path) -> Layout:
    """Raises: DicomError E-NOT-DICOM, E-UNREADABLE, E-TRUNCATED, E-NOT-MG, E-NO-PIXELS, E-BITS."""
    size = os.fstat(file.fileno()).st_size
    _check_prefix(file, size, path)
    dataset, transfer_syntax = _read_dataset(file, size, path)
    elements = _by_tag(dataset)
    last_byte = max((e.value_tell + e.length for e in _plain(elements)), default=0)
    if last_byte > size:
        refuse("E-TRUNCATED", path, f"an element reaches to byte {last_byte} of {size}")
    modality = text(elements, "Modality")
    if modality not in ("MG", ""):
        refuse("E-NOT-MG", path, f"Modality is {modality}; allowed: MG")
    if file.tell() >= size:
        code = "E-TRUNCATED" if last_byte < size else "E-NO-PIXELS"
        refuse(code, path, f"the file ends at byte {size} without PixelData")
    if not modality:
        refuse("E-NOT-MG", path, "Modality is absent; allowed: MG")
    at, length = _find_pixels(file, size, elements, path)
    is_encapsulated = length == _UNDEFINED
    if is_encapsulated:
        length = _encapsulated_length(file, size, path)
    elif at + length > size:
        refuse("E-TRUNCATED", path, f"PixelData promises {length} bytes, {size - at} are there")
    return Layout(
        dataset=dataset,
        elements=elements,
        transfer_syntax=transfer_syntax,
        file_bytes=size,
        pixels_at=at,
        pixel_bytes=length,
        is_encapsulated=is_encapsulated,
    )


def text(elements: Elements, keyword: str) -> str:
    """Empty where the element is absent. Latin-1: lossless, and the elements that we ask for are ASCII in practice."""
    element = elements.get(_tag(keyword))
    value = element.value if element else None
    return value.decode("latin-1").strip(" \0") if isinstance(value, bytes) else str(value or "")


def number(elements: Elements, keyword: str, path: Path) -> int:
    """An unsigned short. Raises: DicomError E-HEADER where it is absent or of another length."""
    element = elements.get(_tag(keyword))
    if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes) or len(element.value) != 2:
        refuse("E-HEADER", path, f"{keyword} is {'absent' if element is None else 'not one whole number'}")
    return int.from_bytes(element.value, "little" if element.is_little_endian else "big")


@cache
def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return int(tag)


def _by_tag(dataset: Dataset) -> Elements:
    return {int(tag): element for tag, element in dataset.items()}


def _check_prefix(file: BinaryIO, size: int, path: Path) -> None:
    head = file.read(_META_BYTES)
    if head[128:132] != b"DICM":
        refuse("E-NOT-DICOM", path, f"no DICM prefix in its {size} bytes" if size else "the file is empty")
    if DeflatedExplicitVRLittleEndian.encode() in head:  # pydicom would inflate it without a limit, header or not
        refuse("E-UNDECODABLE", path, "deflated, which may unfold to gigabytes; store it uncompressed")
    file.seek(_META_AT)


def _read_dataset(file: BinaryIO, size: int, path: Path) -> tuple[Dataset, str]:
    """All before the pixels, and the transfer syntax. dcmread, but for the conversion of the file meta group and the
    bookkeeping of a file that may be written again, which are as much work as the rest."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what counts is checked here, by us
            meta = {int(e.tag): e for e in data_element_generator(file, False, True, stop_when=_after_meta)}
            transfer_syntax = text(meta, "TransferSyntaxUID")
            is_implicit, is_big = transfer_syntax == ImplicitVRLittleEndian, transfer_syntax == ExplicitVRBigEndian
            dataset = read_dataset(file, is_implicit, not is_big, stop_when=_at_pixels)
    except OSError:
        raise
    except Exception as error:  # nine types were seen on damaged files, RecursionError among them
        code = "E-TRUNCATED" if file.tell() >= size else "E-UNREADABLE"
        refuse(code, path, f"pydicom stops at byte {file.tell()} of {size}: {type(error).__name__}: {error}", error)
    return dataset, transfer_syntax


def _after_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in _ANY_PIXELS


def _plain(elements: Elements) -> Iterator[RawDataElement]:
    return (e for e in elements.values() if isinstance(e, RawDataElement) and e.length != _UNDEFINED)


def _find_pixels(file: BinaryIO, size: int, elements: Elements, path: Path) -> tuple[int, int]:
    """Offset and promised length of PixelData's value; the file stands at the element's tag.

    A file may be encoded otherwise than its transfer syntax says; then its other elements are, too.
    """
    like = next(_plain(elements))  # Modality was found, so there is one
    order = "<" if like.is_little_endian else ">"
    tag = struct.unpack(f"{order}HH", _read_exactly(file, 4, size, path))
    if tag != _PIXEL_DATA:
        refuse("E-BITS", path, f"floating point pixels in {Tag(tag)}; allowed: whole numbers of 8 or 16 bits")
    if not like.is_implicit_VR:
        vr = _read_exactly(file, 4, size, path)[:2]
        if vr not in _LONG_VRS:
            refuse("E-UNREADABLE", path, f"PixelData has the value representation {vr!r}; allowed: OB, OW")
    (length,) = struct.unpack(f"{order}L", _read_exactly(file, 4, size, path))
    return file.tell(), length


def _encapsulated_length(file: BinaryIO, size: int, path: Path) -> int:
    """Walks the fragments by their lengths (PS3.5 A.4): a search for the delimiter may meet its bytes in a picture."""
    start = file.tell()
    while True:
        item = _read_exactly(file, 8, size, path)
        if item[:4] == _SEQUENCE_END:
            return file.tell() - start
        length = int.from_bytes(item[4:], "little")
        if item[:4] != _ITEM or length == _UNDEFINED:
            refuse("E-UNREADABLE", path, f"no fragment of PixelData at byte {file.tell() - 8}")
        if file.seek(length, os.SEEK_CUR) > size:
            refuse("E-TRUNCATED", path, f"a fragment reaches to byte {file.tell()} of {size}")


def _read_exactly(file: BinaryIO, count: int, size: int, path: Path) -> bytes:
    data = file.read(count)
    if len(data) < count:
        refuse("E-TRUNCATED", path, f"the file ends at byte {size}, inside PixelData")
    return data
