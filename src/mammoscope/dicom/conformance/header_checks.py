"""Every element of a header against PS3.5 and PS3.6: its place, its value representation, its value. Warnings all.

Reasons begin with the path of the element that they are about.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from mammoscope.dicom.conformance.value_checks import (
    Characters,
    Fault,
    characters,
    is_blank,
    is_known,
    value_faults,
    vr_faults,
    vr_in_dictionary,
)
from mammoscope.dicom.elements import UNDEFINED, Elements, text
from mammoscope.dicom.layout import Layout
from mammoscope.dicom.walk import name_of, path_of, walk

_CHARACTER_SET: Final = 0x00080005
_IN_META: Final = {  # of type 1 in PS3.10 7.1
    0x00020001: "FileMetaInformationVersion",
    0x00020002: "MediaStorageSOPClassUID",
    0x00020003: "MediaStorageSOPInstanceUID",
    0x00020010: "TransferSyntaxUID",
    0x00020012: "ImplementationClassUID",
}
_SAME: Final = {"MediaStorageSOPClassUID": "SOPClassUID", "MediaStorageSOPInstanceUID": "SOPInstanceUID"}


def meta_faults(layout: Layout) -> Iterator[Fault]:
    """Of group 0002, by itself and against the data set."""
    meta = layout.meta
    for tag, name in _IN_META.items():
        if tag not in meta or is_blank(meta[tag]):
            yield "W-META", f"{name} is {'empty' if tag in meta else 'absent'}"
    yield from _meta_length_faults(meta)
    for of_meta, name in _SAME.items():
        said, found = text(meta, of_meta), text(layout.elements, name)
        if said and found and said != found:
            yield "W-META", f"{of_meta} is not {name} of the data set"
    for number, stored in meta.items():
        tag = BaseTag(number)
        for code, what in _element_faults(stored, tag, "", Characters()):
            yield code, f"{name_of(Dataset(), tag)} {what}"


def _meta_length_faults(meta: Elements) -> Iterator[Fault]:
    stored = meta.get(0x00020000)
    if not isinstance(stored, RawDataElement) or not isinstance(stored.value, bytes) or len(stored.value) != 4:
        yield "W-META", "FileMetaInformationGroupLength is absent or no number"
        return
    ends = (e.value_tell + e.length for e in meta.values() if isinstance(e, RawDataElement) and e.length != UNDEFINED)
    said, found = int.from_bytes(stored.value, "little"), max(ends) - stored.value_tell - 4
    if said != found:
        yield "W-META", f"FileMetaInformationGroupLength is {said}; the group has {found} bytes"


def element_faults(top: Dataset, file: str) -> Iterator[Fault]:
    """Of every element, those within sequences too. file: what errors name. Raises: DicomError, as walk."""
    levels: list[tuple[Dataset, Characters]] = []  # the data set at each depth, and what its characters are
    for place in walk(top, file):
        if len(levels) <= place.depth or levels[place.depth][0] is not place.dataset:
            chars = levels[place.depth - 1][1] if place.depth else Characters()
            levels[place.depth :] = [(place.dataset, _characters(place.dataset, chars))]
            below = path_of(place, top).removesuffix(place.name)
            yield from ((code, f"{below}{what}") for code, what in _order_faults(place.dataset))
        faults = list(_element_faults(place.stored, place.tag, place.creator, levels[place.depth][1]))
        if faults:
            where = path_of(place, top)
            yield from ((code, f"{where} {what}") for code, what in faults)


def _characters(dataset: Dataset, inherited: Characters) -> Characters:
    stored = dataset.get_item(_CHARACTER_SET, keep_deferred=True) if _CHARACTER_SET in dataset else None
    return characters(stored.value)[0] if stored is not None and isinstance(stored.value, bytes) else inherited


def _element_faults(
    stored: RawDataElement | DataElement, tag: BaseTag, creator: str, chars: Characters
) -> Iterator[Fault]:
    if tag.element == 0 and tag.group != 2:  # a group's length: retired, and nobody reads it
        return
    yield from _tag_faults(tag, creator)
    in_dictionary = vr_in_dictionary(tag, creator)
    if not tag.is_private:
        yield from vr_faults(stored, in_dictionary)
    if isinstance(stored, RawDataElement):
        yield from value_faults(stored, in_dictionary, chars)
        if tag == _CHARACTER_SET and isinstance(stored.value, bytes):
            for term in characters(stored.value)[1]:
                yield "W-CHARSET", f"names {term!r}, which the standard does not define"


def _tag_faults(tag: BaseTag, creator: str) -> Iterator[Fault]:
    """PS3.5 7.1 and 7.8.1."""
    if tag.is_private:
        if tag.element >= 0x1000 and not creator:
            yield "W-PRIVATE", "lies in a private block that nobody has reserved"
        elif tag.group < 9 or tag.group == 0xFFFF or not (0x10 <= tag.element <= 0xFF or tag.element >= 0x1000):
            yield "W-PRIVATE", "lies where no private element may be"
    elif not is_known(tag):
        yield "W-TAG", "is no element of the standard, although its group is even"


def _order_faults(dataset: Dataset) -> Iterator[Fault]:
    """Told before anything is converted.

    Of two elements of one tag pydicom keeps the first one's place and the last one's value: their bytes are then out
    of order, or bytes between two others belong to none. Behind a sequence of undefined length, nobody can tell.
    """
    stored = list(dataset.values())
    for before, after in pairwise(stored):
        if after.tag < before.tag:
            yield "W-ORDER", f"{name_of(dataset, after.tag)} comes behind {name_of(dataset, before.tag)}"
        elif _is_gap(before, after):
            yield "W-DUPLICATE", f"{name_of(dataset, after.tag)} or the element before it is given twice"


def _is_gap(before: RawDataElement | DataElement, after: RawDataElement | DataElement) -> bool:
    if not isinstance(before, RawDataElement) or not isinstance(after, RawDataElement) or before.length == UNDEFINED:
        return False
    is_long = not after.is_implicit_VR and after.VR in EXPLICIT_VR_LENGTH_32
    return after.value_tell - (12 if is_long else 8) != before.value_tell + before.length
