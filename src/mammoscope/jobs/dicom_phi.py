"""`mammoscope dicom phi ROOT`: where in a tree something identifies a person, and what would be done about it."""

import re
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from rich import box
from rich.table import Table

from mammoscope.collection.files import check_root
from mammoscope.collection.phi import SCHEMA, Row, audit_tree
from mammoscope.collection.report import check_report, written_report
from mammoscope.dicom.iod import iod_of
from mammoscope.dicom.privacy.profile import Action
from mammoscope.dicom.privacy.why import WHYS, Why
from mammoscope.errors import MammoscopeError
from mammoscope.listing import ListedFile, list_files
from mammoscope.pool import open_pool
from mammoscope.reporting.console import console, progress, say

LINES_SHOWN: Final = 60
_ANY: Final = "1.2.840.10008.5.1.4.1.1.7"  # the tables that are read for it are then shared by all processes


class _Line(NamedTuple):
    why: str
    place: str  # without the numbers of items
    action: str


def phi(root: Path, output: Path | None, workers: int) -> bool:
    """Prints a summary, writes the table; whether nothing was found. Names and values are in neither.

    Raises: MammoscopeError where there is nothing to audit, or the table cannot be where it is wanted.
    """
    check_report(root, output)
    top, files = listed(root)
    iod_of(_ANY)
    lines, with_findings, done = Counter[_Line](), 0, 0
    with open_pool(workers) as pool, written_report(output, SCHEMA) as write, progress("auditing") as step:
        for rows in audit_tree(top, files, pool):
            lines.update({_Line(row.why, _general(row), row.action) for row in rows})
            write(rows)
            with_findings += bool(rows)
            done += 1
            step(done, len(files))
    _say_summary(lines)
    if output is not None:
        say(f"written: {output}")
    say(f"{done} files: {with_findings} with something that identifies")
    return not with_findings


def listed(root: Path) -> tuple[Path, list[ListedFile]]:
    """What names of files are below, and the files. Raises: MammoscopeError where there is none."""
    if root.is_file():
        status = root.stat()
        return root.parent, [ListedFile(root.name, status.st_size, status.st_mtime_ns)]
    check_root(root)
    files = list(list_files(root))
    if not files:
        raise MammoscopeError(f"{root} holds no file")
    return root, files


def _general(row: Row) -> str:
    if row.why == Why.unread_file:
        return row.code
    return re.sub(r"\[\d+\]", "[]", row.place) if "[" in row.place else row.place


def _say_summary(lines: Counter[_Line]) -> None:
    if not lines:
        return
    table = Table("why", "where", "action", "files", box=box.SIMPLE_HEAD)
    for line, files in _sorted(lines)[:LINES_SHOWN]:
        table.add_row(line.why, line.place, line.action, str(files))
    console.print(table)
    if len(lines) > LINES_SHOWN:
        say(f"... and {len(lines) - LINES_SHOWN} more places; -o FILE has all of them")
    for why in sorted({line.why for line in lines}):
        say(f"{why}: {WHYS[Why(why)]}")
    actions = {action for line in lines for action in Action if action == line.action}
    say("; ".join(f"{action}: {_ACTIONS[action]}" for action in Action if action in actions))


def _sorted(lines: Counter[_Line]) -> list[tuple[_Line, int]]:
    order = list(WHYS)
    return sorted(lines.items(), key=lambda item: (order.index(Why(item[0].why)), -item[1], item[0].place))


_ACTIONS: Final = {
    Action.keep: "kept",
    Action.remove: "removed",
    Action.empty: "emptied",
    Action.dummy: "a pseudonym or a dummy in its place",
    Action.uid: "another UID, keyed",
    Action.shift: "moved by the patient's days, or the standard's text in its place",
    Action.refuse: "the file is refused",
    Action.rewrite: "made anew",
}
