"""The files of a tree, every one, in an order that is the same each time.

Folders that cannot be listed and links that lead nowhere are said, too.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file, or a folder that cannot be listed: then `fault` says why."""

    path: str  # below the root, with forward slashes; as the system has it, which may be no UTF-8
    size: int  # bytes; -1 where the system does not say
    mtime_ns: int
    fault: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


Seen = set[tuple[int, int]]  # device and inode of folders


def list_files(root: Path, seen: Seen | None = None) -> Iterator[ListedFile]:
    """Follows links; a folder that was listed is not listed again, so a loop of links ends.

    seen: of the trees that were listed before this one; the folders of this one are added.

    One folder's files at a time are in memory, and the folders' paths. Only links lead in circles, so only where there
    are any, or other trees, is it asked which folder is which: that is a third of the time.
    """
    top, folders, links = os.path.abspath(root), list[str](), list[str]()
    yield from _list(top, "", seen, folders, links)
    if seen is None and links:
        seen = set(_identities(top, folders))
    for link in links:  # grows as it goes; last: a folder keeps its own path where a link leads to it, too
        yield from _list(top, link, seen, folders, links)


def _identities(root: str, folders: Sequence[str]) -> Iterator[tuple[int, int]]:
    for below in folders:
        with suppress(OSError):  # gone since it was listed
            yield _identity(root, below)


def _identity(root: str, below: str) -> tuple[int, int]:
    status = os.stat(f"{root}/{below}")
    return status.st_dev, status.st_ino


def _list(root: str, start: str, seen: Seen | None, folders: list[str], links: list[str]) -> Iterator[ListedFile]:
    """A folder's files, then what is in its folders; folders that are listed, and links to some, go to the lists."""
    pending = [start]
    while pending:
        below = pending.pop()
        try:
            if seen is not None:
                if (identity := _identity(root, below)) in seen:
                    continue
                seen.add(identity)
            with os.scandir(f"{root}/{below}") as listing:
                entries = sorted(listing, key=_name)
        except OSError as error:
            yield ListedFile(below or ".", -1, -1, f"the folder cannot be listed: {error.strerror or error}")
            continue
        folders.append(below)
        inner = list[str]()
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else inner).append(path)
            else:
                yield _file(entry, path)
        pending.extend(reversed(inner))


_name: Final = attrgetter("name")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file(entry: os.DirEntry[str], path: str) -> ListedFile:
    try:
        status = entry.stat()
    except OSError:  # a broken link: whoever opens it is told
        return ListedFile(path, -1, -1)
    return ListedFile(path, status.st_size, status.st_mtime_ns)
