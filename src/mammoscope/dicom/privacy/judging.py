"""What an element says about a person, and what de-identification does to it: the audit and the cleaning ask the same.

What a value says is never carried along: a judgement is about a place.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from pydicom.datadict import dictionary_VM, private_dictionaries
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import Tag

from mammoscope.dicom.iod import Attributes
from mammoscope.dicom.privacy.coded_concepts import CODE_MEANING, SCHEME_VERSION, is_plain_version, meaning_of
from mammoscope.dicom.privacy.identity import SOURCES, Identity
from mammoscope.dicom.privacy.profile import (
    ANY_TEXT,
    CODE,
    REMOVED,
    SAFE_PRIVATE,
    TEMPORAL,
    Action,
    Options,
    Rule,
    action_of,
    dummy_of,
    is_graphics,
    kept,
    rule_of,
    safe_private_values,
    vrs_of,
)
from mammoscope.dicom.privacy.pseudonyms import is_keyed_or_well_known, is_pseudonym, is_well_known
from mammoscope.dicom.privacy.why import Why
from mammoscope.dicom.walk import Place, Step

PATIENT_NAME, PATIENT_ID, PATIENT_AGE = (int(Tag(k)) for k in ("PatientName", "PatientID", "PatientAge"))
PROFILE_CODE: Final = "113100"  # PS3.16 CID 7050: Basic Application Confidentiality Profile
DATES_CODE: Final = "113107"  # ... Retain Longitudinal Temporal Information Modified Dates Option
DEVICE_CODE: Final = "113109"  # ... Retain Device Identity Option
PRIVATE_CODE: Final = "113111"  # ... Retain Safe Private Option
METHOD: Final = {
    PROFILE_CODE: "Basic Application Confidentiality Profile",
    DATES_CODE: "Retain Longitudinal Temporal Information Modified Dates Option",
    DEVICE_CODE: "Retain Device Identity Option",
    PRIVATE_CODE: "Retain Safe Private Option",
}
_METHOD_TAG: Final = int(Tag("DeidentificationMethod"))
_TEXT_VRS: Final = frozenset(("AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT", "UN", "OB", "OW"))
_OLDEST_SAID: Final = 89  # years: HIPAA 164.514(b)(2)(i)(C)


@dataclass(frozen=True, slots=True)
class Judgement:
    action: Action
    why: Why | None  # None: it identifies nobody


@dataclass(frozen=True, slots=True)
class Claim:
    """What a file says of its own de-identification. It is held to it: see Judge."""

    codes: frozenset[str]
    has_modified_dates: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Of one file.

    claim: where the file says that the profile was applied to it, UIDs and names are let pass that have the form of
    ours, dates where it says that they were moved, the device where it says that it was retained. Nothing else is.
    """

    identity: Identity
    attributes: Attributes  # of the file's IOD
    options: Options
    claim: Claim | None = None

    def judge(self, place: Place, stored: RawDataElement | DataElement) -> Judgement:
        tag, vr = int(place.tag), vr_of(stored)
        if tag & 0xFFFF == 0:
            return _GONE  # a group's length (retired)
        if tag >> 16 & 1:
            return self._judge_private(place, stored)
        rule = rule_of(tag)
        if is_empty(stored, vr):
            return _STAYS if rule or tag in kept() else _GONE
        if is_graphics(tag):
            return _GRAPHICS
        if rule is not None:
            return self._judge_listed(place, stored, vr, rule)
        if tag in kept():
            return self._judge_kept(place, stored, vr)
        if tag == _METHOD_TAG and all(text in METHOD.values() for text in _texts(stored)):
            return _STAYS
        why = Why.person if vr == "PN" else Why.own if self._is_own(vr, stored) else Why.unknown
        return _judgement(Action.remove, why)

    def kind(self, steps: Sequence[Step], tag: int) -> str | None:
        """The type that the file's IOD gives the element in this place."""
        attributes = self.attributes
        for sequence, _ in steps:
            if sequence not in attributes:
                return None
            attributes = attributes[sequence].items
        return attributes[tag].kind if tag in attributes else None

    def _judge_private(self, place: Place, stored: RawDataElement | DataElement) -> Judgement:
        if place.tag.elem < 0x100:
            return _GONE if _text(stored) in _known_creators() or is_empty(stored, "LO") else _PRIVATE
        if _text(stored) in safe_private_values(place.creator, int(place.tag)):
            return _STAYS
        if is_empty(stored, vr_of(stored)):
            return _GONE
        return _judgement(Action.remove, Why.own) if self._is_own("UN", stored) else _PRIVATE

    def _judge_listed(self, place: Place, stored: RawDataElement | DataElement, vr: str, rule: Rule) -> Judgement:
        tag = int(place.tag)
        action = action_of(rule, vr, self._kind_for(rule, place), self.options)
        if tag in (PATIENT_NAME, PATIENT_ID):
            action = Action.dummy  # a pseudonym, where the profile would have the name empty
        if vr == "UI" and all(is_well_known(uid) for uid in _texts(stored)):
            return _STAYS
        if self.claim is not None and _is_replaced(tag, vr, stored, rule, self.claim):
            return _STAYS
        if vr == "SQ" and action is Action.uid:
            return _judgement(action, None)  # what is in its items is judged there
        is_own = tag not in SOURCES and vr != "PN" and self._is_own(vr, stored)
        if action is Action.keep and is_own:
            action = Action.remove
        if tag == PATIENT_AGE and _years(stored) > _OLDEST_SAID:
            return _judgement(action, Why.age)
        return _judgement(action, Why.own if is_own else Why.listed)

    def _judge_kept(self, place: Place, stored: RawDataElement | DataElement, vr: str) -> Judgement:
        tag, value = int(place.tag), stored.value
        if vr == "SQ" and vrs_of(tag) == ("SQ",):
            return _STAYS
        if value is None:
            return _judgement(Action.remove, Why.unread)
        allowed = kept()[tag]
        is_own = allowed != CODE and self._is_own(vr, stored)
        fits = _fit(tag, vr, value) if isinstance(value, bytes) else Why.invalid
        if fits is Why.uid and self.claim and all(map(is_keyed_or_well_known, _texts(stored))):
            return _STAYS
        if fits is Why.uid:
            return _judgement(Action.uid, Why.uid)
        if fits is Why.unknown and self.claim and _text(stored) == REMOVED:
            return _STAYS
        if is_own or fits is not None:
            return _judgement(self._without(place), Why.own if is_own else fits)
        return _judge_code(place, stored) if allowed == CODE else _STAYS

    def _kind_for(self, rule: Rule, place: Place) -> str | None:
        return self.kind(place.steps, int(place.tag)) if "/" in rule.basic else None

    def _without(self, place: Place) -> Action:
        """What becomes of an element that could stay, were it not for its value."""
        match self.kind(place.steps, int(place.tag)):
            case "1":
                return Action.dummy
            case "2":
                return Action.empty
            case _:
                return Action.remove

    def _is_own(self, vr: str, stored: RawDataElement | DataElement) -> bool:
        if not isinstance(stored.value, bytes):
            return False
        if vr in ("DS", "IS"):
            return self.identity.is_number(stored.value)
        return vr in _TEXT_VRS and self.identity.is_in(stored.value)


