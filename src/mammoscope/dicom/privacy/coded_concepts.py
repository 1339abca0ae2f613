"""Coded entries (PS3.3 8): a code of the standard's terminologies says nothing about a person; its text may."""

import re
from functools import cache
from typing import Any, Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

CODE_VALUE: Final = int(Tag("CodeValue"))
SCHEME: Final = int(Tag("CodingSchemeDesignator"))
SCHEME_VERSION: Final = int(Tag("CodingSchemeVersion"))
CODE_MEANING: Final = int(Tag("CodeMeaning"))
PARTS: Final = frozenset((CODE_VALUE, SCHEME, SCHEME_VERSION, CODE_MEANING))
_SNOMED_RT: Final = ("SRT", "SNM3", "99SDM")  # what SNOMED CT was called (PS3.16 8.1)
_VERSION: Final = re.compile(r"[0-9.]{1,16}")


def meaning_of(item: Dataset) -> str | None:
    """What the standard calls the item's code; None where that has no such code, or the item none at all."""
    scheme, value = _text(item, SCHEME), _text(item, CODE_VALUE)
    if not value:
        return None
    if scheme in _SNOMED_RT:
        scheme, value = "SCT", _snomed_ct().get(value, "")
    return _meanings().get((scheme, value))


def is_plain_version(item: Dataset) -> bool:
    return _VERSION.fullmatch(_text(item, SCHEME_VERSION)) is not None


@cache
def _meanings() -> dict[tuple[str, str], str]:
    """Takes a second: pydicom's tables of PS3.16, loaded by who meets a code."""
    from pydicom.sr._concepts_dict import concepts

    tables: Any = concepts
    return {
        (scheme, value): meaning.encode("ascii", "replace").decode()
        for scheme, keywords in tables.items()
        for codes in keywords.values()
        for value, (meaning, _) in codes.items()
    }


@cache
def _snomed_ct() -> dict[str, str]:
    from pydicom.sr._snomed_dict import mapping

    return mapping["SRT"]


def _text(item: Dataset, tag: int) -> str:
    element: DataElement | RawDataElement | None = item.get_item(tag) if tag in item else None
    value = element.value if element is not None else ""
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value or "")).strip(" \0")
