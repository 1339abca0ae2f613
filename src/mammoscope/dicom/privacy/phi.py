"""One file -> what in it identifies a person: where, and what de-identification would do about it, never the value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import ExplicitVRBigEndian

from mammoscope.dicom.elements import Elements, text
from mammoscope.dicom.iod import iod_of
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.dicom.privacy.identity import Identity, identity_of, is_source
from mammoscope.dicom.privacy.judging import PROFILE_CODE, Claim, Judge, is_valid, known_creator, raw_of, vr_of
from mammoscope.dicom.privacy.names import is_safe_name
from mammoscope.dicom.privacy.pixel_text import has_text
from mammoscope.dicom.privacy.profile import Action, Options, is_graphics
from mammoscope.dicom.privacy.pseudonyms import is_keyed_uid, is_well_known
from mammoscope.dicom.privacy.why import Why
from mammoscope.dicom.walk import Place, Step, creator_of, is_sequence, walk
from mammoscope.errors import DicomError

FILE: Final = "file"  # a place: all of it
_PREAMBLE_BYTES: Final = 128
_META_KEPT: Final = {  # what is no more than software and kind of file (PS3.10 7.1), with its VR
    0x00020000: "UL",
    0x00020001: "US",  # OB of two bytes
    0x00020002: "UI",
    0x00020010: "UI",
    0x00020012: "UI",
    0x00020013: "SH",
}
_META_BYTES: Final = {"UL": 4, "US": 2}
_META_UID: Final = 0x00020003
_CODES: Final = int(Tag("DeidentificationMethodCodeSequence"))
_CODE_VALUE: Final = int(Tag("CodeValue"))
_BURNED_IN: Final = int(Tag("BurnedInAnnotation"))
_SECONDARY_CAPTURES: Final = "1.2.840.10008.5.1.4.1.1.7"  # and those of more frames below it
_OF_SCREENS: Final = frozenset(("CR", "ES", "OT", "US", "XC"))  # modalities that write their texts into the picture


@dataclass(frozen=True, slots=True)
class Finding:
    place: str  # path of an element; or which name, or which part of the file
    vr: str
    length: int  # bytes, or characters of a name
    why: Why
    action: Action
    code: str = ""  # of the error, where something could not be read


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that was walked through: what the audit and the cleaning both start from."""

    places: tuple[tuple[Place, RawDataElement | DataElement], ...] = field(repr=False)
    behind: tuple[tuple[Place, RawDataElement | DataElement], ...] = field(repr=False)
    identity: Identity
    judge: Judge


def audit_file(path: Path, names: Sequence[str] = ()) -> tuple[Finding, ...]:
    """names: of the folders that are looked at, and of the file, as they follow each other in its path."""
    try:
        with open_dicom(path, after=True) as layout:
            seen = see(layout, path, Options(), is_held_to_claim=True)
            identity, found = seen.identity, [*findings_in(layout, seen), *pixel_findings(layout, seen)]
    except DicomError as error:
        identity = Identity(frozenset())
        found = [Finding(FILE, "", 0, Why.unread_file, Action.refuse, error.code)]
    return (*_names(names, identity), *found)


def see(layout: Layout, path: Path, options: Options, *, is_held_to_claim: bool = False) -> Seen:
    """Raises: DicomError, see walk."""
    places = tuple(_places(layout, path))
    behind = tuple((place, place.stored) for place in walk(layout.after, str(path)))
    identity = identity_of(
        (int(stored.tag), vr_of(stored), stored.value)
        for _, stored in (*places, *behind)
        if isinstance(stored.value, bytes) and is_source(int(stored.tag), stored.VR)
    )
    iod = iod_of(text(layout.elements, "SOPClassUID"))
    claim = _claim_of(layout) if is_held_to_claim else None
    return Seen(places, behind, identity, Judge(identity, iod.attributes if iod else {}, options, claim))


def _places(layout: Layout, path: Path) -> Iterator[tuple[Place, RawDataElement | DataElement]]:
    dataset, elements = layout.dataset, layout.elements
    if not any(is_sequence(element, element.tag) for element in elements.values()):  # of most files; a third faster
        yield from ((Place((), elements[tag].tag, dataset), elements[tag]) for tag in sorted(elements))
        return
    is_little = layout.transfer_syntax != ExplicitVRBigEndian
    for place in list(walk(dataset, str(path))):  # to its end: reading a sequence converts what stands beside it
        yield place, raw_of(place, is_little=is_little)


def findings_in(layout: Layout, seen: Seen) -> Iterator[Finding]:
    """All but what pixel_findings has, and names of files."""
    yield from _around(layout, seen)
    yield from _elements(layout, seen)


