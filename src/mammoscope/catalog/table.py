"""A user's own CSV of images -> rows. Every cell that is wrong is named before any image is opened (docs/data.md)."""

import csv
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mammoscope.catalog.cells import Column, bad_cells, matching, refuse_bad, whole
from mammoscope.errors import CellError
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Laterality, Partition, View

NEEDED: Final = ("path", "patient", "laterality", "view", "target")
OPTIONAL: Final = ("kind", "partition", "roi", "box")
_BOX: Final = "four whole numbers `top left bottom right` in px, from 0, bottom and right exclusive; or none"

Box = tuple[int, int, int, int]  # top, left, bottom, right in px, counted from 0; bottom and right exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    line: int  # of the file, where the row begins
    path: str  # as written: of the table's folder, or absolute
    patient: str
    laterality: Laterality
    view: View
    target: int
    kind: AbnormalityKind  # unknown where the table has no such column
    partition: Partition | None  # None where the table has no such column
    roi: str | None  # at most one of these two
    box: Box | None


@dataclass(frozen=True, slots=True)
class ImageTable:
    path: Path  # absolute
    rows: tuple[TableRow, ...]  # one an image; several where ROIs tell them apart
    has_kinds: bool
    has_partitions: bool

    @property
    def root(self) -> Path:
        return self.path.parent


