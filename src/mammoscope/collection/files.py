"""Those files of trees that are DICOM."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.listing import Seen, list_files

_PREFIX_AT, _PREFIX_ENDS = 128, 132


def check_root(root: Path) -> None:
    """Raises: MammoscopeError where it is no folder."""
    if not root.is_dir():
        found = "is not a folder" if root.exists() else "does not exist"
        raise MammoscopeError(f"ROOT={root} {found}; allowed: a folder with DICOM files in it")


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
