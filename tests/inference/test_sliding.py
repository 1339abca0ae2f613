"""A model of patches over a whole film: the same pixels as in training, and what an image is said to be."""

import numpy as np
import pytest

from mammoscope.config import ImageConfig
from mammoscope.data.normal_patches import INSIDE_FRACTION
from mammoscope.data.preprocess import find_breast, prepare_roi
from mammoscope.inference.sliding import ClassMap, image_probabilities, slide, sliding_windows
from mammoscope.vocabulary import ImageVariant

TISSUE = ("normal", "benign", "malignant")
BY_KIND = ("normal", "benign_mass", "malignant_mass", "benign_calc", "malignant_calc")
PATCH = ImageConfig(name=ImageVariant.roi, height_px=24, width_px=24, window_px=40)
SPOT = (160, 70)


@pytest.fixture
def film() -> np.ndarray:
    """Half an ellipse of tissue against the left edge, with one bright spot."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:300, :200]
    inside = ((rows - 150) / 140) ** 2 + (columns / 170) ** 2 < 1
    film = inside * rng.uniform(12000, 16000, inside.shape)
    film[(rows - SPOT[0]) ** 2 + (columns - SPOT[1]) ** 2 < 100] = 40000
    return film.astype(np.float32)


def by_brightness(images: np.ndarray) -> np.ndarray:
    """A model that takes what is bright in the middle for malignant."""
    malignant = images[:, 10:14, 10:14].mean(axis=(1, 2)) / 65535
    return np.stack([1 - malignant, 0 * malignant, malignant], axis=1)


def test_windows_hold_the_pixels_that_training_cut(film):
    breast = find_breast(film)
    seen: list[np.ndarray] = []
    slide(film, breast, PATCH, TISSUE, lambda images: (seen.append(images), by_brightness(images))[1])
    (images,) = seen
    compared = 0
    for number, window in enumerate(sliding_windows(breast, 40)):
        mask = np.zeros(film.shape, bool)
        middle = window.top_px + 20, window.left_px + 20
        mask[max(middle[0] - 1, 0) : middle[0] + 1, max(middle[1] - 1, 0) : middle[1] + 1] = True
        trained = prepare_roi(film, breast, mask, PATCH)
        if trained.window != window:  # where the ROI would reach over the film's edge its box is cut
            continue
        changed = np.abs(images[number].astype(int) - trained.image)[~trained.mask]
        assert changed.max() <= 1
        compared += 1
    assert compared > 30


def test_the_windows_cover_the_breast_and_hold_enough_of_it(film):
    breast = find_breast(film)
    covered = np.zeros(film.shape, bool)
    for window in sliding_windows(breast, 40):
        top, left = max(window.top_px, 0), max(window.left_px, 0)
        part = np.s_[top : window.top_px + 40, left : window.left_px + 40]
        covered[part] = True
        assert breast.mask[part].sum() >= (INSIDE_FRACTION - 0.05) * 1600
    assert (covered & breast.mask).sum() > 0.95 * breast.mask.sum()


def test_a_breast_smaller_than_the_window_still_gives_one():
    film = np.zeros((100, 60), np.float32)
    film[30:70, :30] = 20000
    windows = list(sliding_windows(find_breast(film), 64))
    assert windows


def test_the_peak_lies_at_what_the_model_sees(film):
    found = slide(film, find_breast(film), PATCH, TISSUE, by_brightness)
    assert np.hypot(*np.subtract(found.at(int(found.malignancy.argmax())), SPOT)) < 10
    assert np.hypot(*np.subtract(found.at(int(found.abnormality.argmax())), SPOT)) < 10
    assert np.hypot(*np.subtract(found.at(int(found.brightness.argmax())), SPOT)) < 30


def a_map(names: tuple[str, ...], probabilities: list[list[float]]) -> ClassMap:
    count = len(probabilities)
    return ClassMap(
        names=names,
        window_px=40,
        stride_px=10,
        centre_rows=np.arange(count) * 10.0,
        centre_columns=np.zeros(count),
        probabilities=np.array(probabilities),
        brightness=np.zeros(count),
    )


def test_an_image_is_as_malignant_as_its_most_malignant_window():
    found = a_map(TISSUE, [[0.9, 0.06, 0.04], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])
    np.testing.assert_allclose(image_probabilities(found), [0.1, 0.3, 0.6])


def test_a_normal_film_is_normal():
    found = a_map(TISSUE, [[0.98, 0.01, 0.01], [0.95, 0.03, 0.02]])
    np.testing.assert_allclose(image_probabilities(found), [0.95, 0.03, 0.02])


def test_kinds_share_what_their_windows_say():
    found = a_map(BY_KIND, [[0.1, 0.6, 0.1, 0.2, 0.0], [0.2, 0.1, 0.1, 0.1, 0.5]])
    np.testing.assert_allclose(image_probabilities(found), [0.1, 0.225, 0.1, 0.075, 0.5])


@pytest.mark.parametrize("names", [TISSUE, BY_KIND])
def test_probabilities_of_an_image_add_up_to_one(names):
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = a_map(names, rng.dirichlet(np.full(len(names), 0.4), size=20).tolist())
        of_image = image_probabilities(found)
        assert of_image.sum() == pytest.approx(1)
        assert (of_image >= 0).all()
        assert of_image[[n for n, name in enumerate(names) if "malignant" in name]].sum() == pytest.approx(
            found.malignancy.max(), abs=1e-9
        )
