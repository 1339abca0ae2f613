"""What a survey has read, in the store's root: a second look at a source reads only what has changed."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.data.preprocess import COARSE_PX
from mammoscope.data.survey import FileFacts, SurveyedFile, survey_files
from mammoscope.data.thumbnails import THUMBNAIL_PX
from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.vocabulary import ImageType, Trap

# Raise it when the same file gives other facts; what the breast and its thumbnail are made with is in it.
FORMAT: Final = f"mammoscope-survey-1 {COARSE_PX} {THUMBNAIL_PX}".encode()
_SAVE_EVERY_S: Final = 60.0  # so much is read again after a crash
_NUMBERS: Final = {name: pa.list_(pa.int64()) for name in ("shape_px", "box")}
_SCHEMA: Final = pa.schema(
    [
        ("path", pa.string()),
        ("image", pa.string()),
        ("file_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("trap", pa.string()),
        ("trouble", pa.string()),
        ("shape_px", _NUMBERS["shape_px"]),
        ("film", pa.string()),
        ("chest_wall", pa.string()),
        ("thumbnail", pa.binary()),
        ("levels", pa.int64()),
        ("box", _NUMBERS["box"]),
        ("peak", pa.int64()),
    ],
    metadata={b"format": FORMAT},
)
_OF_FILE: Final = ("path", "image", "file_bytes", "mtime_ns")


def known_facts(cache: Path, files: Iterable[SurveyedFile]) -> dict[SurveyedFile, FileFacts]:
    """Of those files that are as they were when they were read. A cache that is absent or damaged knows nothing."""
    wanted = set(files)
    try:
        table = pq.read_table(cache)
    except (OSError, pa.ArrowException):
        return {}
    facts_of_format = (table.schema.metadata or {}).get(b"format")
    if facts_of_format != FORMAT or table.column_names != _SCHEMA.names:
        return {}
    facts = (_as_facts(row) for row in table.to_pylist())
    return {f.file: f for f in facts if f.file in wanted}


def cache_file(store_root: Path, root: Path) -> Path:
    """One a source, by where it lies."""
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return store_root / "surveys" / f"{digest}.parquet"


def survey(
    root: Path,
    files: Sequence[SurveyedFile],
    known: Mapping[SurveyedFile, FileFacts],
    cache: Path,
    *,
    workers: int,
    progress: Callable[[int, int], None],
) -> tuple[FileFacts, ...]:
    """Facts of all files, in their order. What is not known is read, and kept even where the reading is interrupted."""
    facts, saved = dict(known), time.monotonic()
    try:
        unread = [file for file in files if file not in facts]
        for found in survey_files(root, unread, workers=workers, progress=progress):
            facts[found.file] = found
            if time.monotonic() - saved > _SAVE_EVERY_S:
                _write(cache, facts.values())
                saved = time.monotonic()
    finally:
        if len(facts) > len(known):
            _write(cache, facts.values())
    return tuple(facts[file] for file in files)


def _write(cache: Path, facts: Iterable[FileFacts]) -> None:
    table = pa.Table.from_pylist([_as_row(f) for f in facts], schema=_SCHEMA)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(cache) as unfinished:
            pq.write_table(table, unfinished)
    except OSError as error:
        raise MammoscopeError(f"store.root: {cache} cannot be written: {error.strerror or error}") from error


def _as_row(facts: FileFacts) -> dict[str, object]:
    return {n: getattr(facts.file if n in _OF_FILE else facts, n) for n in _SCHEMA.names}


def _as_facts(row: dict[str, Any]) -> FileFacts:
    file = SurveyedFile(row["path"], ImageType(row["image"]), row["file_bytes"], row["mtime_ns"])
    rest = {name: value for name, value in row.items() if name not in _OF_FILE}
    rest |= {name: tuple(rest[name]) for name in _NUMBERS if rest[name]}
    rest["trap"] = rest["trap"] and Trap(rest["trap"])
    return FileFacts(file=file, **rest)
