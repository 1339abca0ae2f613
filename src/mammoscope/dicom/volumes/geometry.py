"""Where the frames of a volume lie, and the one grid that they make; or why they make none. Pure functions.

Positions and directions are DICOM's (mm, towards the patient's left, back and head: PS3.3 C.7.6.2.1.1). A grid that is
not there in the headers is never made up: no slice is filled in, moved or resampled.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np

from mammoscope.errors import DicomError

STEP_TOLERANCE: Final = 0.02  # of the distance between slices: so far may a slice lie from its place
ROUNDING_MM: Final = 0.01  # or so far: positions are decimal strings, some of two decimals
CORNER_TOLERANCE: Final = (
    0.1  # of a voxel's shortest edge, at the far corners; cosines of four decimals need half of it
)
COSINE_TOLERANCE: Final = 1e-3  # of the length of a direction, and of the angle between rows and columns
LEAST_MM: Final = 1e-6  # of an edge
FARTHEST_MM: Final = 1e6  # of anything: beyond a kilometre a header is damaged, and sums of it are no numbers
SAID_TOLERANCE: Final = 0.05  # of SpacingBetweenSlices, against the positions

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One frame's place, as its header has it."""

    name: str  # what errors call it: file and frame
    position: Vector  # of the centre of its first pixel, mm
    along_row: Vector  # direction in which the columns' numbers grow: the first three of ImageOrientationPatient
    along_column: Vector  # in which the rows' numbers grow
    row_spacing_mm: float  # from the centre of a row to the next: the first of PixelSpacing
    column_spacing_mm: float
    rows_px: int
    columns_px: int

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(self.along_row, self.along_column)
        return normal / np.linalg.norm(normal)

    @property
    def edges(self) -> np.ndarray:
        """(2, 3), mm: from a pixel to the next row's, and to the next column's."""
        return np.array([self.along_column, self.along_row]) * [[self.row_spacing_mm], [self.column_spacing_mm]]

    @property
    def shortest_edge_mm(self) -> float:
        return min(self.row_spacing_mm, self.column_spacing_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    order: tuple[int, ...]  # of the planes, along their normal: rows, columns and slices are right-handed
    affine_lps: np.ndarray  # (4, 4): (slice, row, column, 1) -> mm
    deviation_mm: float  # of the slice that lies farthest from its place


def check_plane(plane: Plane, source: str) -> None:
    """Raises: DicomError E-GEOMETRY for directions or spacings that the standard forbids, and for absurd ones."""
    row, column = np.array(plane.along_row), np.array(plane.along_column)
    lengths, dot = [float(np.linalg.norm(v)) for v in (row, column)], float(row @ column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(dot)) > COSINE_TOLERANCE:
        found = f"directions of lengths {lengths[0]:.4f} and {lengths[1]:.4f} with the product {dot:.4f}"
        _refuse("E-GEOMETRY", source, f"{plane.name}: ImageOrientationPatient has {found}; allowed: 1, 1 and 0")
    edges = (plane.row_spacing_mm, plane.column_spacing_mm)
    if not LEAST_MM <= min(edges) <= max(edges) <= FARTHEST_MM:
        allowed = f"{LEAST_MM:g} to {FARTHEST_MM:g} mm"
        _refuse("E-GEOMETRY", source, f"{plane.name}: PixelSpacing is {_values(edges)}; allowed: {allowed}")
    if max(map(abs, plane.position)) > FARTHEST_MM:
        found = f"ImagePositionPatient is {_values(plane.position)}"
        _refuse("E-GEOMETRY", source, f"{plane.name}: {found}; allowed: to {FARTHEST_MM:g} mm")


def fit_grid(planes: Sequence[Plane], said_mm: Collection[float], thickness_mm: float | None, source: str) -> Grid:
    """The grid of planes in any order.

    said_mm: every SpacingBetweenSlices, none of which may contradict the positions. thickness_mm: SliceThickness, which
    is how deep the voxels of a single slice are; without it said_mm is. source: what errors name.

    Raises: DicomError E-MIXED, E-ORIENTATION, E-DUPLICATE, E-GAP, E-SPACING, E-SHEAR, with the numbers.
    """
    first = planes[0]
    _check_alike(planes, source)
    positions = np.array([plane.position for plane in planes])
    distances = positions @ first.normal
    order = np.argsort(distances, kind="stable")
    if len(planes) == 1:
        step, deviation = first.normal * _single_depth(said_mm, thickness_mm, first, source), 0.0
    else:
        in_order = [planes[k] for k in order]
        _check_gaps(in_order, distances[order], source)
        step, deviation = _step(in_order, source)
        for said in said_mm:
            _check_said(abs(said), float(step @ first.normal), source)
    affine = np.eye(4)
    affine[:3] = np.column_stack([step, *first.edges, positions[order[0]]])
    _check_shear(affine, (len(planes), first.rows_px, first.columns_px), first, source)
    return Grid(tuple(int(k) for k in order), affine, deviation)


def _check_alike(planes: Sequence[Plane], source: str) -> None:
    first = planes[0]
    reach = np.array([[first.rows_px], [first.columns_px]])
    allowed_mm = CORNER_TOLERANCE * first.shortest_edge_mm
    for plane in planes:
        sizes, spacings = _both(first, plane, "rows_px", "columns_px"), _both(first, plane, *_SPACINGS)
        for what, (ours, theirs) in (("Rows x Columns", sizes), ("PixelSpacing", spacings)):
            if np.abs(reach[:, 0] * np.subtract(ours, theirs)).max() > allowed_mm:
                found = f"{what} is {_values(ours)} in {first.name} and {_values(theirs)} in {plane.name}"
                _refuse("E-MIXED", source, found)
        if np.abs(reach * (plane.edges - first.edges)).max() > allowed_mm:
            ours, theirs = ((*p.along_row, *p.along_column) for p in (first, plane))
            found = f"{_values(ours)} in {first.name} and {_values(theirs)} in {plane.name}"
            _refuse("E-ORIENTATION", source, f"ImageOrientationPatient is {found}")


_SPACINGS: Final = ("row_spacing_mm", "column_spacing_mm")


def _both(one: Plane, other: Plane, *names: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ours, theirs = (tuple(float(getattr(plane, name)) for name in names) for plane in (one, other))
    return ours, theirs


def _check_gaps(planes: Sequence[Plane], distances: np.ndarray, source: str) -> None:
    """planes: in the order of distances, which are along their normal, mm."""
    gaps = np.diff(distances)
    _check_apart(planes, gaps, source)
    _check_whole(planes, gaps, source)
    step_mm = float(distances[-1] - distances[0]) / len(gaps)
    off_mm = np.abs(distances - distances[0] - step_mm * np.arange(len(distances)))
    if off_mm.max() > _allowed_mm(step_mm):
        found = f"slices lie {gaps.min():.4g} to {gaps.max():.4g} mm apart"
        farthest = planes[int(off_mm.argmax())].name
        _refuse("E-SPACING", source, f"{found}; {farthest} is {off_mm.max():.4g} mm from its place in an even stack")


def _check_apart(planes: Sequence[Plane], gaps: np.ndarray, source: str) -> None:
    allowed_mm, nearest = _allowed_mm(float(np.median(gaps))), int(gaps.argmin())
    if gaps[nearest] <= allowed_mm:
        one, other = planes[nearest : nearest + 2]
        apart_mm = float(np.linalg.norm(np.subtract(one.position, other.position)))
        found = f"{one.name} and {other.name} lie in one plane, {apart_mm:.4g} mm apart"
        count = int((gaps <= allowed_mm).sum())
        _refuse("E-DUPLICATE", source, f"{found}; {count} such pairs of {len(planes)} frames")


def _check_whole(planes: Sequence[Plane], gaps: np.ndarray, source: str) -> None:
    """Gaps that are whole multiples of the least one are slices that are missing."""
    least_mm, widest = float(gaps.min()), int(gaps.argmax())
    counts = np.rint(gaps / least_mm)
    if counts.max() > 1 and np.all(np.abs(gaps - counts * least_mm) <= counts * _allowed_mm(least_mm)):
        missing = int((counts - 1).sum())
        found = f"{missing} slice{'s are' if missing > 1 else ' is'} missing: slices lie {least_mm:.4g} mm apart"
        where = f"{gaps[widest]:.4g} mm from {planes[widest].name} to {planes[widest + 1].name}"
        _refuse("E-GAP", source, f"{found}, but {where}")


def _allowed_mm(step_mm: float) -> float:
    return max(ROUNDING_MM, STEP_TOLERANCE * step_mm)


def _check_said(said: float, step_mm: float, source: str) -> None:
    if not said or abs(step_mm - said) <= SAID_TOLERANCE * said:  # 0 is written for unknown
        return
    found = f"slices lie {step_mm:.4g} mm apart by their positions, {said:.4g} mm by SpacingBetweenSlices"
    if (count := round(step_mm / said)) > 1 and abs(step_mm - count * said) <= SAID_TOLERANCE * said:
        _refuse("E-GAP", source, f"{found}: {count - 1} of every {count} are missing")
    _refuse("E-SPACING", source, found)


def _step(planes: Sequence[Plane], source: str) -> tuple[np.ndarray, float]:
    """From one slice to the next, mm, and how far the one that is farthest from its place lies from it."""
    positions = np.array([plane.position for plane in planes])
    step = (positions[-1] - positions[0]) / (len(planes) - 1)
    off_mm = np.linalg.norm(positions - positions[0] - np.outer(np.arange(len(planes)), step), axis=1)
    allowed_mm = max(ROUNDING_MM, CORNER_TOLERANCE * planes[0].shortest_edge_mm)
    if off_mm.max() > allowed_mm:
        found = f"{planes[int(off_mm.argmax())].name} is {off_mm.max():.4g} mm beside the line through the others"
        _refuse("E-SPACING", source, f"{found}; allowed: {allowed_mm:.4g} mm")
    return step, float(off_mm.max())


def _check_shear(affine: np.ndarray, shape: tuple[int, int, int], plane: Plane, source: str) -> None:
    """A leaning stack, as of a tilted gantry: NIfTI's qform has no shear, and readers that go by it would be wrong."""
    corners = np.array(np.meshgrid(*((0, n - 1) for n in shape))).reshape(3, -1)
    off_mm = float(np.linalg.norm((affine - without_shear(affine))[:3, :3] @ corners, axis=0).max())
    allowed_mm = CORNER_TOLERANCE * min(np.linalg.norm(affine[:3, :3], axis=0))
    if off_mm > allowed_mm:
        step = affine[:3, 0] / np.linalg.norm(affine[:3, 0])
        tilt = np.degrees(np.arccos(np.clip(step @ plane.normal, -1, 1)))
        found = f"slices follow each other {tilt:.3g} degrees off their normal (a tilted gantry)"
        _refuse(
            "E-SHEAR", source, f"{found}: a box is {off_mm:.3g} mm off at its corners; allowed: {allowed_mm:.3g} mm"
        )


def without_shear(affine: np.ndarray) -> np.ndarray:
    """The box nearest to a grid, as a qform has it: rows stay as they are, slices follow each other along the normal.

    Not the nearest rotation: that would turn the pixels of a wide image for a rounding in the positions of two slices.
    """
    step, along_column, along_row = affine[:3, :3].T
    normal = np.cross(along_row, along_column)
    column = np.cross(normal, along_row)
    box = affine.copy()
    box[:3, 0] = normal * (step @ normal) / (normal @ normal)
    box[:3, 1] = column * np.linalg.norm(along_column) / np.linalg.norm(column)
    return box


def _single_depth(said_mm: Collection[float], thickness_mm: float | None, plane: Plane, source: str) -> float:
    depth_mm = thickness_mm or max(map(abs, said_mm), default=0.0)
    if not LEAST_MM <= depth_mm <= FARTHEST_MM:
        found = "neither SliceThickness nor SpacingBetweenSlices" if not depth_mm else f"a depth of {depth_mm:g} mm"
        _refuse("E-SPACING", source, f"{plane.name} is a single slice and has {found}")
    return depth_mm


def _values(values: Sequence[float]) -> str:
    return "\\".join(f"{value + 0.0:.6g}" for value in values)


def _refuse(code: str, source: str, reason: str) -> NoReturn:
    raise DicomError(code, source, reason)
