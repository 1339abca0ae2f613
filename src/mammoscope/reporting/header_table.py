"""A file's header as an aligned table at the terminal."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from rich.cells import cell_len, set_cell_size

from mammoscope.dicom.headers.lines import HeaderLine

_HEADINGS: Final = HeaderLine(
    depth=0, group="GRP", element="ELEM", name="NAME", vr="VR", length="LENGTH", value="VALUE"
)
_BLOCK: Final = 512  # lines that are aligned with each other: a header of a million elements is not kept in memory
_LEAST_NAME, _LEAST_VALUE = 20, 24
_NAME_SHARE: Final = 0.4  # of the width, at most


def header_table(lines: Iterable[HeaderLine], width: int) -> Iterator[str]:
    """width: in cells of the terminal; a name or a value that is too long for it is cut, and says so."""
    rest = iter(lines)
    while block := list(islice(rest, _BLOCK)):
        longest = max(cell_len(_indented(line)) for line in block)
        name = max(_LEAST_NAME, min(longest, int(width * _NAME_SHARE)))
        length = max(len(line.length) for line in [_HEADINGS, *block])
        value = max(_LEAST_VALUE, width - name - length - len("0008 0060  MG   "))
        yield from (_row(line, name, length, value) for line in (_HEADINGS, *block))


def cut(text: str, most: int) -> str:
    """The text in `most` cells: its beginning, and how long the whole is, where it is longer."""
    if cell_len(text) <= most:
        return text
    told = f"... ({len(text)} characters)"
    return set_cell_size(text, max(most - len(told), 1)).rstrip() + told


def _row(line: HeaderLine, name: int, length: int, value: int) -> str:
    called = _indented(line)
    shown = called if cell_len(called) <= name else set_cell_size(called, name - 1) + "~"
    cells = (f"{line.group:4}", f"{line.element:4}", set_cell_size(shown, name), f"{line.vr:2}")
    return f"{' '.join(cells)} {line.length:>{length}} {cut(line.value, value)}".rstrip()


def _indented(line: HeaderLine) -> str:
    return "  " * line.depth + line.name
