"""Films -> breasts, on the phantom, whose breasts include some with one view and films stored twice."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from mammoscope.config import AugmentConfig, ImageConfig
from mammoscope.data.batches import plain_batches, train_batches
from mammoscope.data.breasts import breast_samples
from mammoscope.data.draws import Pick, build_draws
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.samples import build_samples
from mammoscope.vocabulary import CBIS_DDSM_KINDS, ImageVariant, Sampling, View

FULL = ImageConfig(name=ImageVariant.full, height_px=30, width_px=20)
VIEWS = (View.CC, View.MLO)
MOVES = AugmentConfig(
    name="default",
    flip_horizontal=0,
    flip_vertical=0,
    rotate_deg=0,
    scale_fraction=0,
    translate_fraction=0.2,
    brightness_fraction=0,
    contrast_fraction=0,
)


@pytest.fixture(scope="module")
def stores(phantom, catalog, tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    found = []
    for kind in CBIS_DDSM_KINDS:
        for view in VIEWS:
            work = plan_store(catalog, kind, view, FULL)
            folder = store_folder(root, phantom, kind, view, work, FULL)
            found.append(prepare_store(phantom, folder, work, FULL, workers=1, progress=lambda d, a: None, say=print))
    return tuple(found)


@pytest.fixture(scope="module")
def films(catalog, stores):
    mammograms = {m.key: m for m in catalog.mammograms}
    return build_samples(catalog.abnormalities, mammograms, stores, ImageVariant.full)


@pytest.fixture(scope="module")
def breasts(films):
    return breast_samples(films, VIEWS)


def test_every_film_is_in_the_one_sample_of_its_breast(films, breasts):
    assert len({b.id for b in breasts}) == len(breasts) == len({(f.patient, f.laterality) for f in films})
    assert sorted(film for b in breasts for film in b.films) == sorted(f.films[0] for f in films)
    assert sorted(key for b in breasts for key in b.abnormalities) == sorted(k for f in films for k in f.abnormalities)


def test_images_stand_in_the_order_of_the_views_and_a_missing_one_is_none(films, breasts, stores):
    by_name = {store.name: store for store in stores}
    counts = defaultdict(int)
    for breast in breasts:
        for view, place in zip(VIEWS, breast.images, strict=True):
            counts[place is None] += 1
            assert (view in breast.views) == (place is not None)
            if place is not None:
                row = by_name[place.store].rows[place.row]
                assert row.film == breast.films[breast.views.index(view)]
                assert f"_{view}" in row.mammogram
    assert counts[True] > 0
    assert counts[False] > counts[True]


def test_a_breast_is_malignant_if_any_of_its_films_is(films, breasts):
    worst = defaultdict(int)
    for film in films:
        worst[film.patient, film.laterality] |= film.malignant
    assert all(b.malignant == b.target == worst[b.patient, b.laterality] for b in breasts)
    assert {b.malignant for b in breasts} == {0, 1}


def test_of_several_films_of_a_view_the_first_by_name_is_seen(films):
    one = films[0]
    other = replace(one, id="A" + one.id, films=("f" * 32,), malignant=1, target=1)
    (breast,) = breast_samples([one, other], VIEWS)
    assert breast.films == ("f" * 32,)
    assert breast.abnormalities == other.abnormalities + one.abnormalities
    assert breast.malignant == 1


def test_a_batch_holds_both_views_and_black_where_one_is_missing(breasts, stores):
    by_name = {store.name: store for store in stores}
    batches = plain_batches(breasts, by_name, batch_size=8, pin=False)
    seen = np.concatenate([batch.images.numpy() for batch in batches.epoch(0)])
    assert seen.shape == (len(breasts), 2, 30, 20)
    for breast, images in zip(breasts, seen, strict=True):
        for place, image in zip(breast.images, images, strict=True):
            expected = np.zeros((30, 20)) if place is None else by_name[place.store].image(place.row)
            np.testing.assert_array_equal(image, expected)
    picture, mask = batches.images.look(Pick(0, 0), with_mask=True)
    np.testing.assert_array_equal(picture, np.concatenate(seen[0], axis=1))
    assert mask.shape == picture.shape


def test_each_view_moves_by_itself_and_the_same_again(breasts, stores):
    by_name = {store.name: store for store in stores}
    twice = [with_one_image_twice(b) for b in breasts if None not in b.images][:6]  # the same image as both views
    draws = build_draws(twice, Sampling.uniform, 3)
    batches = [
        train_batches(twice, by_name, MOVES, draws, batch_size=6, workers=0, seed=3, pin=False) for _ in range(2)
    ]
    first, again = (next(iter(b.epoch(1))).images.numpy() for b in batches)
    np.testing.assert_array_equal(first, again)
    assert not any(np.array_equal(one, other) for one, other in first)


def with_one_image_twice(breast):
    return replace(breast, images=(breast.images[0], breast.images[0]))
