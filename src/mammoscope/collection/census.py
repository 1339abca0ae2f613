"""Of each column of the table: how many rows have it, how many do not, and which values there are."""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from mammoscope.collection.shards import ORIGINAL
from mammoscope.collection.tables import ColumnOf, Parts, Tally
from mammoscope.dicom.headers.row import as_text
from mammoscope.pool import Pool

COMMON: Final = 10  # values that are listed
_MOST_COUNTED: Final = 1000  # different values of a column: with more, none is common
_AT_ONCE: Final = 8192  # rows
SCHEMA: Final = pa.schema(
    [
        ("element", pa.string()),  # path in keywords
        ("tag", pa.string()),
        ("vr", pa.string()),  # of all files: LO, or LO/SH
        ("column", pa.string()),  # null: of this element no file has a value that could stand in a column
        ("present", pa.int64()),  # rows: those with a value, and those where the element is empty
        ("missing", pa.int64()),  # rows without the element
        ("empty", pa.int64()),
        ("values", pa.int64()),  # rows with a typed value
        ("distinct", pa.int64()),
        ("untyped", pa.int64()),  # rows whose value is not what the VR allows
        ("left_out", pa.int64()),  # rows whose value is too long for the table
        ("longest_left_out_bytes", pa.int64()),
        ("common", pa.list_(pa.struct([("value", pa.string()), ("rows", pa.int64())]))),  # null: too many to count
    ]
)


_GROUP: Final = 64  # columns that a process counts at a time


@dataclass(frozen=True, slots=True)
class Found:
    """Of one column."""

    present: int  # rows with a typed value, or with its text alone
    values: int
    distinct: int
    common: list[dict[str, Any]] | None


def write_census(parts: Parts, pool: Pool, step: Callable[[int, int], None]) -> None:
    columns = [c for c in parts.columns if c.kind != ORIGINAL]
    originals = {c.element: c.name for c in parts.columns if c.kind == ORIGINAL}
    asked = [(c.name, originals.get(c.element) if c.is_plain else None) for c in columns]
    groups = [asked[first : first + _GROUP] for first in range(0, len(asked), _GROUP)]
    found: list[Found] = []
    for group in pool.map(partial(count, parts.table), groups):
        found += group
        step(len(found), len(columns))
    rows = [_row(column, each, parts.tally) for column, each in zip(columns, found, strict=True)]
    present = Counter[str]()
    for row in rows:
        present[row["element"]] += row["present"]
    for row in rows:
        row["missing"] = parts.tally.rows - present[row["element"]]
    told = {column.element for column in columns}
    rows += [_empty_sequence(name, parts.tally) for name in sorted(parts.tally.empty) if name not in told]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), parts.census)


def count(table: Path, columns: Sequence[tuple[str, str | None]]) -> list[Found]:
    """columns: each with the column of its original text."""
    with pq.ParquetFile(table) as source:
        return [_count(source, column, original) for column, original in columns]


def _count(source: pq.ParquetFile, column: str, original: str | None) -> Found:
    """One column at a time is in memory, as 8 bytes for each value that may be new."""
    digests, counted, is_counted, values, present = array("Q"), Counter[str](), True, 0, 0
    names = [column] if original is None else [column, original]
    for batch in source.iter_batches(_AT_ONCE, columns=names):
        is_there = [batch[name].is_valid() for name in names]  # names: that of a sequence begins others
        present += pc.sum(is_there[0] if original is None else pc.or_(*is_there)).as_py() or 0
        texts = _value_counts(batch[column])
        values += sum(texts.values())
        digests.extend(xxhash.xxh3_64_intdigest(text.encode()) for text in texts)
        if is_counted:
            counted.update(texts)
            is_counted = len(counted) <= _MOST_COUNTED
    common = [{"value": value, "rows": rows} for value, rows in counted.most_common(COMMON)] if is_counted else None
    distinct = len(np.unique(np.frombuffer(digests, np.uint64))) if digests else 0
    return Found(present, values, distinct, common)


def _value_counts(column: pa.Array) -> dict[str, int]:
    present = column.drop_null()
    if pa.types.is_list(present.type):
        return Counter(as_text(value) for value in present.to_pylist())
    counts = pc.value_counts(present)
    texts = (as_text(value) for value in counts.field("values").to_pylist())
    return dict(zip(texts, counts.field("counts").to_pylist(), strict=True))


def _row(column: ColumnOf, found: Found, tally: Tally) -> dict[str, Any]:
    name, told = column.element, column.field.metadata
    empty, left_out = (tally.empty[name], tally.left_out[name]) if column.is_plain else (0, 0)
    return {
        "element": name,
        "tag": told[b"tag"].decode(),
        "vr": told[b"vr"].decode(),
        "column": column.name,
        "present": found.present + empty + left_out,
        "empty": empty,
        "values": found.values,
        "distinct": found.distinct,
        "untyped": tally.untyped[name] if column.is_plain else 0,
        "left_out": left_out,
        "longest_left_out_bytes": tally.longest_bytes.get(name) if column.is_plain else None,
        "common": found.common,
    }


def _empty_sequence(name: str, tally: Tally) -> dict[str, Any]:
    """A sequence that is nowhere filled, or an item of one, has no column; when it is there is told here."""
    empty = tally.empty[name]
    counts = {"present": empty, "missing": tally.rows - empty, "empty": empty}
    return {"element": name, "vr": "SQ", "values": 0, "distinct": 0, "untyped": 0, "left_out": 0} | counts
