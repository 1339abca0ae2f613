"""What an export has done, a line a file, so that one that was interrupted goes on; and the table made of it."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.collection.export import ExportedImage
from mammoscope.errors import MammoscopeError
from mammoscope.files import all_written_whole

JOURNAL: Final = "export.jsonl"
LOCK: Final = ".lock"  # whoever exports into the folder holds it
TABLE, TABLE_CSV = "metadata.parquet", "metadata.csv"
_ARROW: Final = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
_NAMES: Final = [field.name for field in fields(ExportedImage)]
SCHEMA: Final = pa.schema([(field.name, _ARROW[field.type]) for field in fields(ExportedImage)])  # type: ignore[index]
_ROWS: Final = 4096  # written at once

State = tuple[str, int, int]  # path below the root, size, time


class Journal:
    """Records by path, of which the last counts. It remembers where in the file they are, not what they say. Final."""

    def __init__(self, folder: Path, how: Mapping[str, str]):
        """how: what all files are exported with; an export with something else is refused.

        Raises: MammoscopeError, for a folder that holds something other than an export like this one.
        """
        self._file = folder / JOURNAL
        self._how = dict(how)
        self._at: dict[str, tuple[int, int, int]] = {}  # path -> offset, size, time
        if self._file.exists():
            self._load(folder)
        elif any(entry.name != LOCK for entry in folder.iterdir()):
            raise MammoscopeError(f"-o {folder}: holds something else; allowed: a new or an empty folder, or an export")
        else:
            self._file.write_text(json.dumps(self._how) + "\n", encoding="utf-8")

    def is_done(self, state: State, folder: Path) -> bool:
        """Whether the file was exported in this state, and its images are still there."""
        path, *now = state
        if path not in self._at or [*self._at[path][1:]] != now:
            return False
        return all((folder / row["image"]).is_file() for row in self._rows([path]))

    @contextmanager
    def open(self) -> Iterator[TextIO]:
        with open(self._file, "a", encoding="utf-8") as file:
            yield file

    def add(self, file: TextIO, state: State, images: Iterable[ExportedImage]) -> None:
        """file: as `open` gives it. A line is there whole or is torn, and then does not count."""
        path, size, mtime_ns = state
        self._at[path] = (file.tell(), size, mtime_ns)
        record = {"path": path, "size": size, "mtime_ns": mtime_ns, "images": [asdict(image) for image in images]}
        file.write(json.dumps(record) + "\n")
        file.flush()

    def write_tables(self, folder: Path, paths: Iterable[str]) -> int:
        """Of these files, those that were exported, in this order; returns how many images the tables have."""
        rows, count = self._rows(path for path in paths if path in self._at), 0
        with (
            all_written_whole([folder / TABLE, folder / TABLE_CSV]) as (parquet, text),
            pq.ParquetWriter(parquet, SCHEMA) as writer,
            open(text, "w", newline="", encoding="utf-8") as file,
        ):
            as_csv = csv.DictWriter(file, _NAMES, lineterminator="\n")
            as_csv.writeheader()
            while some := list(islice(rows, _ROWS)):
                writer.write_table(pa.Table.from_pylist(some, schema=SCHEMA))
                as_csv.writerows(some)
                count += len(some)
        return count

    def _rows(self, paths: Iterable[str]) -> Iterator[dict]:
        with open(self._file, "rb") as file:
            for path in paths:
                file.seek(self._at[path][0])
                yield from json.loads(file.readline())["images"]

    def _load(self, folder: Path) -> None:
        with open(self._file, "r+b") as file:
            before = _parsed(file.readline())
            if before != self._how:
                raise MammoscopeError(
                    f"-o {folder}: holds an export with {_words(before)}, this one is with {_words(self._how)}; "
                    "allowed: the same, or another folder"
                )
            at = file.tell()
            for line in file:
                record = _parsed(line)
                if not line.endswith(b"\n") or not record:  # torn: it was being written when the process ended
                    break
                self._at[record["path"]] = (at, record["size"], record["mtime_ns"])
                at += len(line)
            file.truncate(at)
            os.fsync(file.fileno())


def _parsed(line: bytes) -> dict:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(how: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in how.items()) or "no facts that can be read"
