from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.data.films import read_mask, read_source_film
from mammoscope.data.png import read_png
from mammoscope.errors import MammoscopeError

RNG = np.random.default_rng(0)


def written(path: Path, pixels: np.ndarray, *flags: int) -> Path:
    assert cv2.imwrite(str(path), pixels, list(flags))
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_values_come_as_they_are(tmp_path, dtype):
    pixels = RNG.integers(0, np.iinfo(dtype).max + 1, (31, 17)).astype(dtype)
    film = read_source_film(written(tmp_path / "A.PNG", pixels))
    assert film.raw.dtype == dtype
    np.testing.assert_array_equal(film.raw, pixels)
    np.testing.assert_array_equal(film.image, pixels.astype(np.float32))
    assert film.bits_stored == np.iinfo(dtype).bits


def test_a_mask_of_one_bit(tmp_path):
    pixels = (RNG.random((9, 13)) > 0.5).astype(np.uint8) * 255
    path = written(tmp_path / "m.png", pixels, cv2.IMWRITE_PNG_BILEVEL, 1)
    np.testing.assert_array_equal(read_mask(path) > 0, pixels > 0)
    with pytest.raises(MammoscopeError, match=r"m.png: a PNG of 1 bits; allowed: 8, 16"):
        read_source_film(path)


@pytest.mark.parametrize(("channels", "said"), [(3, "colour"), (4, "colour with alpha")])
def test_colour_is_refused(tmp_path, channels, said):
    path = written(tmp_path / "c.png", np.zeros((4, 4, channels), np.uint8))
    with pytest.raises(MammoscopeError, match=rf"c.png: a PNG in {said}; allowed: plain grey"):
        read_png(path, (8, 16))


@pytest.mark.parametrize(("colour_type", "said"), [(3, "a palette"), (4, "grey with alpha"), (7, "colour type 7")])
def test_so_is_what_else_a_header_may_say(tmp_path, colour_type, said):
    content = bytearray(written(tmp_path / "p.png", np.zeros((4, 4), np.uint8)).read_bytes())
    content[25] = colour_type
    (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(MammoscopeError, match=f"a PNG in {said}; allowed"):
        read_png(tmp_path / "p.png", (8, 16))


def test_damage_is_told(tmp_path):
    whole = written(tmp_path / "w.png", RNG.integers(0, 65536, (64, 64)).astype(np.uint16)).read_bytes()
    spoilt = bytearray(whole)
    spoilt[len(whole) // 2] ^= 0xFF
    huge = bytearray(whole)
    huge[16:24] = b"\x00\x01\x00\x00\x00\x01\x00\x00"
    for content, said in (
        (whole[: len(whole) // 2], "damaged or ends early"),
        (bytes(spoilt), "damaged or ends early"),
        (whole[:20], "is no PNG"),
        (b"\xff\xd8\xff\xe0" + whole, "is no PNG, whatever its name says"),
        (b"", "is no PNG"),
        (bytes(huge), "65536 x 65536 px; allowed: 1 to "),
    ):
        (tmp_path / "d.png").write_bytes(content)
        with pytest.raises(MammoscopeError, match=said):
            read_png(tmp_path / "d.png", (8, 16))
