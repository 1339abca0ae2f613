"""The files of a tree, every one, in an order that is the same each time.

Folders that cannot be listed and links that lead nowhere are said, too.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


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

    One folder at a time is in memory, and one number for each folder that was seen.
    """
    top, links = os.path.abspath(root), list[str]()
    seen = set() if seen is None else seen
    yield from _list(top, "", seen, links)
    for link in links:  # grows as it goes; last: a folder keeps its own path where a link leads to it, too
        yield from _list(top, link, seen, links)


def _list(root: str, start: str, seen: Seen, links: list[str]) -> Iterator[ListedFile]:
    """A folder's files, then what is in its folders; links to folders are added to the list."""
    pending = [start]
    while pending:
        below = pending.pop()
        try:
            status = os.stat(os.path.join(root, below))
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(os.path.join(root, below)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield ListedFile(below or ".", -1, -1, f"the folder cannot be listed: {error.strerror or error}")
            continue
        folders = list[str]()
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(path)
            else:
                yield _file(entry, path)
        pending.extend(reversed(folders))


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
