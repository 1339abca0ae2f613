"""The files of trees, in an order that is the same each time: every one, or those that are DICOM.

Folders that cannot be listed and links that lead nowhere are said, too.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammoscope.errors import DicomError, MammoscopeError

_PREFIX_AT, _PREFIX_ENDS = 128, 132


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file, or a folder that cannot be listed: then `fault` says why."""

    path: str  # below the root, with forward slashes; as the system has it, which may be no UTF-8
    size: int  # bytes; -1 where the system does not say
    mtime_ns: int
    fault: str | None = None


Seen = set[tuple[int, int]]  # device and inode of folders


def list_files(root: Path, seen: Seen | None = None) -> Iterator[ListedFile]:
    """Follows links; a folder that was listed is not listed again, so a loop of links ends.

    seen: of the trees that were listed before this one; the folders of this one are added.

    One folder at a time is in memory, and one number for each folder that was seen.
    Raises: MammoscopeError where the root is no folder.
    """
    if not root.is_dir():
        found = "is not a folder" if root.exists() else "does not exist"
        raise MammoscopeError(f"ROOT={root} {found}; allowed: a folder with DICOM files in it")
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
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield ListedFile(below or ".", -1, -1, f"the folder cannot be listed: {error.strerror or error}")
            continue
        files = list[ListedFile]()
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else pending).append(path)
            else:
                files.append(_file(entry, path))
        yield from reversed(files)


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


@dataclass(frozen=True, slots=True)
class Listing:
    files: tuple[Path, ...]  # as the folders were named, and what lies below
    others: int  # files in the folders that are no DICOM, and do not pretend to be
    refused: tuple[DicomError, ...]  # folders and files that the system does not open


def list_dicom(paths: Sequence[Path]) -> Listing:
    """By what files begin with: hospitals' often have no name that says so.

    A file that is named itself is taken as it is; one that ends in .dcm, too: reading it says what is wrong.

    Each folder is listed once. Raises: MammoscopeError for a path that is absent.
    """
    files: dict[Path, None] = {}
    others, refused, seen = 0, list[DicomError](), Seen()
    for path in paths:
        if not path.exists():
            raise MammoscopeError(f"{path}: there is no such file or folder")
        if not path.is_dir():
            files[path] = None
            continue
        for listed in list_files(path, seen):
            found = path / listed.path
            if listed.fault is not None:
                refused.append(DicomError("E-UNREADABLE", str(found), listed.fault))
            elif found.suffix.lower() == ".dcm" or _has_prefix(found, refused):
                files[found] = None
            else:
                others += 1
    return Listing(tuple(files), others, tuple(refused))


def _has_prefix(path: Path, refused: list[DicomError]) -> bool:
    try:
        if not path.is_file():  # a pipe would wait for ever
            return False
        with open(path, "rb") as file:
            return file.read(_PREFIX_ENDS)[_PREFIX_AT:] == b"DICM"
    except OSError as error:
        refused.append(DicomError("E-UNREADABLE", str(path), error.strerror or str(error)))
        return False