@cache
def _judgement(action: Action, why: Why | None) -> Judgement:
    return Judgement(action, why)


_STAYS: Final = _judgement(Action.keep, None)
_GONE: Final = _judgement(Action.remove, None)
_PRIVATE: Final = _judgement(Action.remove, Why.private)
_GRAPHICS: Final = _judgement(Action.remove, Why.graphics)

_NUMBER: Final = rb"[ \0]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?[ \0]*"
_VALID: Final = {
    "CS": re.compile(rb"[A-Za-z0-9_ .+/-]{0,16}(\\[A-Za-z0-9_ .+/-]{0,16})*\0?"),  # small letters are common, and wrong
    "DS": re.compile(rb"(%b)?(\\(%b)?)*" % (_NUMBER, _NUMBER)),
    "IS": re.compile(rb"([ \0]*[+-]?\d{1,10}[ \0]*)?(\\([ \0]*[+-]?\d{1,10}[ \0]*)?)*"),
    "UI": re.compile(rb"[0-9.]{1,64}\0?(\\[0-9.]{1,64}\0?)*"),
    "AS": re.compile(rb"\d{3}[DWMY]"),
}
_SIZES: Final = {"AT": 4, "FD": 8, "FL": 4, "OV": 8, "OW": 2, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}


@lru_cache(1 << 14)
def _fit(tag: int, vr: str, value: bytes) -> Why | None:
    """What is wrong with the value of an element that may stay. Most values are those of the file before."""
    if vr not in vrs_of(tag) or not is_valid(vr, value) or len(value) > _most_bytes(tag, vr):
        return Why.invalid
    if vr == "UI":
        return None if all(map(is_well_known, _parts(value))) else Why.uid
    allowed = kept()[tag]
    is_any = allowed in ("", ANY_TEXT, CODE)
    return None if is_any or all(text in allowed.split("|") for text in _parts(value)) else Why.unknown


