"""image=released_crop: the patch as published, turned as its film is; needs no mask, but its film."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.config import ImageConfig
from mammoscope.data.films import read_mask
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.preprocess import prepare_released, preprocessing_hash
from mammoscope.data.samples import build_samples
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, View

CROP = ImageConfig(name=ImageVariant.released_crop, height_px=40, width_px=40)
ROI = ImageConfig(name=ImageVariant.roi, height_px=40, width_px=40, context=2.0)
MASS, CC = AbnormalityKind.mass, View.CC


def prepared(root: Path, catalog, store: Path, image: ImageConfig = CROP):
    work = plan_store(catalog, MASS, CC, image)
    folder = store_folder(store, root, MASS, CC, work, image)
    return prepare_store(root, folder, work, image, workers=1, progress=lambda done, all: None, say=print)


@pytest.fixture(scope="module")
def store(phantom, catalog, tmp_path_factory):
    return prepared(phantom, catalog, tmp_path_factory.mktemp("store"))


def test_each_crop_is_seen_whole_in_its_own_greys_and_turned_as_its_film(phantom, catalog, store):
    crops = {a.key: a for a in catalog.abnormalities}
    assert {row.id for row in store.rows} == {a.key for a in catalog.abnormalities if a.kind is MASS and a.view is CC}
    assert {row.mirrored for row in store.rows} == {True, False}
    for index, row in enumerate(store.rows):
        crop = read_mask(phantom / crops[row.id].crop_path)
        crop = crop[:, ::-1] if row.mirrored else crop
        scale = 40 / max(crop.shape)
        size = tuple(max(1, round(length * scale)) for length in crop.shape)
        filter = cv2.INTER_AREA if crop.shape[0] >= size[0] else cv2.INTER_LINEAR
        expected = cv2.resize(crop.astype(np.float32), size[::-1], interpolation=filter)
        top, left = ((40 - length) // 2 for length in size)
        seen = store.image(index)[top : top + size[0], left : left + size[1]]
        assert np.abs(seen - expected).max() <= 1, row.id
        assert (row.height_px, row.width_px) == crop.shape
        assert not store.mask(index).any()
    assert max(store.image(index).max() for index in range(len(store.rows))) > 60000  # each was stretched


def test_films_are_hashed_as_for_every_other_variant(phantom, catalog, store, tmp_path):
    by_film = {row.id: row.film for row in prepared(phantom, catalog, tmp_path, ROI).rows}
    assert {row.id: row.film for row in store.rows} == by_film


def test_an_abnormality_without_a_mask_is_used_and_one_without_a_film_is_not(phantom, catalog, tmp_path):
    first, second, *others = (a for a in catalog.abnormalities if a.kind is MASS and a.view is CC)
    films = tuple(replace(m, path=None) if m.key == second.mammogram else m for m in catalog.mammograms)
    rows = (replace(first, mask_path=None), second, *others)
    partial = replace(catalog, mammograms=films, abnormalities=rows)
    work = plan_store(partial, MASS, CC, CROP)
    planned = {a.key for w in work for a in w.abnormalities}
    assert first.key in planned
    assert second.key not in planned
    assert first.key not in {a.key for w in plan_store(partial, MASS, CC, ROI) for a in w.abnormalities}


def test_a_crop_that_cannot_be_read_is_left_out_and_told(phantom, catalog, tmp_path):
    broken = next(a for a in catalog.abnormalities if a.kind is MASS and a.view is CC)
    rows = tuple(replace(a, crop_path="CBIS-DDSM/gone.dcm") if a is broken else a for a in catalog.abnormalities)
    store = prepared(phantom, replace(catalog, abnormalities=rows), tmp_path)
    assert broken.key not in {row.id for row in store.rows}
    assert [(defect.row, defect.problem) for defect in store.defects] == [(broken.key, "unusable_crop")]


def test_a_sample_is_an_abnormality(catalog, store):
    mammograms = {m.key: m for m in catalog.mammograms}
    samples = build_samples(catalog.abnormalities, mammograms, [store], ImageVariant.released_crop)
    assert {s.id for s in samples} == {row.id for row in store.rows}
    assert all(len(s.abnormalities) == 1 for s in samples)


def test_white_is_what_the_files_bits_can_say():
    crop = np.array([[0, 4095], [2048, 1024]], np.float32)
    cut = prepare_released(crop, 4095, True, replace(CROP, height_px=16, width_px=32))
    assert cut.image[:, :8].max() == cut.image[:, 24:].max() == 0  # aspect kept
    assert cut.image.max() == 65535
    assert cut.image[0, 8] == 65535  # mirrored


def test_its_preprocessing_has_a_name_of_its_own():
    assert preprocessing_hash(CROP) != preprocessing_hash(ROI)
