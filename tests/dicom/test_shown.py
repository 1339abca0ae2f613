"""A picture as a display shows it, and what has to be said of it."""

from pathlib import Path

import numpy as np
import pytest

from mammoscope.dicom.shown import MOST_LINES, show_frame
from mammoscope.errors import DicomError

from ..clinical import write_image

PIXELS = np.array([[100, 200], [300, 500]], np.uint16)


def test_a_window_of_the_file_is_applied(tmp_path: Path):
    path = write_image(
        tmp_path / "a.dcm",
        PIXELS,
        WindowCenter=300,
        WindowWidth=200,
        VOILUTFunction="LINEAR_EXACT",
        BitsStored=12,
        HighBit=11,
    )
    shown = show_frame(path, None)
    np.testing.assert_allclose(shown.picture, [[0, 0], [0.5, 1]])
    assert shown.notes == ()
    assert shown.header == ()


def test_without_a_window_it_is_spread_and_that_is_said(tmp_path: Path):
    shown = show_frame(write_image(tmp_path / "a.dcm", PIXELS), None)
    np.testing.assert_allclose(shown.picture, [[0, 0.25], [0.5, 1]], atol=1e-9)
    assert shown.notes == ("no window: darkest to brightest",)
    dark = show_frame(write_image(tmp_path / "b.dcm", PIXELS, PhotometricInterpretation="MONOCHROME1"), None)
    np.testing.assert_allclose(dark.picture, [[1, 0.75], [0.5, 0]], atol=1e-9)
    flat = show_frame(write_image(tmp_path / "c.dcm", np.full((2, 2), 7, np.uint8)), None)
    assert np.isfinite(flat.picture).all()


def test_the_middle_frame_unless_another_is_asked_for(tmp_path: Path):
    frames = np.stack([PIXELS + 1000 * n for n in range(5)]).astype(np.uint16)
    path = write_image(tmp_path / "a.dcm", frames, WindowCenter=2500, WindowWidth=5000)
    assert show_frame(path, None).notes == ("frame 3 of 5",)
    means = [show_frame(path, number).picture.mean() for number in range(1, 6)]
    assert means == sorted(means)
    assert show_frame(path, None).picture.mean() == means[2]
    for number in (0, 6):
        with pytest.raises(DicomError, match=r"E-FRAMES .*allowed: 1 to 5"):
            show_frame(path, number)


def test_colour_is_shown_in_colour(tmp_path: Path):
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    shown = show_frame(write_image(tmp_path / "a.dcm", pixels), None)
    np.testing.assert_array_equal(shown.picture, pixels)
    assert shown.notes == ()


def test_a_transfer_syntax_that_is_none_is_refused_in_colour_too(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", np.zeros((2, 2, 3), np.uint8))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"))
    with pytest.raises(DicomError, match="E-SYNTAX"):
        show_frame(path, None)


def test_a_header_comes_along_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_image(tmp_path / "a.dcm", PIXELS)
    names = [line.name for line in show_frame(path, None, with_header=True).header]
    assert {"PatientID", "PixelData"} < set(names)
    monkeypatch.setattr("mammoscope.dicom.shown.MOST_LINES", 5)
    cut = show_frame(path, None, with_header=True).header
    assert [line.name for line in cut] == [*names[:5], "..."]
    assert cut[-1].value == "more than 5 elements"
    assert MOST_LINES > 100
