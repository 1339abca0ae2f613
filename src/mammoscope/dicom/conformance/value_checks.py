"""One element's value against its value representation and multiplicity (PS3.5 6.2, PS3.6), as it lies in the file.

Reasons never hold a value that may tell who a patient is: only codes and numbers are quoted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from pydicom import config
from pydicom.charset import decode_bytes, python_encoding
from pydicom.datadict import (
    dictionary_has_tag,
    dictionary_VM,
    dictionary_VR,
    private_dictionary_VR,
    repeater_has_tag,
)
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag
from pydicom.valuerep import MAX_VALUE_LEN, PN_DELIMS, TEXT_VR_DELIMS, VALIDATORS

from mammoscope.dicom.elements import UNDEFINED

Fault = tuple[str, str]  # a code of warnings, and in words what is wrong

DEFAULT_REPERTOIRE: Final = ("iso8859",)  # ISO-IR 6 as pydicom reads it
TEXT_VRS: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))  # their characters are the file's choice
_STRING_VRS: Final = TEXT_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
_SINGLE_VRS: Final = frozenset(("LT", "ST", "UR", "UT"))  # a backslash in them is a backslash
_ONE_LINE_VRS: Final = frozenset(("LO", "PN", "SH", "UC"))
_QUOTED_VRS: Final = frozenset(("CS", "DS", "IS"))  # which nobody can be known by
_NUMBER_BYTES: Final = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
_WORD_BYTES: Final = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}  # one value, of so many words
_ESCAPE: Final = 0x1B
_QUOTE_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Characters:
    """What SpecificCharacterSet (0008,0005) says of a data set."""

    encodings: tuple[str, ...] = DEFAULT_REPERTOIRE
    is_default: bool = True


def characters(value: bytes) -> tuple[Characters, tuple[str, ...]]:
    """Of the element's value; and those of its terms that nobody has defined (PS3.3 C.12.1.1.2)."""
    terms = tuple(term.strip(" \0") for term in value.decode("latin-1").split("\\"))
    encodings = tuple(python_encoding.get(term, DEFAULT_REPERTOIRE[0]) for term in terms)
    unknown = tuple(term for term in terms if term not in python_encoding)
    return Characters(encodings, not any(terms)), unknown


def vr_in_dictionary(tag: BaseTag, creator: str) -> str:
    """As `US or SS`, too; empty where no dictionary knows the element."""
    try:
        return private_dictionary_VR(tag, creator) if tag.is_private else dictionary_VR(tag)
    except KeyError:
        return ""


def is_known(tag: BaseTag) -> bool:
    """Whether the standard has, or had, such an element; repeating groups too."""
    return dictionary_has_tag(tag) or repeater_has_tag(tag)


def vr_faults(stored: RawDataElement | DataElement, in_dictionary: str) -> Iterator[Fault]:
    """UN is allowed anywhere: whoever passed the element on did not know it (PS3.5 6.2.2)."""
    if stored.VR not in (None, "UN") and in_dictionary and stored.VR not in in_dictionary.split(" or "):
        yield "W-VR", f"is {stored.VR}; the standard has {in_dictionary}"


def value_faults(stored: RawDataElement, in_dictionary: str, chars: Characters) -> Iterator[Fault]:
    """Of what is not a sequence. Values that were left in the file, for their length, pass."""
    value = stored.value
    if stored.length % 2 and stored.length != UNDEFINED:
        yield "W-LENGTH", f"{stored.length} bytes: an odd number"
    if not isinstance(value, bytes) or not value:
        return
    vr = _vr_to_check(stored.VR, in_dictionary)
    if vr in _STRING_VRS:
        yield from _string_faults(value, vr, stored.tag, chars)
    elif vr in _NUMBER_BYTES:
        yield from _number_faults(len(value), vr, stored.tag, " or " in in_dictionary)
    elif vr in _WORD_BYTES and len(value) % _WORD_BYTES[vr]:
        yield "W-VALUE", f"{len(value)} bytes; {vr} has words of {_WORD_BYTES[vr]}"


def is_blank(stored: RawDataElement | DataElement) -> bool:
    """Whether there is no value: no bytes, nothing but padding, or a sequence without items."""
    if isinstance(stored, DataElement):
        return stored.is_empty
    vr = stored.VR or vr_in_dictionary(stored.tag, "")
    if isinstance(stored.value, bytes) and vr in _STRING_VRS:
        return not stored.value.strip(b" \0")
    return stored.length == 0


