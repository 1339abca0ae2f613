"""When planes make an even stack, and what is said of those that do not."""

import math

import numpy as np
import pytest

from mammoscope.dicom.volumes.geometry import Plane, check_plane, fit_grid
from mammoscope.errors import DicomError

TILTED = (1.0, 0.0, 0.0, 0.0, math.cos(0.3), math.sin(0.3))


def planes(
    distances: list[float], cosines: tuple[float, ...] = TILTED, lean: float = 0.0, digits: int = 8
) -> list[Plane]:
    """lean: how far each slice is moved along its columns, of its distance."""
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    normal = np.cross(row, column)
    return [
        Plane(
            name=f"{k}.dcm",
            position=tuple(np.round(distance * (normal + lean * column) + [5, -7, 11], digits).tolist()),
            along_row=tuple(cosines[:3]),
            along_column=tuple(cosines[3:]),
            row_spacing_mm=0.5,
            column_spacing_mm=0.75,
            rows_px=200,
            columns_px=100,
        )
        for k, distance in enumerate(distances)
    ]


def changed(plane: Plane, **changes: object) -> Plane:
    values = {name: getattr(plane, name) for name in Plane.__dataclass_fields__}
    return Plane(**values | changes)


def refusal(stack: list[Plane], said_mm: float | None = None, thickness_mm: float | None = 1.0) -> DicomError:
    with pytest.raises(DicomError) as caught:
        fit_grid(stack, [] if said_mm is None else [said_mm], thickness_mm, "series")
    return caught.value


def test_slices_go_along_the_normal_in_whatever_order_they_come():
    stack = planes([7.5, 0, 2.5, 5])
    grid = fit_grid(stack, [2.5], 1.0, "series")
    assert grid.order == (1, 2, 3, 0)
    assert grid.deviation_mm < 1e-7
    for k, place in enumerate(grid.order):
        np.testing.assert_allclose(grid.affine_lps @ [k, 0, 0, 1], [*stack[place].position, 1], atol=1e-7)
    row, column = np.array(TILTED[:3]), np.array(TILTED[3:])
    corner = stack[1].position + 199 * 0.5 * column + 99 * 0.75 * row
    np.testing.assert_allclose(grid.affine_lps @ [0, 199, 99, 1], [*corner, 1], atol=1e-7)


@pytest.mark.parametrize(
    ("distances", "code", "said"),
    [
        ([0, 2, 4, 8, 10], "E-GAP", "1 slice is missing: slices lie 2 mm apart, but 4 mm from 2.dcm to 3.dcm"),
        ([0, 2, 8, 10, 16], "E-GAP", "4 slices are missing"),
        ([0, 2, 4, 4, 6], "E-DUPLICATE", "2.dcm and 3.dcm lie in one plane, 0 mm apart; 1 such pairs of 5 frames"),
        ([3, 3, 3], "E-DUPLICATE", "2 such pairs of 3 frames"),
        ([0, 2, 4.2, 6, 8], "E-SPACING", "slices lie 1.8 to 2.2 mm apart; 2.dcm is 0.2 mm from its place"),
        ([0, 2, 4, 7, 9], "E-SPACING", "slices lie 2 to 3 mm apart"),
    ],
)
def test_uneven_stacks_are_refused_with_the_numbers(distances: list[float], code: str, said: str):
    error = refusal(planes(distances))
    assert error.code == code
    assert said in error.reason


def test_rounded_positions_and_small_wobbles_are_no_reason():
    assert fit_grid(planes([0, 0.333, 0.667, 1.0], digits=2), [], 1.0, "series").deviation_mm < 0.01
    assert fit_grid(planes([0, 2.03, 4]), [], 1.0, "series").deviation_mm == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("said", "code"), [(2.0, None), (-2.0, None), (0.0, None), (1.0, "E-GAP"), (3.0, "E-SPACING"), (1.8, "E-SPACING")]
)
def test_spacing_between_slices_must_not_contradict_the_positions(said: float, code: str | None):
    stack = planes([0, 2, 4])
    if code is None:
        assert fit_grid(stack, [said], None, "series").order == (0, 1, 2)
    else:
        error = refusal(stack, said)
        assert (error.code, "2 mm apart by their positions" in error.reason) == (code, True)


def test_a_leaning_stack_is_refused_with_its_angle_and_one_that_hardly_leans_is_none():
    error = refusal(planes([0, 2, 4, 6], lean=math.tan(math.radians(2))))
    assert error.code == "E-SHEAR"
    assert "2 degrees off their normal" in error.reason
    assert fit_grid(planes([0, 2, 4, 6], lean=0.001), [], 1.0, "series").order == (0, 1, 2, 3)


def test_one_slice_moved_sideways_is_refused():
    stack = planes([0, 2, 4, 6])
    moved = np.add(stack[2].position, [1, 0, 0])
    error = refusal([*stack[:2], changed(stack[2], position=tuple(moved.tolist())), stack[3]])
    assert error.code == "E-SPACING"
    assert "2.dcm is 1 mm beside the line" in error.reason


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"rows_px": 199}, "E-MIXED", r"Rows x Columns is 200\100 in 0.dcm and 199\100 in 1.dcm"),
        ({"column_spacing_mm": 0.752}, "E-MIXED", r"PixelSpacing is 0.5\0.75 in 0.dcm and 0.5\0.752 in 1.dcm"),
        ({"along_row": (-1.0, 0.0, 0.0)}, "E-ORIENTATION", "ImageOrientationPatient"),
        ({"along_row": (math.cos(0.01), math.sin(0.01), 0.0)}, "E-ORIENTATION", r"0.99995\0.00999983\0"),
    ],
)
def test_mixed_planes_are_refused_with_both(changes: dict[str, object], code: str, said: str):
    one, other = planes([0, 2])
    error = refusal([one, changed(other, **changes)])
    assert error.code == code
    assert said in error.reason


def test_cosines_of_four_decimals_do():
    rough = tuple(round(v, 4) for v in TILTED)
    assert fit_grid(planes([0, 2, 4], cosines=rough), [], 1.0, "series").order == (0, 1, 2)


@pytest.mark.parametrize("depth", [{"said_mm": [-3.0], "thickness_mm": None}, {"said_mm": [4.0], "thickness_mm": 3.0}])
def test_a_single_slice_is_as_deep_as_its_header_says(depth: dict):
    grid = fit_grid(planes([0]), source="series", **depth)
    assert np.linalg.norm(grid.affine_lps[:3, 0]) == pytest.approx(3)
    assert refusal(planes([0]), None, None).code == "E-SPACING"


@pytest.mark.parametrize(
    "changes",
    [
        {"along_row": (0.9, 0.0, 0.0)},
        {"along_row": (0.0, 0.0, 0.0)},
        {"along_row": (0.0, 1.0, 0.0)},
        {"row_spacing_mm": 0.0},
        {"column_spacing_mm": -0.5},
        {"column_spacing_mm": 1e300},
        {"position": (0.0, 0.0, -1e300)},
    ],
)
def test_directions_and_spacings_that_the_standard_forbids_are_refused(changes: dict[str, object]):
    with pytest.raises(DicomError, match=r"E-GEOMETRY file: 0\.dcm: "):
        check_plane(changed(planes([0])[0], **changes), "file")
