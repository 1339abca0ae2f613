"""The header of one file, a line an element: group, element, name, VR, length, value. Safe to print, whatever it is."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID
from pydicom.valuerep import PersonName

from mammoscope.dicom.elements import UNDEFINED
from mammoscope.dicom.layout import Layout, Pixels
from mammoscope.dicom.walk import Place, Step, is_sequence, walk

_MOST_BYTES: Final = 64  # of a binary value that are written out
_MOST_VALUES: Final = 1024  # of an element that are written out: a LUT has 65,536, and no line shows them
_PIXEL_NAMES: Final = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_BINARY_VR: Final = {0x7FE00008: "OF", 0x7FE00009: "OD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderLine:
    """One element; or the beginning of a sequence's item, which has a name and nothing else."""

    depth: int  # sequences that it lies in
    group: str  # four hexadecimal digits
    element: str
    name: str  # keyword, or (gggg,xxee)[creator] of a private element, or (gggg,eeee)
    vr: str
    length: str  # bytes as they lie in the file; "undefined" where only a delimiter tells
    value: str  # in one line, with nothing in it that a terminal obeys


def header_lines(layout: Layout, path: Path) -> Iterator[HeaderLine]:
    """File meta group, data set, pixels as one line, and what follows them where the layout has read it.

    Raises: what `walk` raises, at the place where it stops.
    """
    yield from _lines(Dataset({BaseTag(tag): element for tag, element in layout.meta.items()}), path)
    yield from _lines(layout.dataset, path)
    if layout.pixels is not None:
        yield _pixel_line(layout.pixels)
    yield from _lines(layout.after, path)


def plain(text: str) -> str:
    """Without what a terminal, or a reader's eye, would obey: escapes, line ends, marks that turn the direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _lines(dataset: Dataset, path: Path) -> Iterator[HeaderLine]:
    lengths = [_lengths(dataset)]  # of the data sets that are open: the top, an item in it, ...
    steps: tuple[Step, ...] = ()
    for place in walk(dataset, str(path)):
        if place.steps != steps[: place.depth]:
            yield _item_line(place)
            lengths[place.depth :] = [_lengths(place.dataset)]
        steps = place.steps
        yield _line(place, lengths[place.depth][place.tag])


def _item_line(place: Place) -> HeaderLine:
    name = f"item {place.steps[-1][1] + 1}"
    return HeaderLine(depth=place.depth, group="", element="", name=name, vr="", length="", value="")


def _line(place: Place, length: str) -> HeaderLine:
    vr, value = _value(place)
    return HeaderLine(
        depth=place.depth,
        group=f"{place.tag.group:04x}",
        element=f"{place.tag.elem:04x}",
        name=plain(_name(place.tag) or place.name),
        vr=plain(vr),
        length=length,
        value=plain(value),
    )


def _name(tag: BaseTag) -> str:
    if tag.is_private and 0x10 <= tag.elem <= 0xFF:
        return "PrivateCreator"
    return "GroupLength" if tag.elem == 0 else ""


def _lengths(dataset: Dataset) -> dict[BaseTag, str]:
    """Taken at once: converting one element may convert others (PixelRepresentation), which forgets their lengths."""
    return {tag: _length(dataset.get_item(tag, keep_deferred=True)) for tag in sorted(dataset.keys())}


def _length(stored: RawDataElement | DataElement) -> str:
    if isinstance(stored, RawDataElement):
        return "undefined" if stored.length == UNDEFINED else str(stored.length)
    return "undefined" if stored.is_undefined_length else "0"  # pydicom has read: sequences, and what is empty


def _value(place: Place) -> tuple[str, str]:
    """VR and value."""
    stored = place.stored
    if is_sequence(stored, place.tag):
        return "SQ", ""  # its items follow; `walk` opens them, within limits
    if isinstance(stored, RawDataElement) and stored.value is None and stored.length:  # else it is empty
        return stored.VR or "", f"({stored.length} bytes, left in the file)"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            element = place.element
            return element.VR, _text(element)
    except Exception as error:  # each VR fails in its own way
        raw = stored.value if isinstance(stored.value, bytes) else str(stored.value).encode("utf-8", "replace")
        return stored.VR or "", f"{_bytes_text(raw)} (not readable: {type(error).__name__})"


def _text(element: DataElement) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return _bytes_text(value) if element.VR == "UN" else _hexadecimal(value)
    if isinstance(value, UID):
        return f"{value} = {value.name}" if value.name != value else str(value)
    if isinstance(value, (str, PersonName)) or not hasattr(value, "__iter__"):
        return str(value)
    values = list(value)
    shown = "\\".join(str(one) for one in values[:_MOST_VALUES])
    return shown if len(values) <= _MOST_VALUES else f"{shown}\\... ({len(values)} values)"


def _bytes_text(value: bytes) -> str:
    """As text where it is some, which most private elements of implicit files are; else hexadecimal."""
    stripped = value.rstrip(b" \0")
    if stripped and stripped.isascii() and stripped.decode("ascii").isprintable():
        return stripped.decode("ascii")
    return _hexadecimal(value)


def _hexadecimal(value: bytes) -> str:
    shown = value[:_MOST_BYTES].hex(" ")
    return shown if len(value) <= _MOST_BYTES else f"{shown} ..."


def _pixel_line(pixels: Pixels) -> HeaderLine:
    vr = _BINARY_VR.get(pixels.tag, "OB" if pixels.is_encapsulated else "OW")
    how = f"(compressed, {pixels.length} bytes)" if pixels.is_encapsulated else "(not read)"
    return HeaderLine(
        depth=0,
        group=f"{pixels.tag >> 16:04x}",
        element=f"{pixels.tag & 0xFFFF:04x}",
        name=_PIXEL_NAMES[pixels.tag],
        vr=vr,
        length="undefined" if pixels.is_encapsulated else str(pixels.length),
        value=how if pixels.fault is None else f"({pixels.fault.code}: {plain(pixels.fault.reason)})",
    )