def pixel_findings(layout: Layout, seen: Seen) -> Iterator[Finding]:
    """What keeps the picture itself from being trusted: flagged, not guessed."""
    if layout.pixels is None:
        return
    elements, length, said = layout.elements, layout.pixels.length, text(layout.elements, "BurnedInAnnotation")
    is_reviewed = said == "NO" and seen.judge.claim is not None  # see Deidentifier.is_reviewed
    if layout.pixels.fault is not None:
        yield Finding("PixelData", "", length, Why.unread_file, Action.refuse, layout.pixels.fault.code)
    if not is_reviewed and f"{text(elements, 'SOPClassUID')}.".startswith(f"{_SECONDARY_CAPTURES}."):
        yield Finding("PixelData", "", length, Why.secondary_capture, Action.refuse)
    if said == "YES":
        yield Finding("BurnedInAnnotation", "CS", len(said), Why.burned_in, Action.refuse)
    elif said != "NO" and _must_say(elements):
        yield Finding("BurnedInAnnotation", "CS", len(said), Why.burned_in_unsaid, Action.refuse)
    if has_text(layout, seen.identity):
        yield Finding("PixelData", "", length, Why.pixel_text, Action.refuse)


def _must_say(elements: Elements) -> bool:
    iod = iod_of(text(elements, "SOPClassUID"))
    burned_in = iod.attributes.get(_BURNED_IN) if iod else None
    is_demanded = burned_in is None or burned_in.kind in ("1", "1C")
    return is_demanded or bool(text(elements, "ConversionType")) or text(elements, "Modality") in _OF_SCREENS


def _claim_of(layout: Layout) -> Claim | None:
    elements = layout.elements
    if text(elements, "PatientIdentityRemoved") != "YES" or _CODES not in elements:
        return None
    sequence = layout.dataset[_CODES].value
    codes = {text({_CODE_VALUE: item.get_item(_CODE_VALUE)}, "CodeValue") for item in sequence if _CODE_VALUE in item}
    if PROFILE_CODE not in codes:
        return None
    return Claim(frozenset(codes), text(elements, "LongitudinalTemporalInformationModified") == "MODIFIED")


def _around(layout: Layout, seen: Seen) -> Iterator[Finding]:
    """What lies around the data set."""
    if layout.preamble.strip(b"\0"):
        yield Finding("preamble", "", _PREAMBLE_BYTES, Why.preamble, Action.rewrite)
    if layout.beyond_bytes:
        yield Finding("behind the data set", "", layout.beyond_bytes, Why.behind, Action.rewrite)
    for tag, element in layout.meta.items():
        value = element.value if isinstance(element.value, bytes) else b""
        is_kept = _is_fit_for_meta(_META_KEPT.get(tag, ""), value) and not seen.identity.is_in(value)
        if is_kept or not value.strip(b" \0"):
            continue
        uid = value.decode("latin-1").strip(" \0")
        if tag != _META_UID or not ((seen.judge.claim and is_keyed_uid(uid)) or is_well_known(uid)):
            place = keyword_for_tag(tag) or str(Tag(tag))
            yield Finding(f"file meta: {place}", element.VR or "", len(value), Why.meta, Action.rewrite)


def _is_fit_for_meta(vr: str, value: bytes) -> bool:
    """Of one value in the file meta group."""
    return len(value) == _META_BYTES.get(vr, len(value)) and is_valid(vr, value)


def _elements(layout: Layout, seen: Seen) -> Iterator[Finding]:
    gone: set[tuple[Step, ...]] = set()  # items of sequences that are removed
    for place, stored in seen.places:
        judged = seen.judge.judge(place, stored)
        is_gone = bool(gone) and any(place.steps[: n + 1] in gone for n in range(place.depth))
        if judged.action in (Action.remove, Action.empty) and stored.VR == "SQ":
            gone.update((*place.steps, (place.tag, n)) for n in range(len(stored.value or ())))
        if judged.why is not None:
            action = Action.remove if is_gone else judged.action
            yield Finding(path_in(layout.dataset, place), vr_of(stored), length_of(stored), judged.why, action)
    for place, stored in seen.behind:
        path = f"behind the pixels: {path_in(layout.after, place)}"
        yield Finding(path, vr_of(stored), length_of(stored), Why.behind, Action.remove)


def _names(names: Sequence[str], identity: Identity) -> Iterator[Finding]:
    for number, name in enumerate(names, start=1):
        if not is_safe_name(name, identity):
            is_file = number == len(names)
            why, place = (Why.file_name, "file name") if is_file else (Why.folder_name, f"folder name {number}")
            yield Finding(place, "", len(name), why, Action.rewrite)


def length_of(stored: RawDataElement | DataElement) -> int:
    """Bytes; of a sequence its items."""
    if isinstance(stored.value, bytes) or stored.value is None:
        return stored.length if isinstance(stored, RawDataElement) else len(stored.value or b"")
    return len(stored.value)


def path_in(top: Dataset, place: Place) -> str:
    """As walk.path_of, but for creators of private blocks: only known products are named, others may be persons."""
    if not place.steps:
        return _name(top, place.tag)
    parts, dataset = [], top
    for tag, item in place.steps:
        parts.append(f"{_name(dataset, tag)}[{item}]")
        dataset = dataset[tag].value[item]
    return ".".join([*parts, _name(dataset, place.tag)])


def _name(dataset: Dataset, tag: BaseTag) -> str:
    if not tag.is_private:
        return _public_name(int(tag))
    creator = creator_of(dataset, tag)
    return f"({tag.group:04x},{tag.elem:04x})" + (f"[{creator}]" if creator and known_creator(creator) else "")


@cache
def _public_name(tag: int) -> str:
    keyword = keyword_for_tag(tag)
    return keyword if keyword and not is_graphics(tag) else f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
