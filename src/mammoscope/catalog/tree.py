"""A folder -> what lies in it: DICOM files, case descriptions, phantom markers. Nothing is opened but the marker."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from mammoscope.catalog.case_descriptions import FILES
from mammoscope.errors import MammoscopeError
from mammoscope.listing import ListedFile, list_files
from mammoscope.records import Defect
from mammoscope.vocabulary import PHANTOM_FORMAT, PHANTOM_MARKER, Trap

EXPECTED: Final = (
    "a CBIS-DDSM tree as TCIA ships it: CBIS-DDSM/<PatientID>/<study>/<series>/1-1.dcm, "
    f"with at least one of {', '.join(FILES)} in it or one folder below"
)
# Slashes in the path of a file in a series: <PatientID>/<study>/<series>/1-1.dcm
IN_SERIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Paths are relative to the root, with forward slashes, sorted."""

    root: Path
    dicom_files: tuple[str, ...]
    states: tuple[tuple[int, int], ...]  # size and time (ns) of each of them; -1 where the system does not say
    case_descriptions: tuple[str, ...]  # in the order of FILES
    is_phantom: bool
    defects: tuple[Defect, ...]  # folders and files that the walk had to leave out
    fingerprint: str  # of all files' names, sizes and times: changes with any file


def walk_tree(root: Path) -> Tree:
    """Follows links, each folder once.

    Raises:
        MammoscopeError: where there is no tree, or no case descriptions, or no DICOM files in it.
    """
    if not root.is_dir():
        found = "is not a folder" if root.exists() else "does not exist"
        raise MammoscopeError(f"source.root={root} {found}; expected {EXPECTED}")
    defects: list[Defect] = []
    files = sorted(_listed(root, defects), key=lambda f: f.path)
    dicom = [f for f in files if f.name.lower().endswith(".dcm")]
    case_descriptions = _case_descriptions(root, files)
    if not case_descriptions:
        raise MammoscopeError(f"source.root={root} holds no case descriptions; expected {EXPECTED}")
    if not dicom:
        raise MammoscopeError(f"source.root={root} holds no .dcm files; expected {EXPECTED}")
    others = (f.path for f in files if f.path.count("/") >= IN_SERIES and not f.name.lower().endswith(".dcm"))
    rename = "TCIA's DICOM files end in .dcm; rename it if it is one"
    defects.extend(_left_out(path, Trap.unreadable, "no .dcm file", rename) for path in others)
    markers = [f for f in files if f.name == PHANTOM_MARKER and f.path.count("/") <= 1]
    for marker in markers:
        _check_marker(root / marker.path)
    told = {*case_descriptions, *(m.path for m in markers)}
    listed = [[f.path, f.size, f.mtime_ns] for f in [*dicom, *(f for f in files if f.path in told)]]
    content = json.dumps([listed, [d.row for d in defects]])
    fingerprint = hashlib.sha256(content.encode()).hexdigest()
    return Tree(
        root=root,
        dicom_files=tuple(f.path for f in dicom),
        states=tuple((f.size, f.mtime_ns) for f in dicom),
        case_descriptions=case_descriptions,
        is_phantom=bool(markers),
        defects=tuple(defects),
        fingerprint=fingerprint,
    )


def _listed(root: Path, defects: list[Defect]) -> Iterator[ListedFile]:
    """Those that can be spoken of; a name that is no text is said once, whatever lies below it."""
    said = set[str]()
    for file in list_files(root):
        if not _is_text(file.path):
            whole = accumulate(file.path.split("/"), "{}/{}".format)
            strange = next(path for path in whole if not _is_text(path))
            if strange not in said:
                said.add(strange)
                readable = strange.encode("utf-8", "backslashreplace").decode()
                defects.append(_left_out(readable, Trap.unreadable, "a name that is not UTF-8"))
        elif file.fault is not None:
            defects.append(_left_out(file.path, Trap.unreadable, file.fault))
        else:
            yield file


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _left_out(path: str, problem: str, found: str, reason: str = "the system cannot open it") -> Defect:
    return Defect(row=path, problem=str(problem), found=found, taken_as="left out", reason=reason)


def _case_descriptions(root: Path, files: list[ListedFile]) -> tuple[str, ...]:
    found: list[str] = []
    for name in FILES:
        paths = [f.path for f in files if f.name == name and f.path.count("/") <= 1]
        if len(paths) > 1 and len({(root / path).read_bytes() for path in paths}) > 1:
            raise MammoscopeError(f"source.root={root} holds different {name}: {', '.join(paths)}; allowed: one")
        found.extend(paths[:1])
    return tuple(found)


def _check_marker(path: Path) -> None:
    """Raises: MammoscopeError unless it is ours: a phantom must not be taken for patients, nor the reverse."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MammoscopeError(f"{path}: is no JSON ({error}); it marks a phantom tree") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != PHANTOM_FORMAT:
        raise MammoscopeError(f'{path}: "format" is {found!r}; allowed: "{PHANTOM_FORMAT}"')
