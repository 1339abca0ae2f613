"""Cells of a CSV that people wrote: each is parsed or named, with its column and what is allowed."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mammoscope.errors import CellError

MOST_NAMED: Final = 20  # bad cells that a message names; the rest is counted


@dataclass(frozen=True, slots=True)
class Column:
    parse: Callable[[str], object]  # raises ValueError or KeyError
    allowed: str


def bad_cells(cells: Mapping[str, str], columns: Mapping[str, Column]) -> Iterator[str]:
    """What is wrong with the stripped cells of one row, by column."""
    for name, column in columns.items():
        try:
            column.parse(cells[name])
        except (KeyError, ValueError):
            yield f"column {name!r}: {cells[name]!r}; allowed: {column.allowed}"


def refuse_bad(bad: Sequence[tuple[str, str]]) -> None:
    """Raises CellError with the first of them, a line each, and the count of the rest; where there are any.

    bad: (file and line, what is wrong), of which the one ends with the line's number and the other begins with the
    column and a colon.
    """
    if bad:
        more = f"\n... and {len(bad) - MOST_NAMED} more" if len(bad) > MOST_NAMED else ""
        words = [f"{where}, {words}" for where, words in bad[:MOST_NAMED]]
        places = [f"line {where.rpartition(' ')[2]}, {words.partition(':')[0]}" for where, words in bad[:MOST_NAMED]]
        raise CellError("\n".join(words) + more, f"not what a table may hold: {'; '.join(places)}{more}")


def matching(pattern: str, cell: str) -> str:
    """Raises ValueError unless the whole cell fits the regular expression."""
    if not re.fullmatch(pattern, cell):
        raise ValueError(cell)
    return cell


def whole(lowest: int, highest: int, cell: str) -> int:
    """Raises ValueError unless the cell is a whole number in that range, both ends included."""
    if not (cell.isascii() and cell.isdecimal() and lowest <= int(cell) <= highest):
        raise ValueError(cell)
    return int(cell)
