"""Whether the name of a file or folder may be known to everybody: only what is known to be safe is."""

import re
from typing import Final

from mammoscope.dicom.privacy.identity import Identity
from mammoscope.dicom.privacy.pseudonyms import is_keyed_uid, is_pseudonym

_WORDS: Final = frozenset(
    (
        *("dcm", "dicom", "ima", "im", "img", "image", "images", "data", "inst", "instance", "pat", "patient"),
        *("ser", "series", "std", "study", "studies", "crop", "cropped", "full", "mask", "roi", "train", "test"),
        *("cc", "ml", "mlo", "lcc", "lmlo", "rcc", "rmlo", "left", "right"),
        *("bto", "cr", "ct", "dx", "mg", "mr", "sc", "us"),
    )
)
_PART: Final = re.compile(r"[^\W\d_]+|\d+")
_DATE_OR_UID: Final = re.compile(r"\d+([-._/ ]\d+){2}")
_LONGEST_NUMBER: Final = 3  # digits, but for zeros before them: four may be a year, and more a patient's number


def is_safe_name(name: str, identity: Identity) -> bool:
    """name: one part of a path. Numbers of few digits, the words that archives use, and pseudonyms of ours are safe."""
    stem = name.removesuffix(".dcm")
    if is_pseudonym(stem) or is_keyed_uid(stem):
        return True
    if identity.is_in(name.encode("utf-8", "surrogateescape")) or _DATE_OR_UID.search(stem):
        return False
    parts = _PART.findall(name.lower())
    return all(len(p.lstrip("0")) <= _LONGEST_NUMBER if p.isdecimal() else p in _WORDS or len(p) == 1 for p in parts)
