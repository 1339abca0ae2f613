"""Who a file says that it is of, so that the same can be looked for everywhere else in it.

Bytes are compared, not text: a private value has no character set, and a name that was typed into a description is
spelt as it is in PatientName.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from pydicom.tag import Tag

from mammoscope.dicom.privacy.profile import vrs_of

_NAMES: Final = frozenset(
    int(Tag(k))
    for k in ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson")
)
_IDS: Final = frozenset(
    int(Tag(k))
    for k in ("PatientID", "OtherPatientIDs", "AccessionNumber", "AdmissionID", "ServiceEpisodeID", "PatientAddress")
)
_BIRTH_DATE: Final = int(Tag("PatientBirthDate"))
SOURCES: Final = _NAMES | _IDS | {_BIRTH_DATE}
_SHORT: Final = 5  # characters: a shorter one counts only as a whole word, and not among bytes that are no text
_SHORTEST_ID: Final = 4
_COMPONENTS: Final = 3  # family, given and middle name; what follows are titles
_NO_NAMES: Final = frozenset(
    b"anonymous anonymized anonymised removed none unknown patient test phantom name left right".split()
)
_DATES: Final = tuple(
    "%Y%m%d %Y-%m-%d %Y.%m.%d %Y_%m_%d %d.%m.%Y %d-%m-%Y %m-%d-%Y %d/%m/%Y %m/%d/%Y".split()  # noqa: SIM905
)
_NO_TEXT: Final = re.compile(rb"[^\x09-\x0d\x20-\xff\0]")


def is_source(tag: int, vr: str | None) -> bool:
    """vr: as the file has it."""
    return vr == "PN" or tag in SOURCES or "PN" in vrs_of(tag)


@dataclass(frozen=True, slots=True)
class Identity:
    """The patient's names, numbers and birth date, in small letters."""

    tokens: frozenset[bytes] = field(repr=False)

    def is_in(self, value: bytes) -> bool:
        """Whether any of them is in a text, of any case, with one or with two bytes a letter."""
        small = value.lower().replace(b"\0", b"")
        found = [token for token in self.tokens if token in small]
        if not found:
            return False
        return any(len(token) >= _SHORT for token in found) or (
            not _NO_TEXT.search(small) and any(_is_word(token, small) for token in found)
        )

    def is_number(self, value: bytes) -> bool:
        """Whether one of the values of a DS or IS is one of the patient's numbers, all of it."""
        return any(len(one.strip()) >= _SHORT and one.strip() in self.tokens for one in value.split(b"\\"))


def identity_of(elements: Iterable[tuple[int, str, bytes]]) -> Identity:
    """elements: tag, value representation, value as it lies in the file."""
    return Identity(frozenset(token for tag, vr, value in elements for token in _tokens(tag, vr, value)))


def _tokens(tag: int, vr: str, value: bytes) -> Iterator[bytes]:
    if vr == "PN" or tag in _NAMES:
        yield from _name_tokens(value)
    elif tag in _IDS:
        yield from (t for one in value.split(b"\\") if len(t := one.strip(b" \0").lower()) >= _SHORTEST_ID)
    elif tag == _BIRTH_DATE:
        yield from _date_tokens(value.strip(b" \0"))


def _name_tokens(value: bytes) -> Iterator[bytes]:
    for group in re.split(rb"[\\=]", value.strip(b" \0").lower()):
        for component in group.split(b"^")[:_COMPONENTS]:
            words = re.split(rb"[\s,]+", component)
            if not re.search(rb"[\d_]", component):  # where a name is a number, as in CBIS-DDSM, its parts are no names
                words += re.split(rb"[\s,'-]+", component)
            yield from (word for word in words if len(word) > 1 and word not in _NO_NAMES)


@lru_cache(maxsize=1024)
def _date_tokens(value: bytes) -> tuple[bytes, ...]:
    try:
        day = datetime.strptime(value.decode("ascii").replace(".", ""), "%Y%m%d")
    except ValueError:
        return ()
    return tuple(day.strftime(form).encode() for form in _DATES)


def _is_word(token: bytes, small: bytes) -> bool:
    return re.search(rb"(?<![a-z0-9])%b(?![a-z0-9])" % re.escape(token), small) is not None
