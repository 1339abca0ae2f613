"""A series of slices, or a file of many frames -> volumes: arrays with the affine that says where each voxel lies."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final, NoReturn

import numpy as np

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.frame import image_facts, modality_frame, stored_frame
from mammoscope.dicom.layout import open_dicom
from mammoscope.dicom.volumes.geometry import Grid, fit_grid
from mammoscope.dicom.volumes.slices import Named, Slice, read_slices
from mammoscope.errors import DicomError

MAX_VOLUME_BYTES: Final = 1 << 33  # of the array; the largest tomosynthesis has some 2 GB
_RAS_OF_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])

Step = Callable[[int, int], None]  # slices done, and how many there are


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The frames of one volume. A series holds several where the standard tells them apart (dicom.volumes.slices)."""

    series_uid: str
    number: int  # from 1, in the order of what tells them apart
    of: int
    told_by: Named  # empty where the series is one volume
    slices: tuple[Slice, ...]  # in no order

    @property
    def name(self) -> str:
        """What errors call it."""
        told = ", ".join(f"{word} {value or 'unsaid'}" for word, value in self.told_by)
        return f"series {self.series_uid or 'without UID'}{f' ({told})' if told else ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """What the modality measured is array * slope + intercept."""

    part: Part  # its slices are in the array's order
    array: np.ndarray  # (slice, row, column), as stored where one slope and intercept suffice
    affine_ras: np.ndarray  # (4, 4): (slice, row, column, 1) -> mm towards right, anterior, superior
    slope: float
    intercept: float
    unit: str  # HU, ...; empty where the headers have none
    deviation_mm: float  # of the slice that lies farthest from where the affine puts it

    @property
    def values(self) -> np.ndarray:
        """float64, made anew at each call."""
        return self.array * np.float64(self.slope) + self.intercept

    @property
    def storage(self) -> str:
        """How the values are kept, in words."""
        if self.array.dtype.kind == "f" and any(s.stored.kind != "f" for s in self.part.slices):
            return f"{self.array.dtype}: rescale differs between slices"
        rescale = (self.slope, self.intercept) != (1.0, 0.0)
        return f"{self.array.dtype}{f', slope {self.slope:g}, intercept {self.intercept:g}' if rescale else ''}"


def read_volume(paths: Iterable[Path]) -> Volume:
    """The one volume of a series' files, given in any order.

    Raises: DicomError E-SERIES where they hold no frame, several series or several volumes; and see read_part.
    """
    parts = series_parts(paths)
    if len(parts) > 1:
        told = "; ".join(part.name for part in parts[:4])
        _refuse("E-SERIES", parts[0], f"{len(parts)} volumes, each to be read by itself: {told}")
    return read_part(parts[0])


def series_parts(paths: Iterable[Path]) -> list[Part]:
    """The volumes that a series' files claim to hold, by their headers. Raises: DicomError of read_slices; E-SERIES."""
    slices = [s for path in paths for s in read_slices(path)]
    uids = sorted({s.series_uid for s in slices})
    if len(uids) != 1:
        raise DicomError("E-SERIES", str(slices[0].path) if slices else "", f"{len(uids)} series; allowed: 1")
    by_part: dict[Named, list[Slice]] = defaultdict(list)
    for s in slices:
        by_part[s.part].append(s)
    keys = sorted(by_part, key=_naturally)
    differing = [k for k, values in enumerate(zip(*keys, strict=True)) if len(set(values)) > 1]
    return [
        Part(uids[0], number, len(keys), tuple(key[k] for k in differing), tuple(by_part[key]))
        for number, key in enumerate(keys, 1)
    ]


def read_part(part: Part, step: Step = lambda done, total: None) -> Volume:
    """step: called after each slice. Raises: DicomError, see geometry.fit_grid; E-MIXED, E-TOO-LARGE; of the pixels."""
    _check_alike(part)
    first = part.slices[0]
    source = str(first.path)
    try:
        said_mm = sorted({s.spacing_mm for s in part.slices if s.spacing_mm is not None})
        grid = fit_grid([s.plane for s in part.slices], said_mm, first.thickness_mm, source)
    except DicomError as error:
        _refuse(error.code, part, error.reason)
    slices = tuple(part.slices[k] for k in grid.order)
    dtype, slope, intercept = _storage(slices)
    shape = (len(slices), first.plane.rows_px, first.plane.columns_px)
    if (promised := int(np.prod(shape, dtype=object)) * dtype.itemsize) > MAX_VOLUME_BYTES:
        _refuse("E-TOO-LARGE", part, f"{promised} bytes of voxels; allowed: {MAX_VOLUME_BYTES}")
    try:
        array = np.empty(shape, dtype)
    except MemoryError:
        _refuse("E-TOO-LARGE", part, f"{promised} bytes of voxels: more memory than there is")
    _fill(array, slices, is_stored=(slope, intercept) == _rescale_of_all(slices), step=step)
    whole = Part(part.series_uid, part.number, part.of, part.told_by, slices)
    return Volume(whole, array, _affine_ras(grid), slope, intercept, first.unit, grid.deviation_mm)