def read_table(path: Path) -> ImageTable:
    """All rows, in their order; files are seen to be there, none is opened.

    Raises:
        CellError: for a file that is no such table; for bad cells, with file, line, column, value, allowed.
    """
    path = path.expanduser().resolve()
    lines = list(_lines(path))
    columns = {name: column for name, column in _columns(path.parent).items() if lines and name in lines[0][1]}
    rows: list[TableRow] = []
    bad: list[tuple[str, str]] = []
    owners = _Owners(path.parent)
    for line, cells in lines:
        wrong = list(
            bad_cells(cells, {name: column for name, column in _columns(path.parent).items() if name in cells})
        )
        if not wrong and cells.get("roi") and cells.get("box"):
            wrong = [f"column 'box': {cells['box']!r} beside an roi; allowed: one of the two, or none"]
        if not wrong:
            rows.append(_row(line, cells))
            wrong = list(owners.contradictions(rows[-1]))
        bad.extend((f"{path} line {line}", words) for words in wrong)
    refuse_bad(bad)
    if not rows:
        raise _refused(path, ": a header and no row; allowed: a row an image")
    return ImageTable(path, tuple(rows), has_kinds="kind" in columns, has_partitions="partition" in columns)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Where each row begins, and its stripped cells by column. Blank lines, as spreadsheets leave them, are no rows."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            # what spreadsheets write where the comma is the decimal sign
            separator = next((mark for mark in ",;\t" if mark in head), ",")
            reader = csv.reader(file, delimiter=separator, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(path, columns)
            first = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    if len(cells) != len(columns):
                        raise _refused(path, f" line {first}: {len(cells)} cells; allowed: {len(columns)}")
                    yield first, dict(zip(columns, (c.strip() for c in cells), strict=True))
                first = reader.line_num + 1
    except UnicodeDecodeError as error:
        raise _refused(path, f": is not UTF-8 ({error.reason}); save it as `CSV UTF-8`") from error
    except (OSError, csv.Error) as error:
        raise CellError(f"source.csv={path}: cannot be read as CSV: {error}", "source.csv: cannot be read") from error


def _refused(path: Path, said: str, public: str | None = None) -> CellError:
    """public: in place of `said`, which quotes a cell."""
    return CellError(f"{path}{said}", f"source.csv{public or said}")


def _check_columns(path: Path, columns: list[str]) -> None:
    allowed = f"allowed: {', '.join(NEEDED)}; where known: {', '.join(OPTIONAL)}"
    for name in columns:
        if name not in NEEDED + OPTIONAL:
            near = difflib.get_close_matches(name.lower(), NEEDED + OPTIONAL, n=1, cutoff=0.75)
            hint = f" (did you mean {near[0]}?)" if near else ""
            said = f" line 1: there is no column {name!r}{hint}; {allowed}"
            raise _refused(path, said, f" line 1: a column that is not known; {allowed}")
        if columns.count(name) > 1:
            raise _refused(path, f" line 1: column {name!r} stands {columns.count(name)} times; allowed: once")
    for name in NEEDED:
        if name not in columns:
            raise _refused(path, f" line 1: no column {name!r}; {allowed}")


def _columns(root: Path) -> dict[str, Column]:
    return {
        "path": Column(partial(_file, root), f"a DICOM or PNG file that is there, seen from {root}"),
        "patient": Column(partial(matching, r".+"), "what tells patients apart"),
        "laterality": Column(Laterality, ", ".join(Laterality)),
        "view": Column(View, ", ".join(View)),
        "target": Column(partial(whole, 0, 1), "0 (benign), 1 (malignant)"),
        "kind": Column(_KINDS.__getitem__, ", ".join(_KINDS)),
        "partition": Column(Partition, ", ".join(Partition)),
        "roi": Column(_or_none(partial(_file, root)), f"a mask that is there, seen from {root}; or none"),
        "box": Column(_or_none(_box), _BOX),
    }


_KINDS: Final = {str(kind): kind for kind in CBIS_DDSM_KINDS}


def _row(line: int, cells: Mapping[str, str]) -> TableRow:
    return TableRow(
        line=line,
        path=cells["path"],
        patient=cells["patient"],
        laterality=Laterality(cells["laterality"]),
        view=View(cells["view"]),
        target=int(cells["target"]),
        kind=_KINDS.get(cells.get("kind", ""), AbnormalityKind.unknown),
        partition=Partition(cells["partition"]) if "partition" in cells else None,
        roi=cells.get("roi") or None,
        box=_box(cells["box"]) if cells.get("box") else None,
    )


class _Owners:
    """Who has named what so far, so that a row that contradicts an earlier one is told with the line of that. Final."""

    def __init__(self, root: Path):
        self._root = root
        self._images: dict[tuple[int, int], list[TableRow]] = {}
        self._partitions: dict[str, TableRow] = {}

    def contradictions(self, row: TableRow) -> Iterator[str]:
        earlier = self._images.setdefault(self._identity(row.path), [])
        for other in earlier[:1]:  # all of them agree with the first
            for name in ("patient", "laterality", "view"):
                own, its = getattr(row, name), getattr(other, name)
                if own != its:
                    yield f"column {name!r}: {str(own)!r}; allowed: {its}, as line {other.line} says of the same image"
        same = [other.line for other in earlier if self._roi(other) == self._roi(row)]
        if same or (earlier and None in map(self._roi, (row, *earlier))):
            yield (
                f"column 'path': {row.path!r} is the image of line {(same or [earlier[0].line])[0]} already; "
                "allowed: once, or once an roi or box, all of them different"
            )
        earlier.append(row)
        known = self._partitions.setdefault(row.patient, row)
        if known.partition is not row.partition:
            yield (
                f"column 'partition': '{row.partition}'; allowed: {known.partition}, where line {known.line} has the "
                "same patient"
            )

    def _roi(self, row: TableRow) -> object:
        return row.box or (self._identity(row.roi) if row.roi else None)

    def _identity(self, path: str) -> tuple[int, int]:
        """The same for a file under two names, links among them."""
        status = os.stat(self._root / path)
        return status.st_dev, status.st_ino


def _or_none(parse: Callable[[str], object]) -> Callable[[str], object]:
    return lambda cell: parse(cell) if cell else None


def _file(root: Path, cell: str) -> str:
    if not cell or "\0" in cell or not (root / Path(cell)).is_file():
        raise ValueError(cell)
    return cell


def _box(cell: str) -> Box:
    top, left, bottom, right = (whole(0, 1 << 20, word) for word in cell.split())
    if not (top < bottom and left < right):
        raise ValueError(cell)
    return top, left, bottom, right
