"""Some hundred files -> one shard of the table: sorted rows, their columns typed by what occurs in them.

A shard's columns are its own: which there are in all is known when all files were read.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import xxhash

from mammoscope.collection.order import reject_key, sort_key
from mammoscope.dicom.headers.row import FACTS, Element, Row, RowReader
from mammoscope.dicom.headers.selection import Selection
from mammoscope.dicom.headers.values import Kind
from mammoscope.errors import DicomError
from mammoscope.files import written_whole
from mammoscope.listing import ListedFile

BATCH_ROWS: Final = 128  # that a merge holds of each shard
MOST_CELLS: Final = 1_000_000  # of a shard in memory: a file may have thousands
ARROW: Final[dict[Kind, pa.DataType]] = {
    Kind.text: pa.string(),
    Kind.whole: pa.int64(),
    Kind.big: pa.uint64(),
    Kind.number: pa.float64(),
    Kind.date: pa.date32(),
    Kind.time: pa.time64("us"),
    Kind.moment: pa.timestamp("us"),
    Kind.binary: pa.binary(),
}
ORIGINAL: Final = "original"  # in a field's name where else the kind stands
LEFT_OUT: Final = pa.list_(pa.struct([("element", pa.string()), ("bytes", pa.int64())]))
FIXED: Final = pa.schema(
    [
        ("@key", pa.string()),
        ("@state", pa.uint64()),
        ("@is_row", pa.bool_()),
        ("@path", pa.binary()),  # as the system has it
        ("file_path", pa.string()),
        ("file_bytes", pa.int64()),
        ("pixel_bytes", pa.int64()),
        ("error_code", pa.string()),
        ("error_reason", pa.string()),
        ("empty_elements", pa.list_(pa.string())),
        ("untyped_elements", pa.list_(pa.string())),
        ("left_out_elements", LEFT_OUT),
        ("more_elements", pa.string()),
        *((f"@{keyword}", pa.string()) for keyword in FACTS),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTask:
    root: str
    files: tuple[ListedFile, ...]
    folder: Path
    number: int
    selection: Selection


@dataclass(frozen=True, slots=True)
class ShardDone:
    files: int
    written: tuple[Path, ...]


def state_of(file: ListedFile) -> int:
    """64 bits that are others when the file is another, or has another size or time."""
    return xxhash.xxh3_64_intdigest(os.fsencode(f"{file.path}\0{file.size}\0{file.mtime_ns}"))


def printable(path: str) -> str:
    """A name of the system that is no UTF-8, as text that is: n\\xe4me."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def read_shard(task: ShardTask) -> ShardDone:
    """Reads the files and writes them as one shard, or as several where they hold very much.

    They bear this process's number: one whose command was killed may be at it for a moment, beside the next command's.
    """
    reader, shard, written = _reader(task.selection), _Shard(), list[Path]()

    def write() -> None:
        path = task.folder / f"{task.number:08}-{len(written)}-{os.getpid()}.arrow"
        if shard.write(path):
            written.append(path)

    for file in task.files:
        try:
            if file.fault is not None:
                raise DicomError("E-UNREADABLE", file.path, file.fault)
            shard.add(file, reader.read(Path(task.root, file.path)))
        except DicomError as error:
            shard.reject(file, error)
        if shard.cells > MOST_CELLS:
            write()
            shard = _Shard()
    write()
    return ShardDone(len(task.files), tuple(written))


@cache
def _reader(selection: Selection) -> RowReader:
    return RowReader(selection)


@dataclass(slots=True, eq=False)
class _Column:
    name: str
    kind: str  # of values.Kind, or ORIGINAL
    tag: str
    vrs: set[str] = field(default_factory=set)
    values: list[Any] = field(default_factory=list)

    def built(self, rows: int) -> tuple[pa.Field, pa.Array]:
        data_type = ARROW[Kind.text if self.kind == ORIGINAL else Kind(self.kind)]
        values = self.values + [None] * (rows - len(self.values))
        if any(type(value) is list for value in values):
            data_type = pa.list_(data_type)
            values = [value if value is None or type(value) is list else [value] for value in values]
        built = pa.array(values, data_type)
        told = {"tag": self.tag, "vr": "/".join(sorted(self.vrs)), "count": str(rows - built.null_count)}
        return pa.field(f"{self.kind}:{self.name}", data_type, metadata=told), built


