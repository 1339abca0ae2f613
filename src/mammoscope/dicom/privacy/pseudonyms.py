"""What stands in a de-identified file in place of UIDs, dates and names, made with a key that stays with its owner.

The same under the same key in every run, so that references, intervals and what belongs to one patient hold together.
"""

import re
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from pydicom.uid import UID_dictionary

from mammoscope.keys import PSEUDONYM, key_name, keyed_bytes, patient_pseudonym

MAX_SHIFT_DAYS: Final = 3652  # ten years, into the past: a date in the future would be refused by many archives
_UUID_ROOT: Final = "2.25."  # PS3.5 B.2
_DATE: Final = re.compile(rb"(\d{4})[.]?(\d\d)[.]?(\d\d)")  # with the points of ACR-NEMA's
_DATE_TIME: Final = re.compile(rb"(\d{8})(\d{0,6}(?:\.\d{1,6})?)([+-]\d{4})?")


@dataclass(frozen=True, slots=True)
class DicomPseudonyms:
    key: bytes = field(repr=False)

    @property
    def key_name(self) -> str:
        return key_name(self.key)

    def patient(self, patient: str) -> str:
        return patient_pseudonym(self.key, patient)

    def uid(self, uid: str) -> str:
        """2.25.<a UUID of version 8 (RFC 9562) from the HMAC>; the standard's own UIDs are everybody's, and stay."""
        return uid if is_well_known(uid) else _keyed_uid(self.key, uid)

    def days(self, patient: str) -> int:
        """By how many days the patient's dates move: -1 to -3652."""
        drawn = int.from_bytes(keyed_bytes(self.key, "dicom/days", patient)[:8], "big")
        return -1 - drawn % MAX_SHIFT_DAYS

    def source(self, path: str, size: int, mtime_ns: int) -> str:
        """A name for a file that was read, which tells nobody its name."""
        return keyed_bytes(self.key, "dicom/source", f"{path}/{size}/{mtime_ns}").hex()[:32]


def is_well_known(uid: str) -> bool:
    return uid in UID_dictionary


def is_keyed_uid(uid: str) -> bool:
    """Whether it has the form of ours. Without the key nobody can say that it is one."""
    digits = uid.removeprefix(_UUID_ROOT)
    if digits == uid or not digits.isdecimal() or int(digits) >> 128:
        return False
    found = uuid.UUID(int=int(digits))
    return found.version == 8 and found.variant == uuid.RFC_4122


def is_keyed_or_well_known(uid: str) -> bool:
    return is_keyed_uid(uid) or is_well_known(uid)


def is_pseudonym(name: str) -> bool:
    return PSEUDONYM.fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _keyed_uid(key: bytes, uid: str) -> str:
    number = int.from_bytes(keyed_bytes(key, "dicom/uid", uid)[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # version
    number = number & ~(0x3 << 62) | 2 << 62  # variant
    return f"{_UUID_ROOT}{number}"


def shifted(value: bytes, vr: str, days: int) -> bytes | None:
    """A DA, DT or TM, of several values too, moved by whole days. Times of the day stay: so do all intervals.

    None where a value is no whole date: half a date cannot be moved. The offset from UTC, which tells where in the
    world this was, is taken off.
    """
    moved = [_shifted_one(one.strip(b" \0"), vr, days) for one in value.split(b"\\")]
    return None if None in moved else b"\\".join(one for one in moved if one is not None)


def _shifted_one(value: bytes, vr: str, days: int) -> bytes | None:
    if not value:
        return value
    if vr == "TM":
        return value if re.fullmatch(rb"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?", value) else None
    if vr == "DA":
        return _moved(value, days)
    match = _DATE_TIME.fullmatch(value)
    day = _moved(match[1], days) if match else None
    return day + match[2] if match and day else None


def _moved(day: bytes, days: int) -> bytes | None:
    match = _DATE.fullmatch(day)
    try:
        moved = date(*map(int, match.groups())) + timedelta(days) if match else None
    except (ValueError, OverflowError):
        return None
    return f"{moved:%Y%m%d}".rjust(8, "0").encode() if moved else None
