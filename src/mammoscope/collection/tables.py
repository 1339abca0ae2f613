"""Merged batches -> the files that stay: the table, and beside it what could not be read, as Parquet or CSV."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from mammoscope.collection.merge import Merge
from mammoscope.collection.shards import FIXED, ORIGINAL
from mammoscope.dicom.headers.row import as_text
from mammoscope.errors import MammoscopeError
from mammoscope.files import all_written_whole
from mammoscope.vocabulary import RESEARCH_USE_ONLY

SUFFIXES: Final = (".parquet", ".csv")
_OWN: Final = tuple(name for name in FIXED.names if not name.startswith("@"))
_FACTS: Final = tuple(
    name for name in FIXED.names if name.startswith("@") and name not in ("@key", "@state", "@is_row")
)
_COMPRESSION: Final = "zstd"


@dataclass(frozen=True, slots=True)
class Outputs:
    table: Path
    census: Path
    anomalies: Path
    rejects: Path


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column of the table, and where it comes from."""

    source: str  # of the shards
    name: str  # PatientID; PatientID_original; where its VRs disagree, PatientID_binary and the like
    element: str  # the path, in keywords
    kind: str  # of values.Kind, or "original"
    field: pa.Field

    @property
    def is_plain(self) -> bool:
        return self.name == self.element


@dataclass(slots=True)
class Tally:
    """What was counted while rows went by."""

    rows: int = 0
    rejects: Counter[str] = field(default_factory=Counter)  # by code
    errors: Counter[str] = field(default_factory=Counter)  # by code
    empty: Counter[str] = field(default_factory=Counter)  # by element, as are those that follow
    untyped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    longest_bytes: dict[str, int] = field(default_factory=dict)

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        self.errors.update(_present(batch["error_code"]))
        self.empty.update(_present(batch["empty_elements"].flatten()))
        self.untyped.update(_present(batch["untyped_elements"].flatten()))
        for each in batch["left_out_elements"].flatten().to_pylist():
            self.left_out[each["element"]] += 1
            self.longest_bytes[each["element"]] = max(each["bytes"], self.longest_bytes.get(each["element"], 0))


@dataclass(frozen=True, slots=True)
class Parts:
    """Files in the folder of what is unfinished."""

    table: Path
    facts: Path  # of dicom.headers.row.FACTS, sorted as the table, as text
    rejects: Path
    census: Path
    anomalies: Path
    columns: tuple[ColumnOf, ...]
    tally: Tally


def outputs_of(output: Path) -> Outputs:
    if output.suffix not in SUFFIXES:
        raise MammoscopeError(f"-o {output}: allowed: a name that ends in {' or '.join(SUFFIXES)}")
    beside = [output.with_name(f"{output.stem}.{what}{output.suffix}") for what in ("census", "anomalies", "rejects")]
    return Outputs(output, *beside)


def columns_of(schema: pa.Schema) -> tuple[ColumnOf, ...]:
    """Where the values of one element are of several kinds, the kind that most have is the one with the plain name."""
    sources = [(f, *f.name.partition(":")[::2]) for f in schema if f.name not in FIXED.names]
    most: dict[str, tuple[int, str]] = {}
    for f, kind, name in sources:
        if kind != ORIGINAL:
            most[name] = max(most.get(name, (-1, "")), (int(f.metadata[b"count"]), kind))
    found = []
    for f, kind, element in sources:
        name = element if most.get(element, (0, kind))[1] == kind else f"{element}_{kind}"
        told = {key: f.metadata[key] for key in (b"tag", b"vr")}
        found.append(ColumnOf(f.name, name, element, kind, pa.field(name, f.type, metadata=told)))
    return tuple(found)


def write_parts(merge: Merge, folder: Path, files: int, step: Callable[[int, int], None]) -> Parts:
    columns, tally = columns_of(merge.schema), Tally()
    about = {"mammoscope.headers": "1", "mammoscope.use": RESEARCH_USE_ONLY}
    table = pa.schema([*(FIXED.field(name) for name in _OWN), *(c.field for c in columns)], about)
    facts = pa.schema([FIXED.field(name) for name in ("file_path", "pixel_bytes", *_FACTS)])
    rejects = pa.schema([FIXED.field(name) for name in ("file_path", "file_bytes", "error_code", "error_reason")])
    table_path, facts_path, rejects_path, census, anomalies = (
        folder / f"{name}.parquet" for name in ("table", "facts", "rejects", "census", "anomalies")
    )
    parts = Parts(table_path, facts_path, rejects_path, census, anomalies, columns, tally)
    with (
        _writer(parts.table, table) as tables,
        _writer(parts.facts, facts) as fact,
        _writer(parts.rejects, rejects) as no,
    ):
        for batch in merge.batches():
            rows = batch.filter(batch["@is_row"])
            refused = batch.filter(pc.invert(batch["@is_row"]))
            tally.add(rows)
            tally.rejects.update(_present(refused["error_code"]))
            arrays = [rows[name] for name in (*_OWN, *(c.source for c in columns))]
            _write(tables, arrays, table)
            _write(fact, [rows[name] for name in facts.names], facts)
            _write(no, [refused[name] for name in rejects.names], rejects)
            step(tally.rows + tally.rejects.total(), files)
    return parts


def put_in_place(parts: Parts, outputs: Outputs) -> None:
    """All of them or none; the table last."""
    pairs = [(parts.census, outputs.census), (parts.anomalies, outputs.anomalies), (parts.rejects, outputs.rejects)]
    pairs.append((parts.table, outputs.table))
    with all_written_whole([to for _, to in pairs]) as temporaries:
        for (part, to), temporary in zip(pairs, temporaries, strict=True):
            if to.suffix == ".csv":
                _as_csv(part, temporary)
            else:
                os.replace(part, temporary)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression=_COMPRESSION)


def _write(writer: pq.ParquetWriter, arrays: list[pa.Array], schema: pa.Schema) -> None:
    if len(arrays[0]):
        writer.write_batch(pa.record_batch(arrays, schema=schema))


def _present(array: pa.Array) -> dict[str, int]:
    counts = pc.value_counts(array.drop_null())
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _as_csv(part: Path, path: Path) -> None:
    """Lists as DICOM writes them, with backslashes; binary in hexadecimal; dates and times in ISO form."""
    with pq.ParquetFile(part) as source:
        schema = pa.schema([pa.field(f.name, pa.string()) for f in source.schema_arrow])
        with pa.csv.CSVWriter(str(path), schema) as writer:
            for batch in source.iter_batches(batch_size=1024):
                writer.write_batch(pa.record_batch(list(_texts(batch)), schema=schema))


def _texts(batch: pa.RecordBatch) -> Iterator[pa.Array]:
    for column in batch.columns:
        if pa.types.is_string(column.type):
            yield column
        else:
            yield pa.array([None if value is None else _text(value) for value in column.to_pylist()], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return json.dumps(value, ensure_ascii=False)
    return as_text(value)
