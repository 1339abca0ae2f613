"""Which elements somebody asked for: by keyword, by tag, by path, with * and ? in place of letters."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import DicomDictionary, tag_for_keyword

from mammoscope.errors import MammoscopeError

_TAG: Final = re.compile(r"\(?([0-9a-fA-Fx]{4}),?([0-9a-fA-Fx]{4})\)?")
_ITEM: Final = re.compile(r"\[\d+\]")
ALLOWED: Final = (
    "keywords (PatientID), tags ((0010,0020) or 00100020), paths (ViewCodeSequence[0].CodeValue), with * and ? for "
    "what may stand there ('Patient*', '(0013,*')"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A sequence that is named stands for all that is in it. Final.

    Raises: MammoscopeError for a plain word that is no keyword of the standard.
    """

    keywords: tuple[str, ...] = ()  # nothing: all
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, patterns in (("--keywords", self.keywords), ("--exclude", self.exclude)):
            for pattern in patterns:
                _check(option, pattern)

    def takes(self, name: str, tag: str) -> bool:
        """name: the path of an element, as of walk.path_of. tag: the same in tags, (0008,1140)[0].(0008,1150)."""
        ways = _ways(name, tag)
        return (not self.keywords or _any(self.keywords, ways)) and not _any(self.exclude, ways)


def _check(option: str, pattern: str) -> None:
    if not pattern.isidentifier() or _TAG.fullmatch(pattern) or tag_for_keyword(pattern) is not None:
        return
    near = difflib.get_close_matches(pattern, (entry[4] for entry in DicomDictionary.values()), n=1)
    hint = f"; is {near[0]} meant?" if near else ""
    raise MammoscopeError(f"{option} {pattern}: no keyword of the standard{hint} Allowed: {ALLOWED}")


def _ways(name: str, tag: str) -> set[str]:
    """All that the element can be called: itself and each sequence that it is in, with and without items."""
    ways = set[str]()
    for path in (name, tag):
        parts = re.split(r"(?<=\])\.(?=[^\[]*)", path)
        for end in range(1, len(parts) + 1):
            whole = ".".join(parts[:end])
            ways.update((whole, _ITEM.sub("", whole), _ITEM.sub("", parts[end - 1])))
    return ways


def _any(patterns: Sequence[str], ways: set[str]) -> bool:
    return any(_expression(pattern).fullmatch(way) for pattern in patterns for way in ways)


def _expression(pattern: str) -> re.Pattern[str]:
    if tag := _TAG.fullmatch(pattern):
        pattern = f"({tag[1]},{tag[2]})"
    letters = (".*" if letter == "*" else "." if letter == "?" else re.escape(letter) for letter in pattern)
    return re.compile("".join(letters), re.IGNORECASE)