class _Shard:
    def __init__(self) -> None:
        self.cells = 0
        self._fixed: dict[str, list[Any]] = {name: [] for name in FIXED.names}
        self._columns: dict[tuple[str, str], _Column] = {}
        self._typed: dict[Element, _Column] = {}

    def add(self, file: ListedFile, row: Row) -> None:
        number, path = len(self._fixed["@key"]), printable(file.path)
        untyped, left_out = list[str](), list[dict[str, Any]]()
        typed = self._typed
        for element, value in row.cells:
            column = typed.get(element)
            if column is None:
                column = typed[element] = self._column(element.name, element.kind, element)
            _put(column if len(column.values) <= number else self._other(column, number, element), number, value.typed)
            if value.original is not None:
                column = self._column(element.name, ORIGINAL, element)
                column = column if len(column.values) <= number else self._other(column, number, element)
                _put(column, number, value.original)
            if value.is_untyped:
                untyped.append(element.name)
            if value.left_out_bytes:
                left_out.append({"element": element.name, "bytes": value.left_out_bytes})
        self.cells += len(row.cells)
        fixed = {
            "@key": sort_key(row.facts, path),
            "@is_row": True,
            "pixel_bytes": row.pixel_bytes,
            "empty_elements": row.empty or None,
            "untyped_elements": untyped or None,
            "left_out_elements": left_out or None,
            "more_elements": row.more,
            **{f"@{keyword}": text for keyword, text in row.facts.items()},
        }
        self._add_fixed(file, path, fixed, row.error)

    def reject(self, file: ListedFile, error: DicomError) -> None:
        path = printable(file.path)
        self._add_fixed(file, path, {"@key": reject_key(path), "@is_row": False}, error)

    def write(self, path: Path) -> bool:
        """Whether there was anything to write."""
        if not self._fixed["@key"]:
            return False
        rows = len(self._fixed["@key"])
        arrays = [pa.array(self._fixed[name], FIXED.field(name).type) for name in FIXED.names]
        fields = list(FIXED)
        for column in self._columns.values():
            field_, built = column.built(rows)
            fields.append(field_)
            arrays.append(built)
        write_shard(pa.table(arrays, pa.schema(fields)).sort_by("@key"), path)
        return True

    def _add_fixed(self, file: ListedFile, path: str, known: dict[str, Any], error: DicomError | None) -> None:
        known["file_path"], known["file_bytes"] = path, file.size
        known["@path"], known["@state"] = os.fsencode(file.path), state_of(file)
        if error is not None:
            known["error_code"], known["error_reason"] = (
                error.code,
                error.reason.encode("utf-8", "backslashreplace").decode(),
            )
        for name, values in self._fixed.items():
            values.append(known.get(name))

    def _column(self, name: str, kind: str, element: Element) -> _Column:
        column = self._columns.get((name, kind))
        if column is None:
            column = self._columns[name, kind] = _Column(name, kind, element.tag)
        column.vrs.add(element.vr)
        return column

    def _other(self, column: _Column, row: int, element: Element) -> _Column:
        """For the second value that a row has under one name: a creator may have two blocks in a file."""
        again = 1
        while len(column.values) > row:
            again += 1
            column = self._column(f"{element.name}#{again}", column.kind, element)
        return column


def _put(column: _Column, row: int, value: Any) -> None:
    values = column.values
    if len(values) < row:
        values.extend([None] * (row - len(values)))
    values.append(value)


def without_rows(table: pa.Table) -> pa.Table:
    """A shard that has lost rows, without the columns that none of the others has."""
    left_out = [each["element"] for each in pc.list_flatten(table["left_out_elements"]).to_pylist()]
    named = {*pc.list_flatten(table["empty_elements"]).to_pylist(), *left_out}
    fields = []
    for field_ in table.schema:
        count = len(table) - table[field_.name].null_count
        if field_.name in FIXED.names:
            fields.append(field_)
        elif count or field_.name.partition(":")[2] in named:
            fields.append(field_.with_metadata(field_.metadata | {b"count": str(count).encode()}))
    return table.select([f.name for f in fields]).cast(pa.schema(fields))


def write_shard(table: pa.Table, path: Path) -> None:
    with written_whole(path) as unfinished, pa.ipc.new_file(str(unfinished), table.schema) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)


def shards_in(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.arrow"))