def is_valid(vr: str, value: Any) -> bool:
    """Whether the bytes are such as the value representation allows (PS3.5 6.2)."""
    if not isinstance(value, bytes):
        return False
    if vr in _VALID:
        return _VALID[vr].fullmatch(value) is not None
    if vr in _SIZES:
        return len(value) % _SIZES[vr] == 0
    return vr in ("LO", "SH", "OB") and len(value) <= 64 * (1 + value.count(b"\\"))


@cache
def _most_bytes(tag: int, vr: str) -> float:
    """Of binary numbers where the standard says how many there are: in more of them, anything may be written."""
    most = dictionary_VM(tag).rpartition("-")[2]
    return int(most) * _SIZES[vr] if vr in _SIZES and most.isdecimal() and vr not in ("OV", "OW") else math.inf


@cache
def _vr_of_tag(tag: int) -> str:
    vrs = vrs_of(tag)
    return vrs[0] if vrs else "UN"


def vr_of(stored: RawDataElement | DataElement) -> str:
    """As the file has it, or as the standard has it, where the file has none or does not know it."""
    return stored.VR if stored.VR not in (None, "UN") else _vr_of_tag(int(stored.tag))


def is_empty(stored: RawDataElement | DataElement, vr: str) -> bool:
    """Text of blanks is none; a number of zeros is one."""
    value = stored.value
    if isinstance(value, bytes):
        return not value or (vr not in _SIZES and not value.strip(b" \0"))
    if value is None and isinstance(stored, RawDataElement):
        return stored.length == 0
    return not value


def raw_of(place: Place, *, is_little: bool) -> RawDataElement | DataElement:
    """As it lies in the file. pydicom converts PixelRepresentation for itself, as soon as it reads a sequence."""
    stored = place.stored
    if isinstance(stored, DataElement) and isinstance(stored.value, int):
        value = stored.value.to_bytes(2, "little" if is_little else "big")
        return RawDataElement(stored.tag, stored.VR, len(value), value, 0, False, is_little)
    return stored


def _judge_code(place: Place, stored: RawDataElement | DataElement) -> Judgement:
    tag, meaning = int(place.tag), meaning_of(place.dataset)
    if meaning is None or (tag == SCHEME_VERSION and not is_plain_version(place.dataset)):
        return Judgement(Action.remove, Why.code)
    if tag == CODE_MEANING and _text(stored).lower() != meaning.lower():
        return Judgement(Action.shift, Why.code)
    return _STAYS


def _is_replaced(tag: int, vr: str, stored: RawDataElement | DataElement, rule: Rule, claim: Claim) -> bool:
    texts = _texts(stored)
    if vr == "UI":
        return all(map(is_keyed_or_well_known, texts))
    if tag in (PATIENT_NAME, PATIENT_ID):
        return all(is_pseudonym(text) for text in texts)
    if vr in TEMPORAL and rule.dates and claim.has_modified_dates and DATES_CODE in claim.codes:
        return True
    if rule.device == "K" and DEVICE_CODE in claim.codes and vr not in TEMPORAL:
        return True
    if vr == "SQ":
        return "D" in rule.basic or "U" in rule.basic  # its items are judged by themselves
    return stored.value == dummy_of(vr) or texts == [dummy_of(vr).decode("latin-1")]


def _years(stored: RawDataElement | DataElement) -> int:
    match = re.fullmatch(r"(\d{3})Y", _text(stored))
    return int(match[1]) if match else 0


def _texts(stored: RawDataElement | DataElement) -> list[str]:
    return _parts(stored.value) if isinstance(stored.value, bytes) else [""]


def _parts(value: bytes) -> list[str]:
    return [one.strip(" \0") for one in value.decode("latin-1").split("\\")]


def _text(stored: RawDataElement | DataElement) -> str:
    value = stored.value
    return (value.decode("latin-1") if isinstance(value, bytes) else "").strip(" \0")


@cache
def _known_creators() -> frozenset[str]:
    """A creator's name is a value, too, which may be anybody's name."""
    return frozenset(private_dictionaries) | {safe.creator for safe in SAFE_PRIVATE}


def known_creator(creator: str) -> bool:
    return creator in _known_creators()
