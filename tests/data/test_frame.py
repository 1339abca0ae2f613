"""Windows that move in training: real pixels around them, the same centre, and the same again for a seed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mammoscope.config import AugmentConfig, ImageConfig
from mammoscope.data.batches import plain_batches, train_batches
from mammoscope.data.draws import Pick, build_draws
from mammoscope.data.frame import Frame, frame_of
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.samples import build_samples
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, Sampling, View

NONE = AugmentConfig(
    name="none",
    flip_horizontal=0,
    flip_vertical=0,
    rotate_deg=0,
    scale_fraction=0,
    translate_fraction=0,
    brightness_fraction=0,
    contrast_fraction=0,
)


def roi(jitter: float, height: int = 24, width: int = 24, window_px: int | None = 48) -> ImageConfig:
    context = None if window_px else 2.0
    return ImageConfig(
        name=ImageVariant.roi,
        height_px=height,
        width_px=width,
        context=context,
        window_px=window_px,
        jitter_fraction=jitter,
    )


@pytest.fixture(scope="module")
def prepared(phantom: Path, catalog, tmp_path_factory) -> Callable:
    root = tmp_path_factory.mktemp("store")

    def of(image: ImageConfig):
        work = plan_store(catalog, AbnormalityKind.mass, View.CC, image)[:12]
        folder = store_folder(root, phantom, AbnormalityKind.mass, View.CC, work, image)
        return prepare_store(phantom, folder, work, image, workers=1, progress=lambda d, a: None, say=print)

    return of


def test_the_centre_is_the_window_without_jitter_pixel_for_pixel_where_nothing_is_resampled_otherwise(prepared):
    """A window of 48 px in 24 px, moved by 6: 12 film pixels around it, blocks of 2 x 2 stay where they were."""
    plain, moving = prepared(roi(0)), prepared(roi(0.25))
    assert moving.frame == Frame(height_px=24, width_px=24, margin_px=6)
    assert moving.shards[0].shape[1:] == (36, 36)
    assert [row.id for row in moving.rows] == [row.id for row in plain.rows]
    for index in range(len(plain.rows)):
        np.testing.assert_array_equal(moving.image(index), plain.image(index))
        np.testing.assert_array_equal(moving.mask(index), plain.mask(index))
        assert moving.rows[index].left_px == plain.rows[index].left_px
        assert moving.rows[index].width_px == plain.rows[index].width_px


def test_with_windows_of_any_side_the_centre_differs_by_resampling_only(prepared):
    plain, moving = prepared(roi(0, window_px=None)), prepared(roi(0.2, window_px=None))
    errors = [np.abs(moving.image(i).astype(float) - plain.image(i)).mean() / 65535 for i in range(len(plain.rows))]
    assert max(errors) < 0.02


def test_in_a_frame_that_is_not_square_the_borders_stay_black(prepared):
    plain, moving = prepared(roi(0, height=32)), prepared(roi(0.25, height=32))
    assert moving.shards[0].shape[1:] == (36, 36)
    for index in range(len(plain.rows)):
        np.testing.assert_array_equal(moving.image(index), plain.image(index))
        assert not moving.image(index, (6, -6))[[*range(4), *range(28, 32)]].any()


def test_what_moves_in_comes_from_the_film(prepared):
    moving = prepared(roi(0.25))
    stored = moving.shards[0][0]
    np.testing.assert_array_equal(moving.image(0, (6, 6)), stored[12:, 12:])
    np.testing.assert_array_equal(moving.image(0, (-6, -2)), stored[:24, 4:28])


def training(samples, stores, seed: int):
    draws = build_draws(samples, Sampling.uniform, seed)
    return train_batches(samples, stores, NONE, draws, batch_size=4, workers=0, seed=seed, pin=False).images


def test_training_moves_and_validation_sees_the_centre(prepared, catalog):
    store = prepared(roi(0.25))
    mammograms = {m.key: m for m in catalog.mammograms}
    samples = build_samples(catalog.abnormalities, mammograms, [store], ImageVariant.roi)
    stores = {store.name: store}
    plain = plain_batches(samples, stores, batch_size=4, pin=False).images
    moved, again, other = (training(samples, stores, seed) for seed in (1, 1, 2))
    looks = [[images.look(Pick(epoch, 0))[0] for epoch in range(8)] for images in (plain, moved, again, other)]
    assert all(np.array_equal(look, store.image(samples[0].images[0].row)) for look in looks[0])
    assert len({look.tobytes() for look in looks[1]}) > 5
    assert all(np.array_equal(one, two) for one, two in zip(looks[1], looks[2], strict=True))
    assert not all(np.array_equal(one, two) for one, two in zip(looks[1], looks[3], strict=True))
    image, mask = moved.look(Pick(3, 0), with_mask=True)
    assert image.shape == mask.shape == (24, 24)


def test_shifts_reach_the_margin_and_not_beyond():
    frame = frame_of(roi(0.25))
    shifts = np.array([frame.drawn_shift(seed) for seed in range(400)])
    assert (shifts.min(axis=0) == -6).all()
    assert (shifts.max(axis=0) == 6).all()
    assert np.abs(shifts.mean(axis=0)).max() < 1


def test_without_jitter_the_stored_array_itself_is_seen():
    stored = np.arange(12, dtype=np.uint16).reshape(3, 4)
    frame = Frame(height_px=3, width_px=4)
    assert frame.window(stored, (0, 0)) is stored
    assert frame.drawn_shift(5) == (0, 0)
