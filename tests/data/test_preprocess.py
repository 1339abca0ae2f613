import numpy as np
import pytest

from mammoscope.config import ImageConfig
from mammoscope.data.preprocess import (
    FULL_SCALE,
    HEADROOM,
    _percentiles,
    find_breast,
    mask_box,
    prepare_full,
    prepare_roi,
    preprocessing_hash,
    roi_window,
)
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import ImageVariant, Laterality

ROI = ImageConfig(name=ImageVariant.roi, height_px=64, width_px=64, context=2.0)
FULL = ImageConfig(name=ImageVariant.full, height_px=120, width_px=80)


def half_disc(rows: int = 600, columns: int = 400, *, chest_wall: str = "left") -> np.ndarray:
    """A breast of known shape: a half disc of radius 200 at an edge, brighter towards the chest wall."""
    row, column = np.mgrid[:rows, :columns]
    inside = (row - rows / 2) ** 2 + column**2 < 200**2
    film = np.where(inside, 30000 + 40 * (200 - column), 1500).astype(np.uint16)
    return film if chest_wall == "left" else film[:, ::-1].copy()


def a_mask(film: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(film.shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_the_breast_is_found_without_label_and_white_border():
    film = half_disc()
    film[10:60, 300:380] = 65535  # a lead marker
    film[:4] = 65535  # the scanner's border
    breast = find_breast(film)
    assert breast.chest_wall is Laterality.left
    assert (breast.top_px, breast.bottom_px) == pytest.approx((100, 500), abs=12)
    assert (breast.left_px, breast.right_px) == pytest.approx((0, 200), abs=12)


def test_a_film_without_a_breast_is_refused():
    with pytest.raises(MammoscopeError, match="no breast found"):
        find_breast(np.full((300, 200), 7, np.uint16))


def test_everything_outside_the_breast_is_blank():
    film = half_disc()
    film[10:60, 300:380] = 65535
    prepared = prepare_full(film, find_breast(film), None, FULL)
    row, column = np.mgrid[:120, :80]
    far = (row - 60) ** 2 + column**2 > (0.6 * 120) ** 2
    assert not prepared.image[far].any()
    assert prepared.image[60, 5] > FULL_SCALE // 3


def test_a_mirrored_film_gives_the_same_image_and_mask():
    left, right = half_disc(), half_disc(chest_wall="right")
    mask = a_mask(left, 280, 60, 30, 50)
    from_left = prepare_full(left, find_breast(left), mask, FULL)
    from_right = prepare_full(right, find_breast(right), mask[:, ::-1], FULL)
    assert from_right.mirrored
    assert not from_left.mirrored
    np.testing.assert_array_equal(from_left.mask, from_right.mask)
    np.testing.assert_allclose(from_left.image.astype(float), from_right.image.astype(float), atol=2)


@pytest.mark.parametrize("config", [ROI, FULL], ids=["roi", "full"])
def test_the_mask_stays_on_its_abnormality(config: ImageConfig):
    """A bright square under the mask: after all cutting, mirroring and resizing the mask still lies on it."""
    film = half_disc(chest_wall="right")
    mask = a_mask(film, 290, 280, 40, 40)
    film[mask] = 60000
    prepare = prepare_roi if config is ROI else prepare_full
    prepared = prepare(film, find_breast(film), mask, config)
    bright = prepared.image > 0.95 * prepared.image.max()
    assert (bright & prepared.mask).sum() / (bright | prepared.mask).sum() > 0.9


def test_aspect_is_kept():
    film = half_disc()
    mask = a_mask(film, 280, 40, 60, 60)
    prepared = prepare_full(
        film, find_breast(film), mask, ImageConfig(name=ImageVariant.full, height_px=200, width_px=50)
    )
    top, left, bottom, right = mask_box(prepared.mask)
    assert bottom - top == pytest.approx(right - left, abs=1)


def test_the_window_is_centred_on_the_box_with_its_context():
    window = roi_window((100, 200, 140, 220), 2.0)
    assert (window.top_px, window.left_px, window.height_px, window.width_px) == (80, 170, 80, 80)


def test_a_window_over_the_edge_is_filled_with_black():
    film = half_disc()
    mask = a_mask(film, 280, 0, 40, 20)
    prepared = prepare_roi(film, find_breast(film), mask, ROI)
    assert not prepared.image[:, :16].any()
    assert prepared.image[:, 40:].all()


def test_sixteen_bits_survive():
    """300 neighbouring grey levels of a 16-bit film stay 300 levels: nothing on the way is 8 bits wide."""
    film = half_disc()
    levels = np.arange(30000, 30300, dtype=np.uint16)
    film[285:315, 20:30] = levels.reshape(30, 10)
    mask = a_mask(film, 285, 10, 30, 30)
    config = ImageConfig(name=ImageVariant.roi, height_px=30, width_px=30, context=1.0)
    breast = find_breast(film)
    prepared = prepare_roi(film, breast, mask, config)
    ours = prepared.image[:, 10:20].ravel().astype(float)
    expected = HEADROOM * FULL_SCALE * (levels - breast.low) / (breast.high - breast.low)
    np.testing.assert_allclose(ours, expected, atol=0.51)


def test_a_calcification_of_two_pixels_survives_the_reduction():
    film = half_disc()
    film[300:302, 60:62] = 65535
    without = prepare_full(half_disc(), find_breast(half_disc()), None, FULL)
    prepared = prepare_full(film, find_breast(film), None, FULL)
    assert (prepared.image.astype(int) - without.image)[50:70, 10:30].max() > 1500


def test_an_empty_mask_is_refused():
    film = half_disc()
    with pytest.raises(MammoscopeError, match="ROI mask is empty"):
        prepare_roi(film, find_breast(film), np.zeros(film.shape, bool), ROI)


def test_the_hash_names_all_that_decides_the_pixels():
    assert preprocessing_hash(ROI) == preprocessing_hash(
        ImageConfig(name=ImageVariant.roi, height_px=64, width_px=64, context=2.0)
    )
    others = [
        FULL,
        ImageConfig(name=ImageVariant.roi, height_px=64, width_px=64, context=1.5),
        ImageConfig(name=ImageVariant.roi, height_px=64, width_px=65, context=2.0),
    ]
    assert len({preprocessing_hash(config) for config in [ROI, *others]}) == 4


def test_enlarging_is_recorded():
    film = half_disc()
    prepared = prepare_roi(film, find_breast(film), a_mask(film, 290, 40, 8, 8), ROI)
    assert prepared.enlarged == 4.0


def test_the_breasts_of_real_films_are_found(shared):
    import cv2

    for path in sorted((shared / "data/cbis_ddsm/fullsize/full").glob("*.png")):
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 257
        breast = find_breast(film)
        assert 0.1 < breast.mask.mean() < 0.6
        side = (
            film[:, : film.shape[1] // 10] if breast.chest_wall is Laterality.left else film[:, -film.shape[1] // 10 :]
        )
        assert side.mean() > film.mean()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_percentiles_are_those_of_numpy(dtype):
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 10, 9999):
        levels = rng.integers(0, 250, count).astype(dtype)
        expected = np.percentile(levels, [0, 0.5, 50, 99.9, 100])
        np.testing.assert_allclose(_percentiles(levels, 0, 0.5, 50, 99.9, 100), expected)
