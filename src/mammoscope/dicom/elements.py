"""The elements of a file but its pixels, read by pydicom within limits.

pydicom reads most damaged files without a word, so every length is compared with the file's size here. Values are
taken as they lie in the file: converting them is two thirds of the time of reading a header, and warns about values
that nobody asks for.
"""

import io
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, cast

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from mammoscope.errors import DicomError

MAX_INFLATED_BYTES: Final = 1 << 27  # of a deflated file: half a megabyte can unfold to half a gigabyte
MAX_VALUE_BYTES: Final = 1 << 24  # a longer value stays in the file: pixels apart, nothing that we read is as long
MAX_HEADER_BYTES: Final = 1 << 26  # of all elements but the pixels
MAX_ELEMENTS: Final = 250_000  # of one file: a volume of thousands of frames has a hundred thousand
ITEM_ELEMENTS: Final = 5  # as so many of them an item counts beside what it holds: pydicom takes as long

ANY_PIXELS: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # of floats, of doubles, of whole numbers
UNDEFINED: Final = 0xFFFFFFFF
IMPLICIT: Final = ("", ImplicitVRLittleEndian)  # the default transfer syntax (PS3.5 10.1)
_PIECE_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 8  # which pydicom reads at once of each element and item
_ITEM_STARTS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # of little and of big endian

Elements = Mapping[int, RawDataElement | DataElement]  # by tag, as pydicom keeps them: nearly all of them unconverted


def refuse(code: str, path: Path, reason: str, cause: BaseException | None = None) -> NoReturn:
    raise DicomError(code, str(path), " ".join(reason.split())) from cause  # pydicom's run over several lines


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


def by_tag(dataset: Dataset) -> Elements:
    return {int(tag): element for tag, element in dataset.items()}


def plain_elements(elements: Elements) -> Iterator[RawDataElement]:
    return (e for e in elements.values() if isinstance(e, RawDataElement) and e.length != UNDEFINED)


def is_cut(elements: Elements, start: int, size: int) -> bool:
    """Whether the end of the stream falls within the few bytes that an element begins with."""
    last = next(reversed(list(elements.values())), None)  # in the file's order
    if last is None:
        return start < size
    return isinstance(last, RawDataElement) and last.length != UNDEFINED and last.value_tell + last.length < size


def read_meta(file: BinaryIO, size: int, path: Path) -> tuple[Elements, str]:
    """dcmread, but for the conversion of the file meta group, which is as much work as the rest."""

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag.group != 2:
            return True
        _check_end(file.tell(), length, size, path)
        if UNDEFINED != length > MAX_VALUE_BYTES:
            refuse("E-TOO-LARGE", path, f"{tag} has {length} bytes; allowed of the file meta group: {MAX_VALUE_BYTES}")
        return False

    with _guarded(file, size, path):
        meta = {int(e.tag): e for e in data_element_generator(file, False, True, stop_when=stop)}
        return meta, text(meta, "TransferSyntaxUID")


