"""What identifies in a whole tree, file by file: a table that names no one, not even by the paths of the files."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from mammoscope.dicom.privacy.phi import FILE, Finding, audit_file
from mammoscope.dicom.privacy.profile import Action
from mammoscope.dicom.privacy.why import Why
from mammoscope.listing import ListedFile
from mammoscope.pool import Pool

FILES_AT_ONCE: Final = 32
_FOLDERS_KNOWN: Final = 256  # listings that are kept: files come folder by folder


class Row(NamedTuple):
    """Of the audit's table. file: below the root. A name that is not known to be safe is given as [n], the n-th in the
    sorted listing of its folder: its owner can look it up, nobody else can read it.
    """

    file: str
    place: str  # path of an element, items of sequences from 0; or a part of the file
    vr: str
    length: int  # bytes; items of a sequence; characters of a name
    why: str  # see why.WHYS
    action: str  # what de-identification would do, see profile.Action
    code: str  # of the error where something could not be read, see codes.CODES


SCHEMA: Final = pa.schema([(name, pa.int64() if name == "length" else pa.string()) for name in Row._fields])


def audit_tree(root: Path, files: Iterable[ListedFile], pool: Pool) -> Iterator[tuple[Row, ...]]:
    """The rows of each file, in the order of the files; a folder's own are among those of its first file."""
    said = _Said()
    for path, found in pool.map(partial(_audited, str(root)), files, at_once=FILES_AT_ONCE):
        said.enter(path.split("/")[:-1])
        yield tuple(row for row in found if row.why != Why.folder_name or said.is_new(row.file.count("/")))


class _Said:
    """Of which folders on the way to a file it was said that their names are not known to be safe."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._is_said: list[bool] = []

    def enter(self, folders: list[str]) -> None:
        pairs = zip(self._folders, folders, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(self._folders), len(folders)))
        self._is_said[same:] = [False] * (len(folders) - same)
        self._folders = folders

    def is_new(self, depth: int) -> bool:
        was_said, self._is_said[depth] = self._is_said[depth], True
        return not was_said


def _audited(root: str, file: ListedFile) -> tuple[str, list[Row]]:
    return file.path, list(_rows(root, file))


def _rows(root: str, file: ListedFile) -> Iterator[Row]:
    names = file.path.split("/")
    if file.fault is not None:
        found: tuple[Finding, ...] = (Finding(FILE, "", 0, Why.unread_file, Action.refuse, "E-UNREADABLE"),)
    else:
        found = audit_file(Path(root, file.path), names)
    shown = _shown(root, names, found)
    path = "/".join(shown)
    for f in found:
        why, action = _TEXT[f.why], _TEXT[f.action]
        if f.why is Why.folder_name:
            folder = "/".join(shown[: int(f.place.rpartition(" ")[2])])
            yield Row(folder, "folder name", f.vr, f.length, why, action, f.code)
        else:
            yield Row(path, f.place, f.vr, f.length, why, action, f.code)


_TEXT: Final = {member: str(member) for menu in (Why, Action) for member in menu}  # plain: they go between processes


def _shown(root: str, names: list[str], found: Sequence[Finding]) -> list[str]:
    """The path without the names that were found unsafe."""
    unsafe = {int(f.place.rpartition(" ")[2]) for f in found if f.why is Why.folder_name}
    unsafe |= {len(names)} if any(f.why is Why.file_name for f in found) else set()
    return [
        f"[{_numbers(os.path.join(root, *names[: n - 1])).get(name, '?')}]" if n in unsafe else name
        for n, name in enumerate(names, start=1)
    ]


@lru_cache(_FOLDERS_KNOWN)
def _numbers(folder: str) -> dict[str, int]:
    try:
        return {name: number for number, name in enumerate(sorted(os.listdir(folder)), start=1)}
    except OSError:
        return {}
