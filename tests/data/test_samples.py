from dataclasses import replace

import pytest

from mammoscope.config import ImageConfig
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.samples import build_samples
from mammoscope.vocabulary import CBIS_DDSM_KINDS, ImageVariant, Pathology, View

ROI = ImageConfig(name=ImageVariant.roi, height_px=24, width_px=24, context=2.0)
FULL = ImageConfig(name=ImageVariant.full, height_px=30, width_px=20)


@pytest.fixture(scope="module")
def stores_of(phantom, catalog, tmp_path_factory):
    root = tmp_path_factory.mktemp("store")

    def of(image: ImageConfig):
        for kind in CBIS_DDSM_KINDS:
            work = plan_store(catalog, kind, View.CC, image)
            folder = store_folder(root, phantom, kind, View.CC, work, image)
            yield prepare_store(phantom, folder, work, image, workers=1, progress=lambda d, a: None, say=print)

    return {image.name: tuple(of(image)) for image in (ROI, FULL)}


@pytest.fixture
def rows(catalog):
    return [a for a in catalog.abnormalities if a.view is View.CC]


@pytest.fixture
def mammograms(catalog):
    return {m.key: m for m in catalog.mammograms}


def test_roi_gives_a_sample_an_abnormality(rows, mammograms, stores_of):
    samples = build_samples(rows, mammograms, stores_of[ImageVariant.roi], ImageVariant.roi)
    assert [s.id for s in samples] == [a.key for a in rows]
    assert [s.target for s in samples] == [int(a.pathology is Pathology.MALIGNANT) for a in rows]
    by_name = {store.name: store for store in stores_of[ImageVariant.roi]}
    assert all(by_name[image.store].rows[image.row].id == s.id for s in samples for image in s.images)


def test_full_gives_a_sample_a_film_that_is_malignant_if_any_abnormality_is(rows, mammograms, stores_of):
    samples = build_samples(rows, mammograms, stores_of[ImageVariant.full], ImageVariant.full)
    assert len({s.films for s in samples}) == len(samples)
    targets = {a.key: a.pathology is Pathology.MALIGNANT for a in rows}
    assert all(s.target == any(targets[key] for key in s.abnormalities) for s in samples)
    mixed = [s for s in samples if len({targets[key] for key in s.abnormalities}) == 2]
    assert mixed
    assert all(s.target == 1 for s in mixed)
    merged = [s for s in samples if len(s.kinds) == 2]
    assert merged
    assert sum(len(s.abnormalities) for s in samples) == len(rows)


def test_an_abnormality_without_an_image_gives_no_sample(rows, mammograms, stores_of):
    ghost = replace(rows[0], number=99)
    samples = build_samples([ghost, rows[1]], mammograms, stores_of[ImageVariant.roi], ImageVariant.roi)
    assert [s.id for s in samples] == [rows[1].key]


def test_one_film_under_two_patients_stays_two_samples(rows, mammograms, stores_of):
    """Which of them it is of, nobody knows; neither may swallow the other."""
    (store, *others) = stores_of[ImageVariant.full]
    twins = {row.film for other in others for row in other.rows}
    alone = [row for row in store.rows if row.film not in twins]
    one = alone[0]
    another = next(row for row in alone if row.mammogram.split("_")[2] != one.mammogram.split("_")[2])
    same = tuple(replace(row, film=one.film) if row is another else row for row in store.rows)
    samples = build_samples(rows, mammograms, [replace(store, rows=same), *others], ImageVariant.full)
    sharing = [s for s in samples if s.films == (one.film,)]
    assert len({s.patient for s in sharing}) == 2
    assert len(samples) == len(build_samples(rows, mammograms, stores_of[ImageVariant.full], ImageVariant.full))