def _vr_to_check(vr: str | None, in_dictionary: str) -> str:
    """Implicit and UN: the dictionary's. Where it leaves the choice of a width (`US or OW`), nothing is checked."""
    if vr not in (None, "UN"):
        return str(vr)
    choices = in_dictionary.split(" or ")
    return "" if len({_NUMBER_BYTES.get(choice, 0) for choice in choices}) > 1 else choices[0]


def _number_faults(size: int, vr: str, tag: BaseTag, is_ambiguous: bool) -> Iterator[Fault]:
    width = _NUMBER_BYTES[vr]
    if size % width:
        yield "W-VALUE", f"{size} bytes; one {vr} has {width}"
    else:
        yield from _count_faults(size // width, tag)


def _count_faults(count: int, tag: BaseTag) -> Iterator[Fault]:
    if tag.is_private or not is_known(tag):
        return
    wanted = dictionary_VM(tag)
    if not allows(wanted, count):
        yield "W-VM", f"has {count} value{'s' * (count > 1)}; the standard wants {wanted}"


@cache
def allows(multiplicity: str, count: int) -> bool:
    """multiplicity: as in PS3.6: 1, 2-4, 1-n, 3-3n, 1-n or 1."""
    return any(_in_range(choice, count) for choice in multiplicity.split(" or "))


def _in_range(choice: str, count: int) -> bool:
    low, _, high = choice.partition("-")
    if not high.endswith("n"):
        return int(low) <= count <= int(high or low)
    step = int(high[:-1] or 1)
    return count >= int(low) and count % step == 0


def _string_faults(value: bytes, vr: str, tag: BaseTag, chars: Characters) -> Iterator[Fault]:
    padding = value[len(value.rstrip(b" \0")) :]
    if vr == "UI" and b" " in padding:
        yield "W-UID", "is padded with spaces; allowed: one NUL"
    elif vr != "UI" and b"\0" in padding:
        yield "W-VALUE", "is padded with NUL; allowed: a space"
    text, fault = _decoded(value[: len(value) - len(padding)], vr, chars)
    if fault:
        yield fault
    parts = [text] if vr in _SINGLE_VRS else text.split("\\")
    if text:
        yield from _count_faults(len(parts), tag)
    wrong = dict.fromkeys(reason for part in parts for reason in _part_faults(part, vr))
    yield from (("W-UID" if vr == "UI" else "W-VALUE", reason) for reason in wrong)


def _decoded(value: bytes, vr: str, chars: Characters) -> tuple[str, Fault | None]:
    """The fault: bytes that the file's character set does not have. Other strings than text are ASCII (PS3.5 6.1)."""
    if vr not in TEXT_VRS or (value.isascii() and _ESCAPE not in value):
        return value.decode("latin-1"), None
    if chars.is_default:
        return value.decode("latin-1"), ("W-CHARSET", "holds more than ASCII, and SpecificCharacterSet names no set")
    delimiters = TEXT_VR_DELIMS | (PN_DELIMS if vr == "PN" else set())
    try:
        with config.strict_reading():
            return decode_bytes(value, chars.encodings, delimiters), None
    except (UnicodeError, LookupError):
        return value.decode("latin-1"), ("W-CHARSET", "is not written in the characters that the file says")


def _part_faults(part: str, vr: str) -> Iterator[str]:
    """Of one of several values."""
    limit = MAX_VALUE_LEN.get(vr)
    quote = f" ({part[:_QUOTE_CHARACTERS]!r})" if vr in _QUOTED_VRS else ""
    if limit and len(part) > limit:
        yield f"has {len(part)} characters{quote}; {vr} allows {limit}"
    elif vr in VALIDATORS and part and not _is_valid(part, vr):
        yield f"has not the form of {vr}{quote}"
    if vr in _ONE_LINE_VRS and any(ord(c) < 32 and ord(c) != _ESCAPE for c in part):
        yield f"holds a control character, which {vr} forbids"


def _is_valid(part: str, vr: str) -> bool:
    if vr in ("DA", "TM") and "-" in part:  # a range, which pydicom allows: it is for queries
        return False
    is_valid, _ = VALIDATORS[vr](vr, part)
    if not is_valid:
        return False
    if vr == "DA":
        return _is_a_day(part)
    return vr != "IS" or -(1 << 31) <= int(part) < 1 << 31


def _is_a_day(text: str) -> bool:
    try:
        datetime.strptime(text.strip(), "%Y%m%d")
    except ValueError:
        return False
    return True
