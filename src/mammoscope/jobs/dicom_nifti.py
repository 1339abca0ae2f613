"""`mammoscope dicom nifti ROOT -o DIR`: every series that is a volume, as NIfTI; and why the others are none."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mammoscope.collection.files import list_dicom
from mammoscope.dicom.volumes.nifti import file_name, is_written, write_nifti
from mammoscope.dicom.volumes.slices import NO_PLACE, series_of
from mammoscope.dicom.volumes.volume import Part, Step, Volume, read_part, series_parts
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.reporting.console import progress, say

COMPLETE, NOTHING, PARTIAL = 0, 1, 2  # exit status


@dataclass(frozen=True, slots=True)
class _Series:
    """Paths by SeriesInstanceUID, nothing of the headers is kept: a tree may hold more of them than memory does."""

    placed: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    unplaced: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))  # 2-D, as mammograms are
    faults: list[DicomError] = field(default_factory=list)


def convert(root: Path, output: Path) -> int:
    """root: a file, or a folder with any number of series. Prints a line for each volume, and CODE path reason.

    A volume that is there already, made from the files as they are, is left: what was interrupted goes on.

    Returns the exit status: COMPLETE; PARTIAL where a series or a file was refused; NOTHING where there is no volume.
    """
    if root.is_dir():
        refuse_inside(root, output, f"-o {output}", source_key="ROOT")
    if output.exists() and not output.is_dir():
        raise MammoscopeError(f"-o {output}: is no folder")
    listing = list_dicom([root])
    series = _by_series(listing.files)
    output.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    for fault in (*listing.refused, *series.faults, *map(_unplaced, series.unplaced.values())):
        counts[_say_fault(fault, root)] += 1
    for number, paths in enumerate(series.placed.values(), 1):
        with progress(f"series {number} of {len(series.placed)}") as step:
            for result in _volumes(paths, output, step):
                counts[_say_fault(result, root) if isinstance(result, DicomError) else _say_written(result)] += 1
    say(
        f"volumes in {output}: {counts['volumes']}; series or files refused: {counts['refused']}; "
        f"series without geometry: {counts['unplaced']}; files that are no DICOM: {listing.others}"
    )
    return NOTHING if not counts["volumes"] else PARTIAL if counts["refused"] else COMPLETE


def _by_series(files: Sequence[Path]) -> _Series:
    series = _Series()
    with progress("reading headers") as step:
        for done, path in enumerate(files, 1):
            try:
                uid, has_place = series_of(path)
                (series.placed if has_place else series.unplaced)[uid].append(path)
            except DicomError as error:
                series.faults.append(error)
            step(done, len(files))
    return series


def _volumes(paths: Sequence[Path], output: Path, step: Step) -> Iterator[str | DicomError]:
    """Of one series: a line on each volume, or why it is none."""
    try:
        parts = series_parts(paths)
    except DicomError as error:  # of one file
        lost = f"; so the {len(paths)} files of its series are left" if len(paths) > 1 else ""
        yield DicomError(error.code, error.path, f"{error.reason}{lost}")
        return
    for part in parts:
        try:
            yield _written(part, output / file_name(part), step)
        except DicomError as error:
            yield error


def _written(part: Part, path: Path, step: Step) -> str:
    if is_written(path, part):
        return f"{path.name}: there already"
    volume = read_part(part, step)
    write_nifti(path, volume)
    told = "".join(f", {word} {value or 'unsaid'}" for word, value in part.told_by)
    return f"{path.name}: {_shape(volume)}; {volume.storage}{f' {volume.unit}' if volume.unit else ''}{told}"


def _shape(volume: Volume) -> str:
    slices, rows, columns = volume.array.shape
    depth, height, width = np.linalg.norm(volume.affine_ras[:3, :3], axis=0)
    off = f" (a slice is {volume.deviation_mm:.2g} mm off)" if volume.deviation_mm >= 0.001 else ""
    return f"{columns} x {rows} x {slices} voxels of {width:.4g} x {height:.4g} x {depth:.4g} mm{off}"


def _unplaced(paths: Sequence[Path]) -> DicomError:
    more = f", nor have {len(paths) - 1} more of its series" if len(paths) > 1 else ""
    return DicomError(NO_PLACE, str(paths[0]), f"has no place in the patient's space{more}")


def _say_written(line: str) -> str:
    say(line)
    return "volumes"


def _say_fault(fault: DicomError, root: Path) -> str:
    path = Path(fault.path)
    say(f"{fault.code} {path.relative_to(root) if root in path.parents else path} {fault.reason}")
    return "unplaced" if fault.code == NO_PLACE else "refused"
