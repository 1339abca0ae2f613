"""All prepared stores under one root: which there are, which nothing can use any more, and whether they are whole."""

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from mammoscope.data.preprocess import VERSION
from mammoscope.data.store import (
    ARRAYS,
    INDEX,
    UNREADABLE,
    StoreFilm,
    StoreRow,
    hash_file,
    open_store,
    read_shard,
    shard_file,
)
from mammoscope.data.store_facts import FACTS, StoreFacts, file_state, read_facts
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import LOCAL

_GROUP: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{12}")  # <preprocessing hash>-<content digest>
_GOING: Final = ".pruned-"  # a store that is being deleted, under a name that nobody opens


@dataclass(frozen=True, slots=True, kw_only=True)
class StockedStore:
    folder: Path
    preprocessing: str  # hash
    facts: StoreFacts | None  # None: of another layout, or damaged
    bytes: int
    rows: int | None  # None: not finished
    shards_written: int
    used_s: float  # when it was last opened, seconds since 1970
    is_held: bool  # a process prepares it

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"


def list_stock(root: Path) -> list[StockedStore]:
    """In the order of their last use, the latest first."""
    groups = [path for path in root.glob("*") if _GROUP.fullmatch(path.name)] if root.is_dir() else []
    stores = [_stocked(folder) for group in groups for folder in group.iterdir() if folder.is_dir()]
    return sorted(stores, key=lambda store: (-store.used_s, store.name))


def _stocked(folder: Path) -> StockedStore:
    try:
        facts: StoreFacts | None = read_facts(folder)
    except MammoscopeError:
        facts = None
    files = [path for path in folder.rglob("*") if path.is_file()]
    marks = [folder / FACTS, folder / INDEX, folder]
    return StockedStore(
        folder=folder,
        preprocessing=folder.parent.name.partition("-")[0],
        facts=facts,
        bytes=sum(path.stat().st_size for path in files),
        rows=_count_rows(folder) if facts is not None else None,
        shards_written=sum(re.fullmatch(r"shard-\d+\.parquet", path.name) is not None for path in files),
        used_s=next(path.stat().st_mtime for path in marks if path.exists()),
        is_held=any(_is_held(lock) for lock in (folder / "locks").glob("*.lock")),
    )


def _count_rows(folder: Path) -> int | None:
    try:
        store = open_store(folder)
    except MammoscopeError:
        return None
    return None if store is None else len(store.rows)


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def why_useless(store: StockedStore, stock: Sequence[StockedStore]) -> str | None:
    """Why nothing will open it again; None where something may, or where a process prepares it now."""
    if store.is_held:
        return None
    if store.folder.name.startswith(_GOING):
        return "was being deleted"
    if store.facts is None:
        return "of another layout, or damaged: nothing can open it"
    if store.facts.version != VERSION:
        return f"made by version {store.facts.version} of the preprocessing; today's is {VERSION}"
    if store.rows is None:
        return f"unfinished: {store.shards_written} of {store.facts.shards} shards, and no process is at it"
    return _why_outdated(store.facts, stock, store)


def _why_outdated(facts: StoreFacts, stock: Sequence[StockedStore], store: StockedStore) -> str | None:
    is_own = facts.source_root.startswith(LOCAL)  # images of the user's own: which files, the store does not say
    root = Path(facts.source_root)
    if not is_own and not root.is_dir():
        return None  # a disk that is not mounted now
    changed = 0 if is_own else sum(file_state(root, file.path) != file for file in facts.files)
    if changed:
        return f"{changed} of the {len(facts.files)} files that it was made of have changed or gone"
    own = _paths(facts)
    for other in stock:
        if other.facts is None or other.rows is None or other.preprocessing != store.preprocessing:
            continue
        is_same_kind = (other.facts.source_root, other.folder.name) == (facts.source_root, store.folder.name)
        if is_same_kind and own < _paths(other.facts):
            return f"the source has grown since; {other.name} has all of it"
        if is_own and is_same_kind and own == _paths(other.facts) and other.used_s > store.used_s:
            return f"the source has changed since; {other.name} was made of it then"
    return None


def _paths(facts: StoreFacts) -> set[str]:
    return {file.path for file in facts.files}


def delete_store(store: StockedStore) -> None:
    """At once for whoever would open it, then file by file. Raises: MammoscopeError where the system refuses."""
    going = store.folder
    try:
        if not going.name.startswith(_GOING):
            going = going.with_name(f"{_GOING}{going.name}-{secrets.token_hex(4)}")
            store.folder.rename(going)
        shutil.rmtree(going)
        if not any(going.parent.iterdir()):
            going.parent.rmdir()
    except OSError as error:
        raise MammoscopeError(f"store.root: cannot delete {going}: {error.strerror or error}") from error


def find_damage(folder: Path) -> Iterator[str]:
    """Each file of a store that is not what was written, in words; an unfinished store's shards likewise."""
    rows: list[StoreRow] = []
    films: list[StoreFilm] = []
    numbers = sorted(int(path.name[6:-8]) for path in folder.glob("shard-*.parquet"))
    for number in numbers:
        try:
            tables = read_shard(folder, number)
        except UNREADABLE as error:
            yield f"{shard_file(folder, number, 'rows').name}: {error}"
            continue
        rows += tables.rows
        films += tables.films
        for what in ARRAYS:
            path = shard_file(folder, number, what)
            try:
                found = hash_file(path)
            except OSError as error:
                yield f"{path.name}: {error.strerror}"
                continue
            if found != tables.hashes[what]:
                yield f"{path.name}: its content is not what was written"
    if not (folder / INDEX).is_file():
        return
    try:
        store = open_store(folder)
    except MammoscopeError as error:
        yield str(error)
        return
    if store is not None and (list(store.rows), list(store.films)) != (rows, films):
        yield f"{INDEX}: its rows are not those of the shards"
