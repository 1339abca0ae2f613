import cv2
import numpy as np
import pytest

from mammoscope.data.resize import resized


def film(rows: int, columns: int, dtype: type = np.uint16) -> np.ndarray:
    """Grain of 16 bits, a little blurred as a scanner's is."""
    rng = np.random.default_rng(rows * columns)
    return cv2.GaussianBlur(rng.integers(0, 65536, (rows, columns)).astype(np.uint16), (0, 0), 1.0).astype(dtype)


def opencv(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(array.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize(
    ("shape", "size"), [((256, 162), (96, 61)), ((257, 161), (256, 160)), ((300, 300), (128, 128)), ((50, 80), (50, 7))]
)
def test_small_reductions_are_those_of_opencv(shape, size, dtype):
    array = film(*shape, dtype)
    np.testing.assert_allclose(resized(array, size), opencv(array, size), atol=0.1)


@pytest.mark.parametrize("shape", [(1200, 900), (1201, 901), (1203, 905)])
@pytest.mark.parametrize("size", [(300, 225), (301, 223), (151, 70)])
def test_large_reductions_by_halves_are_close_to_them(shape, size):
    array = film(*shape)
    ours, theirs = resized(array, size), opencv(array, size)
    assert ours.shape == size
    # grain that is nearly white is the worst case: films are smooth over the pixels that share their weight
    assert np.abs(ours - theirs).mean() < 0.25 * theirs.std()
    assert ours.mean() == pytest.approx(theirs.mean(), rel=1e-3)


@pytest.mark.parametrize("shape", [(1201, 903), (1600, 1600), (4001, 333)])
def test_an_even_film_stays_even_to_its_edges(shape):
    np.testing.assert_allclose(resized(np.full(shape, 40000, np.uint16), (100, 83)), 40000, rtol=1e-6)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (17, 401), (799, 640), (1197, 897)])
def test_every_film_pixel_counts_as_much_as_every_other(row, column):
    """A calcification of 2 px weighs the same wherever it lies, and lies where it lay."""
    dark = np.zeros((1200, 900), np.uint16)
    dark[row : row + 2, column : column + 2] = 60000
    size = (301, 226)
    image = resized(dark, size)
    share = size[0] * size[1] / dark.size
    assert image.sum() == pytest.approx(4 * 60000 * share, rel=0.01)
    rows, columns = np.mgrid[: size[0], : size[1]]
    found = (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()
    assert found == pytest.approx(((row + 1) * 301 / 1200 - 0.5, (column + 1) * 226 / 900 - 0.5), abs=0.35)


def test_enlarging_interpolates():
    array = film(20, 30)
    ours = resized(array, (40, 60))
    np.testing.assert_array_equal(ours, cv2.resize(array.astype(np.float32), (60, 40), interpolation=cv2.INTER_LINEAR))


def test_the_same_size_is_the_same_picture():
    array = film(20, 30)
    ours = resized(array, (20, 30))
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, array)
