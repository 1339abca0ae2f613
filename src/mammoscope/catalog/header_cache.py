"""The headers of a tree that was read before: only files that are new, or have another size or time, are opened."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.catalog.headers import Progress, read_headers
from mammoscope.catalog.tree import Tree
from mammoscope.dicom.read import Header
from mammoscope.errors import DicomError
from mammoscope.files import written_whole

State = tuple[str, int, int]  # path, size, time
Known = Mapping[State, Header | DicomError]

FORMAT: Final = b"mammoscope-headers-1"
_ARROW: Final = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
_FACTS: Final = [(field.name, _ARROW[field.type]) for field in fields(Header)]  # type: ignore[index]
_STATE: Final = [("path", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64())]
_REFUSAL: Final = [("code", pa.string()), ("reason", pa.string())]
_SCHEMA: Final = pa.schema([*_STATE, *_REFUSAL, *_FACTS], {b"format": FORMAT})


def header_file(cache_dir: Path, root: Path) -> Path:
    """Where the headers of the tree at `root` are kept: a name that tells nobody where it lies."""
    return cache_dir / f"headers-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]}.parquet"


def read_changed_headers(
    tree: Tree, file: Path, *, workers: int, progress: Progress | None
) -> tuple[tuple[str, Header | DicomError], ...]:
    """As read_headers of all the tree's files. What was read is kept in `file`, also when it is interrupted."""
    known = _load(file)
    states = {path: (path, *state) for path, state in zip(tree.dicom_files, tree.states, strict=True)}
    found = {path: known[state] for path, state in states.items() if state in known}
    missing = [path for path in tree.dicom_files if path not in found]
    try:
        for path, header in read_headers(tree.root, missing, workers=workers, progress=progress):
            found[path] = header
    finally:
        if missing:
            _save(file, {states[path]: header for path, header in found.items() if _lasts(header)})
    return tuple((path, found[path]) for path in tree.dicom_files)


def _lasts(header: Header | DicomError) -> bool:
    """What the system refused today it may open tomorrow, and the file looks the same."""
    return isinstance(header, Header) or header.code != "E-UNREADABLE"


def _load(file: Path) -> Known:
    """Nothing where there is no such file, or none that this version wrote: the headers are then read again."""
    try:
        table = pq.read_table(file, schema=_SCHEMA, page_checksum_verification=True)
        rows = table.to_pylist() if (pq.read_schema(file).metadata or {}).get(b"format") == FORMAT else []
    except (OSError, pa.ArrowException):
        return {}
    return {(row["path"], row["size"], row["mtime_ns"]): _record(row) for row in rows}


def _record(row: dict) -> Header | DicomError:
    if row["code"] is not None:
        return DicomError(row["code"], row["path"], row["reason"])
    return Header(**{name: row[name] for name, _ in _FACTS})


def _save(file: Path, headers: Known) -> None:
    rows = [dict(zip(_SCHEMA.names, state, strict=False)) | _facts(header) for state, header in headers.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as unfinished:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), unfinished, write_page_checksum=True)


def _facts(header: Header | DicomError) -> dict[str, object]:
    return asdict(header) if isinstance(header, Header) else {"code": header.code, "reason": header.reason}
