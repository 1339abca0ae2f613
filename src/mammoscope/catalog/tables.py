"""The catalog as Parquet: a row a mammogram, a row an abnormality x view, a row a defect."""

from collections.abc import Sequence
from dataclasses import Field, fields
from pathlib import Path
from types import UnionType
from typing import Final, TypeVar, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.records import Abnormality, Catalog, Defect, Finding, Mammogram

Record = TypeVar("Record", Mammogram, Abnormality, Defect)

FORMAT: Final = b"mammoscope-catalog-2"
MAMMOGRAMS, ABNORMALITIES, DEFECTS = "mammograms.parquet", "abnormalities.parquet", "defects.parquet"
FINDINGS: Final = "findings.parquet"


def write_catalog(catalog: Catalog, folder: Path) -> None:
    """Three files, each replaced in one step; each says which catalog it belongs to. The folder is made.

    The mammograms come last: where they are, the others are.
    """
    facts = {b"format": FORMAT, b"digest": catalog.digest.encode(), b"is_phantom": str(catalog.is_phantom).encode()}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / DEFECTS, catalog.defects, Defect, facts)
    _write(folder / ABNORMALITIES, catalog.abnormalities, Abnormality, facts)
    _write(folder / MAMMOGRAMS, catalog.mammograms, Mammogram, facts)


def write_findings(findings: Sequence[Finding], folder: Path) -> None:
    """A row a finding, beside the catalog; the other rows that it is about are parted by blanks."""
    columns = {
        "trap": [str(f.trap) for f in findings],
        "row": [f.row for f in findings],
        "found": [f.found for f in findings],
        "taken_as": [f.taken_as for f in findings],
        "others": [" ".join(f.others) for f in findings],
        "reviewed": [f.reviewed for f in findings],
    }
    schema = pa.schema([(name, pa.bool_() if name == "reviewed" else pa.string()) for name in columns])
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / FINDINGS) as unfinished:
        pq.write_table(pa.Table.from_pydict(columns, schema=schema), unfinished)


def read_catalog(folder: Path) -> Catalog:
    """The catalog that `write_catalog` put there. Pages have checksums, and each table says of which catalog it is.

    Raises:
        MammoscopeError: where a file is absent, damaged, or of another catalog than the others.
    """
    mammograms, facts = _read(folder / MAMMOGRAMS, Mammogram)
    abnormalities, beside = _read(folder / ABNORMALITIES, Abnormality)
    defects, last = _read(folder / DEFECTS, Defect)
    digests = {table.get(b"digest", b"") for table in (facts, beside, last)}
    if len(digests) > 1:
        raise MammoscopeError(f"{folder}: its three tables are not one catalog; index the source again")
    return Catalog(
        mammograms=mammograms,
        abnormalities=abnormalities,
        defects=defects,
        is_phantom=facts.get(b"is_phantom") == b"True",
        digest=digests.pop().decode(),
    )


def _write(path: Path, records: Sequence[Record], kind: type[Record], facts: dict[bytes, bytes]) -> None:
    columns = {f.name: [getattr(record, f.name) for record in records] for f in fields(kind)}
    schema = pa.schema([pa.field(f.name, _arrow_type(f), nullable=_is_optional(f)) for f in fields(kind)], facts)
    with written_whole(path) as unfinished:
        pq.write_table(pa.Table.from_pydict(columns, schema=schema), unfinished, write_page_checksum=True)


def _read(path: Path, kind: type[Record]) -> tuple[tuple[Record, ...], dict[bytes, bytes]]:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise MammoscopeError(f"{path}: cannot be read as Parquet: {error}") from error
    facts = table.schema.metadata or {}
    if facts.get(b"format") != FORMAT or table.column_names != [f.name for f in fields(kind)]:
        raise MammoscopeError(f"{path}: is no table of a catalog in the format {FORMAT.decode()}")
    columns = [_parsed(table.column(f.name).to_pylist(), f) for f in fields(kind)]
    names = table.column_names
    return tuple(kind(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)), facts


def _parsed(values: list[object], field: Field[object]) -> list[object]:
    kind = _value_type(field)
    members = {value: kind(value) for value in set(values)} if kind not in (str, int) else None
    return values if members is None else [members[value] for value in values]


def _arrow_type(field: Field[object]) -> pa.DataType:
    return pa.int64() if _value_type(field) is int else pa.string()


def _value_type(field: Field[object]) -> type:
    """str for `str | None`."""
    kind = get_args(field.type)[0] if _is_optional(field) else field.type
    assert isinstance(kind, type), f"{field.name}: annotations of records are classes"
    return kind


def _is_optional(field: Field[object]) -> bool:
    return isinstance(field.type, UnionType)
