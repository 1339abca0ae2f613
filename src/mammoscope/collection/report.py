"""What was found in a tree as a table, .parquet or .csv: rows are written as they come."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside, written_whole

_SUFFIXES: Final = (".csv", ".parquet")
_ROWS_AT_ONCE: Final = 20_000
_ESCAPED: Final = "backslashreplace"  # a name that is no UTF-8

Write = Callable[[Iterable[Sequence[Any]]], None]


def check_report(root: Path, output: Path | None) -> None:
    """Raises: MammoscopeError for a name that says no format, or a place in the tree, which is only read."""
    if output is None:
        return
    refuse_inside(root, output, f"-o {output}", source_key="ROOT")
    if output.suffix not in _SUFFIXES:
        raise MammoscopeError(f"-o {output}: allowed: a name that ends in {' or '.join(_SUFFIXES)}")


@contextmanager
def written_report(output: Path | None, schema: pa.Schema) -> Iterator[Write]:
    """Gives f(rows), values in the schema's order. There is a file when the block ends well; without output, none.

    Raises: MammoscopeError where it cannot be written.
    """
    if output is None:
        yield lambda rows: None
        return
    opened = _parquet if output.suffix == ".parquet" else _csv
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(output) as unfinished, opened(unfinished, schema) as write:
            yield write
    except OSError as error:
        raise MammoscopeError(f"-o {output}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[Write]:
    with open(path, "w", newline="", encoding="utf-8", errors=_ESCAPED) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        yield writer.writerows


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Write]:
    waiting: list[Sequence[Any]] = []
    with pq.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            columns = zip(schema, zip(*waiting, strict=True), strict=True)
            writer.write_table(pa.table([_array(values, field.type) for field, values in columns], schema=schema))
            waiting.clear()

        def write(rows: Iterable[Sequence[Any]]) -> None:
            waiting.extend(rows)
            if len(waiting) >= _ROWS_AT_ONCE:
                flush()

        yield write
        if waiting:
            flush()


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([v if v is None else v.encode("utf-8", _ESCAPED).decode() for v in values], kind)
