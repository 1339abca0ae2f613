"""Tiles: they fit their box, hang the right way round, and say what was done to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mammoscope.collection.hanging import Hung
from mammoscope.data.tiles import Asked, Tile, draw_tile
from mammoscope.dicom.headers.cards import read_card
from mammoscope.errors import DicomError

from ..clinical import breast, write_image

ORANGE = np.array([255, 176, 0])


def tile(path: Path, *, masks: tuple[Path, ...] = (), **asked: object) -> Tile:
    wanted = {"height_px": 120, "width_px": 80, **asked}
    drawn = draw_tile(Asked(hung=Hung(path, read_card(path), masks), **wanted))
    assert isinstance(drawn, Tile), drawn
    return drawn


def wall_is_left(picture: np.ndarray) -> bool:
    return picture[:, 0].sum() > picture[:, -1].sum()


@pytest.mark.parametrize(("laterality", "wanted_left"), [("L", True), ("R", False)])
@pytest.mark.parametrize("stored_left", [True, False])
def test_the_chest_wall_hangs_towards_the_middle_by_the_tissue(tmp_path, laterality, wanted_left, stored_left):
    path = write_image(tmp_path / "a.dcm", breast(wall_on_left=stored_left), ImageLaterality=laterality)
    drawn = tile(path)
    assert wall_is_left(drawn.picture) == wanted_left
    assert drawn.turned == ("" if stored_left == wanted_left else "mirrored (by its tissue)")
    assert wall_is_left(tile(path, turns=False).picture) == stored_left


def test_a_real_orientation_counts_more_than_the_tissue_and_turns_upside_down_too(tmp_path: Path):
    elements = {"ImageLaterality": "R", "ViewPosition": "MLO"}
    pixels = breast(wall_on_left=False)
    told = write_image(tmp_path / "a.dcm", pixels, PatientOrientation=["A", "F"], **elements)  # tissue says otherwise
    assert tile(told).turned == "mirrored (orientation A\\F)"
    assert wall_is_left(tile(told).picture)
    head_down = write_image(tmp_path / "b.dcm", pixels[::-1, ::-1], PatientOrientation=["A", "H"], **elements)
    assert tile(head_down).turned == "turned by 180 degrees (orientation A\\H)"
    upright = write_image(tmp_path / "c.dcm", pixels, PatientOrientation=["P", "F"], **elements)
    np.testing.assert_array_equal(tile(head_down).picture, tile(upright).picture)


def test_where_nothing_tells_the_side_it_stays_as_it_is_and_that_is_said(tmp_path: Path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 4000, (60, 40)).astype(np.uint16)
    for pixels, said in ((noise, {}), (breast(), {"PatientID": "Mass-Training_P_00001_RIGHT_CC_1"})):
        drawn = tile(write_image(tmp_path / "a.dcm", pixels, ImageLaterality="R", **said))
        assert drawn.turned == ""
        assert "as it is stored: nothing tells where the chest wall is" in drawn.notes


def test_it_fits_its_box_and_keeps_its_aspect(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", breast(600, 300))
    assert tile(path).picture.shape == (120, 60, 3)
    assert tile(path, height_px=1200, width_px=1000).picture.shape == (1200, 600, 3)


def outlined(drawn: Tile) -> np.ndarray:
    return (drawn.picture == ORANGE).all(axis=2)


def test_a_roi_is_outlined_around_and_never_over(tmp_path: Path):
    film = write_image(tmp_path / "a.dcm", breast(600, 400), ImageLaterality="L")
    mask = np.zeros((600, 400), np.uint8)
    mask[200:300, 100:200] = 255
    path = write_image(tmp_path / "m.dcm", mask)
    lines = outlined(tile(film, masks=(path,), height_px=300, width_px=200))
    rows, columns = np.flatnonzero(lines.any(axis=1)), np.flatnonzero(lines.any(axis=0))
    assert 92 <= rows[0] < 100 < 149 < rows[-1] <= 158
    assert 42 <= columns[0] < 50 < 99 < columns[-1] <= 108
    assert not lines[100:150, 50:100].any()
    assert not outlined(tile(film, height_px=300, width_px=200)).any()


def test_a_roi_of_one_pixel_is_still_seen_and_turns_with_its_film(tmp_path: Path):
    film = write_image(tmp_path / "a.dcm", breast(600, 400), ImageLaterality="R")
    mask = np.zeros((600, 400), np.uint8)
    mask[300, 40] = 1
    drawn = tile(film, masks=(write_image(tmp_path / "m.dcm", mask),))
    assert drawn.turned
    columns = np.flatnonzero(outlined(drawn).any(axis=0))
    assert columns.mean() == pytest.approx(79 - 8, abs=2)


def test_what_is_wrong_with_a_mask_is_said_and_the_film_is_drawn(tmp_path: Path):
    film = write_image(tmp_path / "a.dcm", breast())
    small = write_image(tmp_path / "s.dcm", np.ones((3, 3), np.uint8))
    empty = write_image(tmp_path / "e.dcm", np.zeros((60, 40), np.uint8))
    drawn = tile(film, masks=(small, empty, tmp_path / "absent.dcm"))
    assert drawn.faults == (
        "a mask has 3 x 3 px: not drawn",
        "a mask is empty",
        "a mask cannot be read: E-UNREADABLE",
    )


def test_a_file_that_cannot_be_drawn_gives_its_error(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", breast())
    hung = Hung(path, read_card(path))
    path.write_bytes(path.read_bytes()[:-9])
    error = draw_tile(Asked(hung=hung, height_px=9, width_px=9))
    assert isinstance(error, DicomError)
    assert error.code == "E-TRUNCATED"
    assert isinstance(draw_tile(Asked(hung=replace(hung, path=tmp_path), height_px=9, width_px=9)), DicomError)
