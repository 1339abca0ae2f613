"""One file -> the values of all of its elements, each with its path, sequences and private blocks too."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_VR, private_dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from mammoscope.dicom.elements import MAX_ELEMENTS, Elements
from mammoscope.dicom.headers.selection import Selection
from mammoscope.dicom.headers.values import EMPTY, KINDS, Kind, Scalar, Value, Values
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.dicom.walk import Place, Step, creator_of, is_sequence, name_of, walk_into
from mammoscope.errors import DicomError

MAX_ITEMS: Final = 16  # of a sequence that get columns; a volume has hundreds
MAX_CELLS: Final = 4096  # of a file
FACTS: Final = (
    "PatientID",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "SOPInstanceUID",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "Laterality",
    "ImageLaterality",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "Rows",
    "Columns",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
)
_FACT_OF: Final[Mapping[int, str]] = {tag_for_keyword(keyword): keyword for keyword in FACTS}  # type: ignore[misc]
_DEFAULT: Final = ("iso8859",)
_SIGNED: Final = b"\1\0"
_MOST_REMEMBERED: Final = 65_536  # elements
# TCIA's tool leaves project, trial, site and its number, in files that mostly give no VR; pydicom does not know them
_CTP: Final = {("CTP", 0x0013, element): "LO" for element in (0x10, 0x11, 0x12, 0x13)}
_META: Final = Dataset()  # that holds what has no private blocks and no sequences


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """What a column may be made of: one object for each, compared by identity."""

    name: str  # ViewCodeSequence[0].CodeValue, as of walk.path_of
    tag: str  # (0054,0220)[0].(0008,0100); of private blocks as in the name: (0013,xx10)
    vr: str  # the file's; where it gives none or UN, the dictionary's (PS3.5 6.2.2)
    kind: Kind
    is_taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    cells: list[tuple[Element, Value]]
    facts: Mapping[str, str]  # by keyword, those that the file has, as text; whatever was selected
    empty: tuple[str, ...]  # elements that are there without a value, and sequences and items without elements
    more: str | None  # JSON, by path: of items beyond MAX_ITEMS and elements beyond MAX_CELLS
    file_bytes: int
    pixels_at: int | None  # in the file, or in what a deflated one unfolds to
    pixel_bytes: int | None
    transfer_syntax: str
    error: DicomError | None  # why what stands here may not be all, or the pixels are not


class RowReader:
    """Remembers elements and values from file to file. Final."""

    def __init__(self, selection: Selection = Selection()):  # noqa: B008  (frozen)
        self._selection = selection
        self._elements: dict[tuple[Element | None, int, BaseTag, str | None, str, bool], Element] = {}
        # public ones at the top, which nearly all are: by whether words are signed
        self._plain: dict[bool, dict[tuple[int, str | None], Element]] = {False: {}, True: {}}
        self._values = Values()

    def read(self, path: Path) -> Row:
        """Raises: DicomError where nothing of the file can be told (see codes.CODES)."""
        with open_dicom(path, after=True) as layout:
            filling = _Filling(layout, layout.pixels.fault if layout.pixels else None)
            self._fill(filling, layout, str(path))
        pixels = layout.pixels
        return Row(
            cells=filling.cells,
            facts=filling.facts,
            empty=tuple(filling.empty),
            more=json.dumps(filling.more, ensure_ascii=False) if filling.more else None,
            file_bytes=layout.file_bytes,
            pixels_at=pixels.at if pixels else None,
            pixel_bytes=pixels.length if pixels else None,
            transfer_syntax=layout.transfer_syntax,
            error=filling.error,
        )

    def _fill(self, filling: "_Filling", layout: Layout, file: str) -> None:
        try:
            self._add_top(filling, _META, layout.meta, file)
            self._add_top(filling, layout.dataset, layout.elements, file)
            if layout.after:
                self._add_top(filling, layout.after, {int(tag): stored for tag, stored in layout.after.items()}, file)
        except DicomError as error:
            filling.error = error

    def _add_top(self, filling: "_Filling", top: Dataset, as_read: Elements, file: str) -> None:
        """as_read: what pydicom may have converted since, as it does with PixelRepresentation."""
        if len(as_read) > MAX_ELEMENTS:
            raise DicomError("E-TOO-LARGE", file, f"more than the {MAX_ELEMENTS} elements that are allowed")
        encodings, plain = _encodings(top), self._plain[filling.is_signed]
        for tag in sorted(as_read):
            stored = as_read[tag]
            element = plain.get((tag, stored.VR))
            if element is None:
                place = Place((), BaseTag(tag), top)
                element = self._element(filling, place, stored)
                if element.vr == "SQ":
                    self._add_items(filling, place, element.name, file)
                    continue
                if not place.tag.is_private:
                    plain[tag, stored.VR] = element
            if element.is_taken or tag in _FACT_OF:
                self._add(filling, element, _FACT_OF.get(tag), self._value(element.vr, stored, encodings))

    def _add_items(self, filling: "_Filling", top: Place, name: str, file: str) -> None:
        sequences, holder, encodings = [(name, top)], top.dataset, _encodings(top.dataset)
        for place in walk_into(top, filling.left, file):
            if place.dataset is not holder:
                holder, encodings = place.dataset, _encodings(place.dataset)
            element = self._element(filling, place, place.stored)
            if element.vr == "SQ":
                sequences.append((element.name, place))
            elif element.is_taken:
                value = self._value(element.vr, place.stored, encodings)
                self._add(filling, element, None, value, is_beyond=any(n >= MAX_ITEMS for _, n in place.steps))
        filling.empty += [name for sequence, place in sequences for name in _empty_in(sequence, place.stored)]

    def _add(
        self, filling: "_Filling", element: Element, fact: str | None, value: Value, *, is_beyond: bool = False
    ) -> None:
        if fact is not None and value is not EMPTY:
            filling.facts[fact] = value.original if value.original is not None else as_text(value.typed)
        if not element.is_taken:
            return
        if value is EMPTY:
            filling.empty.append(element.name)
        if is_beyond or len(filling.cells) >= MAX_CELLS:
            filling.more[element.name] = value.original if value.original is not None else as_json(value.typed)
        else:
            filling.cells.append((element, value))

    def _value(self, vr: str, stored: RawDataElement | DataElement, encodings: tuple[str, ...]) -> Value:
        value = stored.value
        if isinstance(stored, RawDataElement):
            if isinstance(value, bytes):
                return self._values.of(vr, value, encodings, is_little=stored.is_little_endian)
            # None: empty, or left in the file
            return Value(None, left_out_bytes=stored.length) if value is None and stored.length else EMPTY
        return self._converted(vr, value)

    def _converted(self, vr: str, value: Any) -> Value:
        """Of an element that pydicom has converted: PixelRepresentation, when it reads sequences beside it."""
        if value is None or value == "" or value == b"":
            return EMPTY
        is_list = isinstance(value, list | MultiValue)
        if vr in ("FD", "FL") or (KINDS[vr] in (Kind.whole, Kind.big) and vr != "IS"):
            return Value(list(value) if is_list else value)
        raw = value if isinstance(value, bytes) else "\\".join(map(str, value if is_list else [value])).encode()
        return self._values.of(vr, raw, ("utf8",))

    def _element(self, filling: "_Filling", place: Place, stored: RawDataElement | DataElement) -> Element:
        tag, steps = place.tag, place.steps
        holder = filling.sequences[steps[:-1], steps[-1][0]] if steps else None
        item = steps[-1][1] if steps else 0
        creator = creator_of(place.dataset, tag) if tag.is_private else ""
        key = (holder, item, tag, stored.VR, creator, filling.is_signed)
        element = self._elements.get(key)
        if element is None:
            vr = _vr(tag, stored.VR, creator, filling.is_signed)
            if vr == "SQ" and not is_sequence(stored, tag):
                vr = "UN"  # the dictionary of a private block, which nobody can rely on
            element = self._new_element(place, vr, creator, holder)
            if len(self._elements) >= _MOST_REMEMBERED:
                self._elements.clear()
                self._plain[False].clear()
                self._plain[True].clear()
            self._elements[key] = element
        if element.vr == "SQ":
            filling.sequences[steps, tag] = element
        return element

    def _new_element(self, place: Place, vr: str, creator: str, holder: Element | None) -> Element:
        tag, name = place.tag, name_of(place.dataset, place.tag)
        path = f"({tag.group:04x},xx{tag.elem & 0xFF:02x})" if creator else f"({tag.group:04x},{tag.elem:04x})"
        if holder is not None:
            item = place.steps[-1][1]
            name, path = f"{holder.name}[{item}].{name}", f"{holder.tag}[{item}].{path}"
        return Element(name, path, vr, KINDS.get(vr, Kind.binary), self._selection.takes(name, path))


@dataclass(slots=True)
class _Filling:
    """One row while it grows."""

    layout: Layout
    error: DicomError | None
    cells: list[tuple[Element, Value]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    sequences: dict[tuple[tuple[Step, ...], BaseTag], Element] = field(default_factory=dict)
    left: list[int] = field(default_factory=lambda: [MAX_ELEMENTS])  # that sequences may still hold
    is_signed: bool = field(init=False)

    def __post_init__(self) -> None:
        stored = self.layout.elements.get(0x00280103)  # PixelRepresentation, of whole numbers that may be signed
        self.is_signed = stored is not None and stored.value in (_SIGNED, _SIGNED[::-1])


def _vr(tag: BaseTag, stored: str | None, creator: str, is_signed: bool) -> str:
    vr = stored
    if stored is None or stored == "UN":
        vr = _dictionary_vr(tag, creator)
    if vr == "US or SS":
        return "SS" if is_signed else "US"
    if vr and " or " in vr:  # in implicit files always words (PS3.5 annex A.1)
        return "OW"
    return vr if vr in KINDS or vr == "SQ" else "UN"


def _dictionary_vr(tag: BaseTag, creator: str) -> str:
    try:
        if creator:
            return _CTP.get((creator, tag.group, tag.elem & 0xFF)) or private_dictionary_VR(tag, creator)
        if not tag.is_private:
            return dictionary_VR(tag)  # overlays and curves, too
    except KeyError:
        pass
    if tag.is_private and 0x10 <= tag.elem <= 0xFF:
        return "LO"  # who reserves a block
    return "UL" if tag.elem == 0 else "UN"  # group lengths


def _encodings(dataset: Dataset) -> tuple[str, ...]:
    found = dataset.original_character_set or _DEFAULT
    return (found,) if isinstance(found, str) else tuple(found)


def _empty_in(name: str, stored: RawDataElement | DataElement) -> Iterator[str]:
    items = stored.value if isinstance(stored, DataElement) and stored.VR == "SQ" else None
    if not items:
        yield name
    for number, item in enumerate(items or ()):
        if not item:
            yield f"{name}[{number}]"


def as_text(value: Scalar | list[Scalar | None] | None) -> str:
    """Values of a list between backslashes, as DICOM writes them; dates and times in ISO form; bytes in hexadecimal."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\\".join(as_text(each) for each in value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | time):
        return value.isoformat()
    return "" if value is None else str(value)


def as_json(value: Scalar | list[Scalar | None] | None) -> Any:
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value if value is None or isinstance(value, str | int | float) else as_text(value)
