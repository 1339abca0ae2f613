"""The bytes of one element -> a typed value, for all 34 value representations (PS3.5 6.2).

pydicom converts, too, but into one object for each value, and warns where a value is not what its VR allows; it does
not say which. Here a value that cannot be typed keeps its text. Most values come again in the next file, so what was
converted is remembered.
"""

import re
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final

from pydicom.charset import decode_bytes

Scalar = str | int | float | date | time | datetime | bytes

MAX_KEPT_BYTES: Final = 1024  # of binary and of numbers: what is longer is a picture, a curve or a table
MAX_TEXT_BYTES: Final = 1 << 16


class Kind(StrEnum):
    """What a column of values is: several VRs share one."""

    text = "text"
    whole = "whole"  # fits a signed integer of 64 bits
    big = "big"  # an unsigned one
    number = "number"  # a double
    date = "date"
    time = "time"
    moment = "moment"  # date and time, as the clock showed them: an offset stands in the original text
    binary = "binary"  # little endian


KINDS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("AE", "AS", "AT", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"), Kind.text),
    **dict.fromkeys(("IS", "SL", "SS", "SV", "UL", "US"), Kind.whole),
    "UV": Kind.big,
    **dict.fromkeys(("DS", "FD", "FL"), Kind.number),
    "DA": Kind.date,
    "TM": Kind.time,
    "DT": Kind.moment,
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), Kind.binary),
}  # and SQ, which has no value of its own


@dataclass(frozen=True, slots=True)
class Value:
    """typed is None where nothing was there, where it could not be typed, and where it was left out for its length."""

    typed: Scalar | list[Scalar | None] | None  # a list where there is more than one
    original: str | None = None  # the text of the file, where `typed` does not write back as it; hexadecimal of binary
    is_untyped: bool = False  # it, or one of several, is no value of its VR
    left_out_bytes: int = 0


EMPTY: Final = Value(None)


class Values:
    """Converts, and remembers. Final."""

    _MOST: Final = 50_000  # values remembered for each character set and byte order
    _MOST_SETS: Final = 20
    _LONGEST: Final = 64  # bytes: longer ones seldom come again

    def __init__(self) -> None:
        self._known: dict[tuple[bool, tuple[str, ...]], dict[tuple[str, bytes], Value]] = {}

    def of(self, vr: str, raw: bytes, encodings: tuple[str, ...] = ("iso8859",), *, is_little: bool = True) -> Value:
        """raw: as it lies in the file, padding included. encodings: Python's names, as pydicom has them."""
        if vr == "UI":  # nearly all are new, and quickly converted
            return convert(vr, raw, encodings, is_little)
        known = self._known.get((is_little, encodings))
        if known is None:
            if len(self._known) >= self._MOST_SETS:
                self._known.clear()
            known = self._known[is_little, encodings] = {}
        value = known.get((vr, raw))
        if value is None:
            value = convert(vr, raw, encodings, is_little)
            if len(raw) <= self._LONGEST:
                if len(known) >= self._MOST:
                    known.clear()
                known[vr, raw] = value
        return value


def convert(vr: str, raw: bytes, encodings: Sequence[str], is_little: bool) -> Value:
    """Raises: KeyError for what is no VR, or SQ."""
    if not raw:
        return EMPTY
    is_binary = vr in _FORMATS or KINDS[vr] is Kind.binary
    if len(raw) > (MAX_KEPT_BYTES if is_binary else MAX_TEXT_BYTES):
        return Value(None, left_out_bytes=len(raw))
    if is_binary:
        return _numbers(vr, raw, is_little) if vr in _FORMATS else _binary(vr, raw, is_little)
    return _from_text(vr, raw, encodings)


# ---- text ----

_ONE_VALUE: Final = frozenset(("LT", "ST", "UR", "UT"))  # a backslash is a letter in them
_LEADING_COUNTS: Final = frozenset(("LT", "PN", "ST", "UC", "UI", "UT"))
_BY_FILE: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))  # that SpecificCharacterSet speaks of
_WIDE: Final = frozenset(("gb18030", "gbk", "gb2312", "shift_jis"))  # a letter's second byte may be a backslash's
_RESETS: Final = {0x09, 0x0A, 0x0C, 0x0D}  # after which the first character set holds again (PS3.5 6.1.2.5.3)
_RESETS_IN_NAMES: Final = _RESETS | {0x5E, 0x3D}


def _from_text(vr: str, raw: bytes, encodings: Sequence[str]) -> Value:
    text, is_whole = _decoded(vr, raw, encodings)
    strip = str.rstrip if vr in _LEADING_COUNTS else str.strip
    text = strip(text, " \0")
    if not text:
        return EMPTY
    if not is_whole:
        return Value(None, text, is_untyped=True)
    parts = [text] if vr in _ONE_VALUE or "\\" not in text else [strip(part, " \0") for part in text.split("\\")]
    parse = _PARSERS.get(vr)
    if parse is None:
        return Value(text if len(parts) == 1 else [part or None for part in parts])
    found = [parse(part) if part else (None, "") for part in parts]
    is_untyped = any(typed is None and part for (typed, _), part in zip(found, parts, strict=True))
    differs = is_untyped or any(written != part for (_, written), part in zip(found, parts, strict=True))
    values = [typed for typed, _ in found]
    typed = (values[0] if len(values) == 1 else values) if any(v is not None for v in values) else None
    return Value(typed, text if differs else None, is_untyped)