def _affine_ras(grid: Grid) -> np.ndarray:
    return _RAS_OF_LPS @ grid.affine_lps + 0.0  # no -0


def _check_alike(part: Part) -> None:
    first = part.slices[0]
    for s in part.slices:
        for (word, ours), (_, theirs) in zip(s.alike, first.alike, strict=True):
            if ours != theirs:
                _refuse("E-MIXED", part, f"{word} is {theirs!r} in {first.plane.name} and {ours!r} in {s.plane.name}")
        for (word, ours), (_, theirs) in zip(s.alike_unsaid, first.alike_unsaid, strict=True):
            if ours != theirs:
                _refuse("E-MIXED", part, f"{word} is not the same in {first.plane.name} and {s.plane.name}")


def _rescale_of_all(slices: Sequence[Slice]) -> tuple[float, float] | None:
    """The slope and intercept that all share."""
    found = {(s.slope, s.intercept) for s in slices}
    return found.pop() if len(found) == 1 and not any(s.has_lut for s in slices) else None


def _storage(slices: Sequence[Slice]) -> tuple[np.dtype, float, float]:
    """dtype, slope and intercept of an array that loses nothing.

    The stored whole numbers where one slope and intercept serve all; the values where they are whole numbers, too;
    otherwise floats, which tell apart all that the stored values do.
    """
    stored = np.result_type(*{s.stored for s in slices})
    if (rescale := _rescale_of_all(slices)) is not None:
        return stored, *rescale
    if all(s.slope == 1 and s.intercept.is_integer() and not s.has_lut and s.stored.kind != "f" for s in slices):
        bounds = [bound + s.intercept for s in slices for bound in _bounds(s)]
        lowest, highest = min(bounds), max(bounds)
        for dtype in map(np.dtype, ("u1", "i2", "u2", "i4")):
            if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
                return dtype, 1.0, 0.0
    return np.dtype("f4" if all(map(_fits_float32, slices)) else "f8"), 1.0, 0.0


def _fits_float32(s: Slice) -> bool:
    """Whether neighbouring stored values stay apart; a LUT's entries have 16 bits at most."""
    if s.stored.kind == "f":
        return False
    reach = max(abs(bound * s.slope + s.intercept) for bound in _bounds(s))
    return s.has_lut or bool(reach < np.finfo("f4").max and 2 * np.spacing(np.float32(reach)) <= abs(s.slope))


def _bounds(s: Slice) -> tuple[int, int]:
    lowest = -(1 << s.bits_stored - 1) if s.stored.kind == "i" else 0
    return lowest, lowest + (1 << s.bits_stored) - 1


def _fill(array: np.ndarray, slices: Sequence[Slice], *, is_stored: bool, step: Step) -> None:
    """Each file is opened once, for all of its frames."""
    places = sorted(range(len(slices)), key=lambda k: (str(slices[k].path), slices[k].frame))
    done = 0
    for path, of_path in groupby(places, key=lambda k: slices[k].path):
        with open_dicom(path) as layout:
            facts = image_facts(layout, path)
            for k in of_path:
                read = modality_frame if slices[k].has_lut else stored_frame
                frame = read(layout, facts, path, slices[k].frame)
                if not is_stored and not slices[k].has_lut:
                    frame = frame * np.float64(slices[k].slope) + slices[k].intercept
                if frame.shape != array.shape[1:]:
                    refuse("E-SIZE", path, f"pixels of shape {frame.shape}; its header said {array.shape[1:]}")
                array[k] = frame
                done += 1
                step(done, len(slices))


def _naturally(part: Named) -> list[tuple[str, float, str]]:
    """Echo 10 comes after echo 9."""
    return [(word, *_number_first(value)) for word, value in part]


def _number_first(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return 0.0, value


def _refuse(code: str, part: Part, reason: str) -> NoReturn:
    raise DicomError(code, str(part.slices[0].path), f"{part.name}: {reason}")
