"""store.json: what a store is and what it was made of, so that it can be listed, judged and taken away by itself."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.data.store import store_written
from mammoscope.errors import MammoscopeError

FACTS: Final = "store.json"
FORMAT: Final = "mammoscope-store-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that went in, in the state in which it did; -1: it was gone already.

    Of a user's own images neither path nor state is told, which may name a patient and a day.
    """

    path: str  # relative to the source's root; of a user's own images the key of what was cut from it
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    kind: str
    view: str
    image: str  # in words: roi 256 x 256 px
    version: int  # preprocess.VERSION
    source_root: str  # of a user's own images fingerprint.local_name of their table
    shards: int
    films: int
    files: tuple[SourceFile, ...]


def write_facts(folder: Path, facts: StoreFacts) -> None:
    """Raises: MammoscopeError where the store cannot be written."""
    files = [[f.path, f.size, f.mtime_ns] for f in facts.files]
    content = {name: getattr(facts, name) for name in StoreFacts.__dataclass_fields__ if name != "files"}
    with store_written(folder / FACTS) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **content, "files": files}))


def read_facts(folder: Path) -> StoreFacts:
    """Raises: MammoscopeError for a store of another layout, or whose facts are damaged."""
    try:
        content = json.loads((folder / FACTS).read_bytes())
        if content.pop("format") != FORMAT:
            raise ValueError("another layout")
        files = tuple(SourceFile(path=path, size=size, mtime_ns=time) for path, size, time in content.pop("files"))
        return StoreFacts(**content, files=files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MammoscopeError(f"{folder / FACTS}: no {FORMAT} ({type(error).__name__}: {error})") from error


def file_state(source_root: Path, path: str) -> SourceFile:
    """Size and time; of a file that has gone since it was indexed, reading it will say so."""
    try:
        status = os.stat(source_root / path)
    except OSError:
        return SourceFile(path=path, size=-1, mtime_ns=-1)
    return SourceFile(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns)


def mark_used(folder: Path) -> None:
    """The time of store.json is when the store was last opened; one that cannot be written is used all the same."""
    with contextlib.suppress(OSError):
        os.utime(folder / FACTS)