def _decoded(vr: str, raw: bytes, encodings: Sequence[str]) -> tuple[str, bool]:
    """The text, and whether all of its bytes are of the character sets; others are written as \\xe4."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii"), True
    if vr not in _BY_FILE:  # the default repertoire; what is beyond it is read as others do
        return raw.decode("latin-1"), True
    resets = _RESETS_IN_NAMES if vr == "PN" else _RESETS
    is_cut_first = vr not in _ONE_VALUE and (encodings[0].lower() not in _WIDE or len(encodings) > 1)
    parts = raw.split(b"\\") if is_cut_first else [raw]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom's word for "replaced by question marks"
        try:
            return "\\".join(decode_bytes(part, encodings, resets) for part in parts), True
        except (UserWarning, UnicodeError, LookupError):
            return raw.decode("ascii", "backslashreplace"), False


# ---- numbers, dates and times in text: each gives the value and how it writes back ----

Parsed = tuple[Scalar | None, str]
_DS: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_IS: Final = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_DA: Final = re.compile(r"(\d{4})(\.?)(\d\d)\2(\d\d)", re.ASCII)  # dots: before version 3.0 of the standard
_TM: Final = re.compile(r"(\d\d)(?:(:?)(\d\d)(?:\2(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DT: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?",
    re.ASCII,
)
_NOTHING: Final[Parsed] = (None, "")


def _decimal(text: str) -> Parsed:
    number = float(text) if _DS.fullmatch(text) else float("inf")
    return (number, repr(number).removesuffix(".0")) if abs(number) != float("inf") else _NOTHING


def _integer(text: str) -> Parsed:
    number = int(text) if _IS.fullmatch(text) else 1 << 31
    return (number, str(number)) if -(1 << 31) <= number < 1 << 31 else _NOTHING


def _date(text: str) -> Parsed:
    if (m := _DA.fullmatch(text)) is None:
        return _NOTHING
    try:
        return date(int(m[1]), int(m[3]), int(m[4])), m[1] + m[3] + m[4]
    except ValueError:
        return _NOTHING


def _time(text: str) -> Parsed:
    """10 and 1030 are the beginning of their hour and minute. A leap second has no value here."""
    if (m := _TM.fullmatch(text)) is None:
        return _NOTHING
    try:
        found = time(int(m[1]), int(m[3] or 0), int(m[4] or 0), int((m[5] or "").ljust(6, "0")))
    except ValueError:
        return _NOTHING
    return found, found.strftime("%H%M%S.%f" if found.microsecond else "%H%M%S")


def _moment(text: str) -> Parsed:
    """2024 and 202405 are the beginning of their year and month."""
    if (m := _DT.fullmatch(text)) is None:
        return _NOTHING
    year, month, day = int(m[1]), int(m[2] or 1), int(m[3] or 1)
    hour, minute, second = (int(part or 0) for part in m.group(4, 5, 6))
    try:
        found = datetime(year, month, day, hour, minute, second, int((m[7] or "").ljust(6, "0")))
    except ValueError:
        return _NOTHING
    fraction = f".{found.microsecond:06}" if found.microsecond else ""
    return found, f"{found:%Y%m%d%H%M%S}".zfill(14) + fraction


_PARSERS: Final[dict[str, Callable[[str], Parsed]]] = {
    "DS": _decimal,
    "IS": _integer,
    "DA": _date,
    "TM": _time,
    "DT": _moment,
}

# ---- binary ----

_FORMATS: Final = {
    "AT": "H", "FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q",
}  # fmt: skip
_WORD_BYTES: Final = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}  # that big endian turns round


def _numbers(vr: str, raw: bytes, is_little: bool) -> Value:
    letter = _FORMATS[vr]
    size = 4 if vr == "AT" else struct.calcsize(letter)
    if len(raw) % size:
        return Value(None, raw.hex(), is_untyped=True)
    words = struct.unpack(f"{'<' if is_little else '>'}{len(raw) // struct.calcsize(letter)}{letter}", raw)
    if vr == "AT":
        words = tuple(f"({group:04x},{element:04x})" for group, element in zip(words[::2], words[1::2], strict=True))
    return Value(words[0] if len(words) == 1 else list(words))


def _binary(vr: str, raw: bytes, is_little: bool) -> Value:
    size = 1 if is_little else _WORD_BYTES.get(vr, 1)
    if len(raw) % size:
        return Value(None, raw.hex(), is_untyped=True)
    return Value(raw if size == 1 else b"".join(raw[k : k + size][::-1] for k in range(0, len(raw), size)))