def inflated(file: BinaryIO, path: Path) -> tuple[io.BytesIO, int]:
    """The data set of a deflated file (PS3.5 A.5), which pydicom would inflate without a limit, header or not.

    The number: of bytes behind it, but for one that makes its length even.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = _inflate(inflater, file)
    except zlib.error as error:
        refuse("E-UNDECODABLE", path, f"deflated, and damaged: {error}", error)
    if len(data) > MAX_INFLATED_BYTES:
        refuse("E-TOO-LARGE", path, f"unfolds to more than the {MAX_INFLATED_BYTES} bytes that are allowed")
    if not inflater.eof:
        refuse("E-TRUNCATED", path, f"the deflated data set has no end; {len(data)} bytes of it are there")
    beyond = inflater.unused_data + file.read(1)
    return io.BytesIO(data), 0 if beyond == b"\0" else len(beyond)


def _inflate(inflater: "zlib._Decompress", file: BinaryIO) -> bytearray:
    """To the end of it, or to a little more than is allowed. In pieces: in one, it is in memory twice for a moment."""
    data = bytearray()
    while not inflater.eof and len(data) <= MAX_INFLATED_BYTES:
        packed = inflater.unconsumed_tail or file.read(_PIECE_BYTES)
        piece = inflater.decompress(packed, _PIECE_BYTES)
        if not packed and not piece:  # with nothing to take in, it may still have some to give
            break
        data += piece
    return data


def read_elements(stream: BinaryIO, size: int, transfer_syntax: str, path: Path) -> Dataset:
    """All before the pixels, or to the end."""
    start = stream.tell()
    with _guarded(stream, size, path):
        try:
            return _read_to_pixels(stream, size, transfer_syntax, path, is_limited=False)
        except _Nested:
            stream.seek(start)
            limited = cast(BinaryIO, LimitedStream(stream, path))
            return _read_to_pixels(limited, size, transfer_syntax, path, is_limited=True)


class _Nested(Exception):
    """A sequence of undefined length, which pydicom reads to its end, whatever is in it."""


class LimitedStream:
    """A stream that gives no more than a header may have, and costs a tenth of the time.

    Eight bytes are an element or an item, of three hundred bytes in memory and more, and half a megabyte can unfold to
    ten million of them.
    """

    def __init__(self, stream: BinaryIO, path: Path):
        self._elements, self._bytes, self._path = MAX_ELEMENTS, MAX_HEADER_BYTES, path
        self._read, self.seek, self.tell = stream.read, stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        data = self._read(size)
        if size == _HEAD_BYTES:
            self._elements -= ITEM_ELEMENTS if data[:4] in _ITEM_STARTS else 1
        self._bytes -= len(data)
        _check_left(self._elements, self._bytes, self._path)
        return data


def _read_to_pixels(stream: BinaryIO, size: int, transfer_syntax: str, path: Path, *, is_limited: bool) -> Dataset:
    """dcmread, but for the bookkeeping of a file that may be written again.

    pydicom leaves out an element that reaches beyond the end, without a word, and reads on where there is more.
    """
    is_implicit, is_big = transfer_syntax in IMPLICIT, transfer_syntax == ExplicitVRBigEndian
    elements, bytes_, tell = MAX_ELEMENTS, MAX_HEADER_BYTES, stream.tell

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        """Called for every element: a tenth of the time of reading a header."""
        nonlocal elements, bytes_
        if tag in ANY_PIXELS:
            return True
        if length == UNDEFINED:
            if not is_limited:
                raise _Nested
        elif tell() + length > size:
            _check_end(tell(), length, size, path)
        elements -= 1
        if length <= MAX_VALUE_BYTES:
            bytes_ -= length
        if elements < 0 or bytes_ < 0:
            _check_left(elements, bytes_, path)
        return False

    return read_dataset(stream, is_implicit, not is_big, stop_when=stop, defer_size=MAX_VALUE_BYTES)


def _check_end(at: int, length: int, size: int, path: Path) -> None:
    if length != UNDEFINED and at + length > size:
        refuse("E-TRUNCATED", path, f"an element reaches to byte {at + length} of {size}")


def _check_left(elements: int, bytes_: int, path: Path) -> None:
    if elements < 0:
        refuse("E-TOO-LARGE", path, f"more than the {MAX_ELEMENTS} elements that are allowed")
    if bytes_ < 0:
        refuse("E-TOO-LARGE", path, f"its header is longer than the {MAX_HEADER_BYTES} bytes that are allowed")


@contextmanager
def _guarded(stream: BinaryIO, size: int, path: Path) -> Iterator[None]:
    """What pydicom raises, as errors with a code: nine types were seen on damaged files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what counts is checked here, by us
            yield
    except DicomError:
        raise
    except RecursionError as error:
        refuse("E-NESTED", path, "sequences within sequences, more than pydicom can follow", error)
    except Exception as error:
        if isinstance(error.__context__, DicomError):  # a limit was reached, and pydicom makes it its own
            raise error.__context__ from None
        if isinstance(error, OSError) and error.errno:  # the system's; pydicom's own have none
            raise
        at = stream.tell()
        code = "E-TRUNCATED" if at >= size else "E-UNREADABLE"
        refuse(code, path, f"pydicom stops at byte {at} of {size}: {type(error).__name__}: {error}", error)
