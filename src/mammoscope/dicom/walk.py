"""Every element of a file, those within sequences too, one after the other and within limits.

pydicom reads sequences of defined length when they are asked for; a thousand of them within each other then never end,
and elements that reach beyond their item are cut without a word.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from pydicom.charset import default_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_sequence
from pydicom.tag import BaseTag

from mammoscope.dicom.elements import ITEM_ELEMENTS, MAX_ELEMENTS, UNDEFINED, LimitedStream
from mammoscope.errors import DicomError

MAX_DEPTH: Final = 32  # of sequences within each other; the standard's own need 9
_LONG_BYTES: Final = 1 << 18  # a sequence that is longer may hold more items than are allowed

Step = tuple[BaseTag, int]  # a sequence, and which of its items, from 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file an element is, without its value."""

    steps: tuple[Step, ...]  # empty at the top
    tag: BaseTag
    dataset: Dataset  # which holds it

    @property
    def depth(self) -> int:
        return len(self.steps)

    @property
    def stored(self) -> RawDataElement | DataElement:
        """As it lies in the file, value unconverted, None where it is too long to read; sequences are DataElements."""
        return self.dataset.get_item(self.tag, keep_deferred=True)

    @property
    def element(self) -> DataElement:
        """With its value converted. Raises: whatever pydicom raises for values that their VR forbids."""
        return self.dataset[self.tag]

    @property
    def creator(self) -> str:
        """Of a private element: who reserved its block (PS3.5 7.8.1); empty where nobody did, or it is public."""
        return creator_of(self.dataset, self.tag)

    @property
    def name(self) -> str:
        """Keyword, or (gggg,eeee) where the standard has none, with its creator: (0013,xx10)[CTP]."""
        return name_of(self.dataset, self.tag)


def creator_of(dataset: Dataset, tag: BaseTag) -> str:
    if not tag.is_private or tag.elem < 0x1000:
        return ""
    reserved = BaseTag(tag.group << 16 | tag.elem >> 8)
    creator = dataset.get_item(reserved, keep_deferred=True) if tag.elem >> 8 else None
    value = creator.value if creator is not None else ""
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value or "")).strip(" \0")


def name_of(dataset: Dataset, tag: BaseTag) -> str:
    if not tag.is_private and (keyword := keyword_for_tag(tag)):
        return keyword if tag.group not in _REPEATING else f"{keyword}({tag.group:04x})"
    creator = creator_of(dataset, tag)
    return f"({tag.group:04x},xx{tag.elem & 0xFF:02x})[{creator}]" if creator else f"({tag.group:04x},{tag.elem:04x})"


_REPEATING: Final = frozenset({*range(0x5000, 0x5100, 2), *range(0x6000, 0x6100, 2)})  # curves and overlays


def path_of(place: Place, top: Dataset) -> str:
    """RequestAttributesSequence[0].ScheduledProcedureStepID: names by name_of, items from 0."""
    parts, dataset = [], top
    for tag, item in place.steps:
        parts.append(f"{name_of(dataset, tag)}[{item}]")
        dataset = dataset[tag].value[item]
    return ".".join([*parts, place.name])


def walk(dataset: Dataset, file: str) -> Iterator[Place]:
    """In the order of tags; a sequence comes before what it holds. file: what errors name.

    Raises: DicomError E-NESTED, E-TRUNCATED (an element reaches beyond its item), E-UNREADABLE, E-TOO-LARGE.
    """
    yield from _walk(dataset, (), [MAX_ELEMENTS], file)


def walk_into(sequence: Place, left: list[int], file: str) -> Iterator[Place]:
    """What a sequence holds, as walk gives it. left: the number of elements that may come, one for all of a file."""
    yield from _walk_into(sequence, left, file)


def _walk(dataset: Dataset, steps: tuple[Step, ...], left: list[int], file: str) -> Iterator[Place]:
    for tag in sorted(dataset.keys()):
        _take(1, left, file)
        stored = dataset.get_item(tag, keep_deferred=True)
        if steps and isinstance(stored, RawDataElement):
            _check_length(stored, file)
        place = Place(steps, tag, dataset)
        yield place
        if is_sequence(stored, tag):
            yield from _walk_into(place, left, file)


def _walk_into(place: Place, left: list[int], file: str) -> Iterator[Place]:
    if place.depth == MAX_DEPTH:
        raise DicomError("E-NESTED", file, f"sequences within sequences, deeper than the {MAX_DEPTH} allowed")
    items = _items(place, file)
    _take(ITEM_ELEMENTS * len(items), left, file)
    for number, item in enumerate(items):
        yield from _walk(item, (*place.steps, (place.tag, number)), left, file)


def _take(count: int, left: list[int], file: str) -> None:
    left[0] -= count
    if left[0] < 0:
        raise DicomError("E-TOO-LARGE", file, f"more than the {MAX_ELEMENTS} elements that are allowed")


def is_sequence(stored: RawDataElement | DataElement, tag: BaseTag) -> bool:
    """Told without converting it. Where the file gives no VR, or UN (PS3.5 6.2.2), the standard's dictionary does."""
    return stored.VR == "SQ" if stored.VR not in (None, "UN") else _is_sequence_by_dictionary(tag)


@lru_cache(maxsize=10_000)
def _is_sequence_by_dictionary(tag: BaseTag) -> bool:
    return not tag.is_private and dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _check_length(stored: RawDataElement, file: str) -> None:
    if stored.length != UNDEFINED and stored.value is not None and len(stored.value) != stored.length:
        there = f"{len(stored.value)} of {stored.length} bytes are there"
        raise DicomError("E-TRUNCATED", file, f"{stored.tag} reaches beyond its item: {there}")


def _items(place: Place, file: str) -> Any:
    stored = place.stored
    if isinstance(stored, RawDataElement) and stored.value is None and stored.length:  # it was left in the file
        raise DicomError(
            "E-TOO-LARGE", file, f"{place.tag} is a sequence of {stored.length} bytes, of which none is read"
        )
    try:
        # pydicom leaves a UN of 64 kB and more as it is, whatever the dictionary says of it
        if isinstance(stored, RawDataElement) and (stored.VR == "UN" or stored.length > _LONG_BYTES):
            _read_within_limits(place.dataset, stored, file)
        value = place.element.value
    except DicomError:
        raise
    except RecursionError as error:
        raise DicomError("E-NESTED", file, f"{place.tag}: more nested than pydicom can follow") from error
    except Exception as error:
        if isinstance(error.__context__, DicomError):  # pydicom makes it its own
            raise error.__context__ from None
        what = f"{place.tag} is no sequence that can be read: {type(error).__name__}: {error}"
        raise DicomError("E-UNREADABLE", file, what) from error
    return value if place.element.VR == "SQ" and value is not None else ()


def _read_within_limits(dataset: Dataset, stored: RawDataElement, file: str) -> None:
    """As pydicom converts it, but for the limits."""
    stream = cast(BinaryIO, LimitedStream(io.BytesIO(stored.value or b""), Path(file)))
    encoding = dataset.original_character_set or default_encoding
    start, is_implicit, is_little = stored.value_tell, stored.is_implicit_VR, stored.is_little_endian
    sequence = read_sequence(stream, is_implicit, is_little, len(stored.value or b""), encoding, start)
    dataset[stored.tag] = DataElement(stored.tag, "SQ", sequence, start, already_converted=True)
