"""What becomes of an element when a file is de-identified: PS3.15 Annex E's Basic Profile, and a list of what may stay.

`profile.csv` has the standard's table E.1-1 (2026c) with the columns of the two options that are offered here;
`keep.csv` what else describes a picture and no person. An element in neither is not known to be safe, and goes.
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR

REMOVED: Final = "REMOVED"  # a dummy for text
DUMMIES: Final = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), REMOVED.encode()),
    "AS": b"000Y",
    "DA": b"19000101",
    "DT": b"19000101000000",
    "TM": b"000000",
    "DS": b"0",
    "IS": b"0",
    "UR": b"http://removed.invalid",  # RFC 2606
}  # of binary numbers and bytes: zeros, see dummy_of
_BYTES: Final = {"AT": 4, "FD": 8, "FL": 4, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "SL": 4, "SV": 8, "UL": 4, "UV": 8}
TEMPORAL: Final = ("DA", "DT", "TM")
ANY_TEXT: Final = "*"  # in keep.csv: text that names a product
CODE: Final = "code"  # in keep.csv: part of a code


class Action(StrEnum):
    """The standard's letters where it has one (PS3.15 E.2)."""

    keep = "K"
    remove = "X"
    empty = "Z"
    dummy = "D"
    uid = "U"  # another one, made with the key: the same for the same everywhere
    shift = "C"  # of dates: by the patient's days; of a code's meaning: the standard's own
    refuse = "refuse"  # the file is not de-identified
    rewrite = "rewrite"  # of names of files and folders, and all else around the data set: made anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """PS3.15 E.3.6 and E.3.8. Everything else is the Basic Profile's."""

    shifts_dates: bool = False
    retains_device: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    basic: str  # X, Z, D, U or a choice by the type that the IOD gives the element: X/Z/D
    device: str  # K, C or empty: what the option to retain the device's identity says
    dates: str  # C or empty


@dataclass(frozen=True, slots=True)
class SafePrivate:
    """A private element that may stay: only with one of these values."""

    creator: str
    group: int
    element: int  # without the block's number
    values: tuple[str, ...]


# TCIA's tool leaves project, site and trial in group 0013. Which public collection this is says nothing about a
# patient, and whoever trains on it must cite it; the site's number and all other names of projects go.
SAFE_PRIVATE: Final = (SafePrivate("CTP", 0x0013, 0x10, ("CBIS-DDSM",)),)

_CURVES, _OVERLAYS = range(0x5000, 0x5100), range(0x6000, 0x6100)
_CURVE: Final = Rule("X", "", "")


@cache
def _rules() -> dict[str, Rule]:
    rows = _rows("profile.csv")
    return {row["tag"]: Rule(row["basic"], row["device"], row["dates"]) for row in rows}


@cache
def kept() -> dict[int, str]:
    """Tags of what may stay, with what is allowed there where it is text: see keep.csv."""
    return {int(row["tag"], 16): row["text"] for row in _rows("keep.csv")}


@cache
def rule_of(tag: int) -> Rule | None:
    """None where the standard's table does not list it."""
    if is_graphics(tag):  # the standard removes an overlay's data and comments: without them the rest says nothing
        return _CURVE
    return _rules().get(f"{tag:08x}")


def is_graphics(tag: int) -> bool:
    return tag >> 16 in _CURVES or tag >> 16 in _OVERLAYS


def action_of(rule: Rule, vr: str, kind: str | None, options: Options) -> Action:
    """kind: 1, 1C, 2, 2C or 3, the type of the element in this place of the file's IOD; None: it has none there."""
    if rule.dates and options.shifts_dates and vr in TEMPORAL:
        return Action.shift
    if rule.device == "K" and options.retains_device and vr not in TEMPORAL:  # times of a service come with the dates
        return Action.keep
    choices = rule.basic.split("/")
    if len(choices) == 1:
        return Action(choices[0])
    if choices[-1] == "U*":  # references follow, where the standard would have them only if the type demands it
        return Action.uid
    if kind in ("1", "1C") and "D" in choices:
        return Action.dummy
    if kind in ("1", "1C", "2", "2C") or "X" not in choices:
        return Action.empty if "Z" in choices else Action.dummy
    return Action.remove


def dummy_of(vr: str) -> bytes:
    """A value that its VR allows and that says nothing."""
    return DUMMIES.get(vr) or bytes(_BYTES.get(vr, 2))


@cache
def vrs_of(tag: int) -> tuple[str, ...]:
    """Those that the standard allows; none for an element that it does not have."""
    return tuple(dictionary_VR(tag).split(" or ")) if dictionary_has_tag(tag) else ()


def safe_private_values(creator: str, tag: int) -> tuple[str, ...]:
    for safe in SAFE_PRIVATE:
        if (safe.creator, safe.group, safe.element) == (creator, tag >> 16, tag & 0xFF):
            return safe.values
    return ()


def _rows(name: str) -> list[dict[str, str]]:
    with open(Path(__file__).with_name(name), encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))
