from collections import Counter

import numpy as np
import pytest

from mammoscope.config import AugmentConfig
from mammoscope.data.augment import A, build_augment


def an_augment(**changes: float) -> AugmentConfig:
    nothing = {field: 0.0 for field in AugmentConfig.__dataclass_fields__ if field != "name"}
    return AugmentConfig(name="test", **(nothing | changes))


def a_picture() -> tuple[np.ndarray, np.ndarray]:
    image = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)
    mask = np.zeros((64, 48), bool)
    mask[20:30, 10:25] = True
    return image, mask


def test_none_is_no_augmentation():
    assert build_augment(AugmentConfig(**(vars_of(an_augment()) | {"name": "none"}))) is None


def vars_of(config: AugmentConfig) -> dict[str, object]:
    return {name: getattr(config, name) for name in AugmentConfig.__dataclass_fields__}


EVERYTHING = {
    "flip_horizontal": 0.5,
    "flip_vertical": 0.5,
    "rotate_deg": 25,
    "scale_fraction": 0.2,
    "translate_fraction": 0.05,
    "brightness_fraction": 0.1,
    "contrast_fraction": 0.1,
}

ONE_IMAGE = [name for name in AugmentConfig.__dataclass_fields__ if name not in ("name", "mixup_alpha")]  # not a batch


def test_the_same_seed_moves_alike_and_another_does_not():
    augment = build_augment(an_augment(**EVERYTHING))
    image, mask = a_picture()
    first, second, other = augment(image, mask, 5), augment(image, mask, 5), augment(image, mask, 6)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_it_does_not_depend_on_whether_the_mask_is_asked_for():
    augment = build_augment(an_augment(**EVERYTHING))
    image, mask = a_picture()
    for seed in range(10):
        np.testing.assert_array_equal(augment(image, None, seed)[0], augment(image, mask, seed)[0])


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_no_operation_goes_through_eight_bits(name: str):
    """Two pictures that differ by a thousandth of a grey level of 8 bits must come out different, and floats."""
    augment = build_augment(an_augment(**{name: 1.0 if name.startswith("flip") else EVERYTHING[name]}))
    image, _ = a_picture()
    finer = image * np.float32(0.8) + np.float32(0.1)
    nudged = finer + np.float32(1e-3 / 255)
    moved, moved_nudged = augment(finer, None, 1)[0], augment(nudged, None, 1)[0]
    assert moved.dtype == np.float32
    inside = (moved > 0.05) & (moved < 0.95)
    assert inside.mean() > 0.3
    assert (moved_nudged[inside] > moved[inside]).mean() > 0.95


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_every_setting_does_something(name: str):
    augment = build_augment(an_augment(**{name: 1.0 if name.startswith("flip") else EVERYTHING[name]}))
    image, _ = a_picture()
    assert not all(np.allclose(augment(image, None, seed)[0], image, atol=1e-3) for seed in range(3))


def test_operations_are_drawn_independently_of_each_other():
    """A corner that is lit tells which flips there were: all four must come, about equally often."""
    augment = build_augment(an_augment(flip_horizontal=0.5, flip_vertical=0.5))
    image = np.zeros((8, 6), np.float32)
    image[0, 0] = 1
    corners = Counter(int(augment(image, None, seed)[0].argmax()) for seed in range(400))
    assert corners.keys() == {0, 5, 42, 47}
    assert min(corners.values()) > 60


def test_brightness_and_contrast_are_those_of_albumentations():
    """Ours makes them in one pass; theirs are the reference."""
    ours = build_augment(an_augment(brightness_fraction=0.3, contrast_fraction=0.3))
    theirs = A.RandomBrightnessContrast(brightness_limit=0.3, contrast_limit=0.3, p=1.0)
    image, _ = a_picture()
    for seed in range(5):
        moved = ours(image, None, seed)[0]
        drawn = ours._transform.transforms[-1].get_applied_params()
        expected = theirs.apply(image, drawn["alpha"], drawn["beta"])
        np.testing.assert_allclose(np.clip(moved, 0, 1), expected, atol=1e-6)


def test_the_mask_moves_with_the_image():
    augment = build_augment(an_augment(**(EVERYTHING | {"brightness_fraction": 0.0, "contrast_fraction": 0.0})))
    _, mask = a_picture()
    for seed in range(20):
        moved, moved_mask = augment(mask.astype(np.float32), mask, seed)
        overlap = ((moved > 0.5) & moved_mask).sum() / max(1, ((moved > 0.5) | moved_mask).sum())
        assert overlap > 0.8
