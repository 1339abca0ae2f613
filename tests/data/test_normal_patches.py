"""Normal patches lie in the breast and away from every ROI of their film, whichever kind it is stored under."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mammoscope.config import ImageConfig
from mammoscope.data.films import read_mask, read_source_film
from mammoscope.data.normal_patches import INSIDE_FRACTION, MARGIN_FRACTION, NO_NORMAL_PATCHES, normal_windows
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.preprocess import find_breast, prepare_window
from mammoscope.data.samples import build_samples
from mammoscope.data.store import PreparedStore, StoreRow
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, ImageVariant, TargetPolicy, View

WINDOW_PX, PER_IMAGE = 40, 3
PATCH = ImageConfig(name=ImageVariant.roi, height_px=24, width_px=24, window_px=WINDOW_PX)
CC = View.CC


def stores_of(root: Path, into: Path, catalog) -> list[PreparedStore]:
    stores = []
    for kind in CBIS_DDSM_KINDS:
        work = plan_store(catalog, kind, CC, PATCH, PER_IMAGE)
        folder = store_folder(into, root, kind, CC, work, PATCH)
        stores.append(prepare_store(root, folder, work, PATCH, workers=1, progress=lambda d, a: None, say=print))
    return stores


@pytest.fixture(scope="module")
def stores(phantom, catalog, tmp_path_factory) -> list[PreparedStore]:
    return stores_of(phantom, tmp_path_factory.mktemp("normal"), catalog)


def normal_rows(stores: list[PreparedStore]) -> list[StoreRow]:
    return [row for store in stores for row in store.rows if row.is_normal]


def view_of(mammogram) -> tuple[str, str, str]:
    return mammogram.patient, mammogram.laterality, mammogram.view


def test_none_touches_a_roi_of_either_kind(phantom, catalog, stores):
    rows = normal_rows(stores)
    assert len(rows) > PER_IMAGE * 20
    mammograms = {m.key: m for m in catalog.mammograms}
    margin = int(MARGIN_FRACTION * WINDOW_PX)
    for row in rows:
        rois = [a for a in catalog.abnormalities if view_of(a) == view_of(mammograms[row.mammogram])]
        for roi in rois:
            mask = np.pad(read_mask(phantom / roi.mask_path) > 0, WINDOW_PX)
            top, left = row.top_px + WINDOW_PX - margin, row.left_px + WINDOW_PX - margin
            assert not mask[top : top + WINDOW_PX + 2 * margin, left : left + WINDOW_PX + 2 * margin].any(), row.id


def test_there_are_some_of_films_with_both_kinds(catalog, stores):
    """Else the test above would pass for a planner that looks at the film's own kind alone."""
    mammograms = {m.key: m for m in catalog.mammograms}
    kinds: dict[tuple[str, str, str], set[AbnormalityKind]] = {}
    for abnormality in catalog.abnormalities:
        kinds.setdefault(view_of(abnormality), set()).add(abnormality.kind)
    assert any(len(kinds[view_of(mammograms[row.mammogram])]) == 2 for row in normal_rows(stores))


def test_they_are_breast_and_as_wide_as_the_window(stores):
    for store in stores:
        for index, row in enumerate(store.rows):
            assert (row.height_px, row.width_px) == (WINDOW_PX, WINDOW_PX)
            if row.is_normal:
                assert (store.image(index) > 0).mean() >= INSIDE_FRACTION - 0.1
                assert not store.mask(index).any()


def test_the_twins_of_one_film_have_them_at_the_same_places_and_give_them_once(catalog, stores):
    places: dict[str, dict[str, set[tuple[int, int]]]] = {}
    for row in normal_rows(stores):
        places.setdefault(row.film, {}).setdefault(row.mammogram, set()).add((row.top_px, row.left_px))
    twins = [own for own in places.values() if len(own) == 2]
    assert twins
    assert all(len({frozenset(found) for found in own.values()}) == 1 for own in twins)
    samples = tissue_samples(catalog, stores)
    assert len([s for s in samples if not s.abnormalities]) == sum(
        len(next(iter(own.values()))) for own in places.values()
    )


def tissue_samples(catalog, stores):
    rows = [a for a in catalog.abnormalities if a.view is CC]
    mammograms = {m.key: m for m in catalog.mammograms}
    return build_samples(rows, mammograms, stores, ImageVariant.roi, TargetPolicy.tissue)


def test_samples_of_tissue_are_normal_benign_or_malignant(catalog, stores):
    samples = tissue_samples(catalog, stores)
    assert {s.target for s in samples} == {0, 1, 2}
    assert all((s.target == 0) == (not s.abnormalities) == ("_normal_" in s.id) for s in samples)
    assert all(s.malignant == (s.target == 2) for s in samples)
    partition_of = {m.key: (m.patient, m.published) for m in catalog.mammograms}
    assert all((s.patient, s.published) == partition_of[s.id.split("_normal_")[0]] for s in samples if s.target == 0)


def test_other_targets_see_no_normal_patch(catalog, stores):
    rows = [a for a in catalog.abnormalities if a.view is CC]
    mammograms = {m.key: m for m in catalog.mammograms}
    assert len(build_samples(rows, mammograms, stores, ImageVariant.roi)) == len(rows)


def test_a_film_under_two_patients_gives_none(catalog, stores):
    mammograms = {m.key: m for m in catalog.mammograms}
    (store, *others) = stores
    twins = {row.film for other in others for row in other.rows}
    alone = [row for row in store.rows if row.film not in twins]
    one = alone[0]
    another = next(row for row in alone if mammograms[row.mammogram].patient != mammograms[one.mammogram].patient)
    rows = tuple(
        dataclasses.replace(row, film=one.film) if row.mammogram == another.mammogram else row for row in store.rows
    )
    samples = tissue_samples(catalog, [dataclasses.replace(store, rows=rows), *others])
    assert {s.target for s in samples if s.films == (one.film,)} <= {1, 2}
    assert {s.target for s in samples} == {0, 1, 2}


def test_an_image_whose_mask_is_missing_gives_none_and_is_told(phantom, catalog, tmp_path):
    of_masses = {view_of(a) for a in catalog.abnormalities if a.kind is AbnormalityKind.mass and a.view is CC}
    victim = next(a for a in catalog.abnormalities if a.kind is AbnormalityKind.calc and view_of(a) in of_masses)
    maskless = dataclasses.replace(
        catalog,
        abnormalities=tuple(
            dataclasses.replace(a, mask_path=None) if a.key == victim.key else a for a in catalog.abnormalities
        ),
    )
    mass, _ = stores_of(phantom, tmp_path, maskless)
    twin_key = next(
        m.key for m in catalog.mammograms if m.kind is AbnormalityKind.mass and view_of(m) == view_of(victim)
    )
    assert [d.row for d in mass.defects if d.problem == NO_NORMAL_PATCHES] == [twin_key]
    assert twin_key in {row.mammogram for row in mass.rows}
    assert twin_key not in {row.mammogram for row in normal_rows([mass])}


def test_the_number_of_them_makes_another_store(phantom, catalog, tmp_path):
    def folder(per_image: int | None) -> Path:
        work = plan_store(catalog, AbnormalityKind.mass, CC, PATCH, per_image)
        return store_folder(tmp_path, phantom, AbnormalityKind.mass, CC, work, PATCH)

    assert len({folder(None), folder(2), folder(3)}) == 3


def test_places_depend_on_the_film_and_the_window_alone(phantom, catalog):
    mammogram = next(m for m in catalog.mammograms if m.path is not None)
    film = read_source_film(phantom / mammogram.path)
    breast, rois = find_breast(film.image), np.zeros(film.image.shape, bool)
    first = normal_windows(breast, rois, PATCH, 3, "a" * 32)
    assert first == normal_windows(breast, rois, PATCH, 3, "a" * 32)
    assert first != normal_windows(breast, rois, PATCH, 3, "b" * 32)
    assert first[:2] == normal_windows(breast, rois, PATCH, 2, "a" * 32)
    assert all((prepare_window(film.image, breast, window, PATCH).image > 0).mean() > 0.6 for window in first)


def test_a_breast_full_of_rois_has_no_room(phantom, catalog):
    mammogram = next(m for m in catalog.mammograms if m.path is not None)
    film = read_source_film(phantom / mammogram.path)
    breast = find_breast(film.image)
    assert normal_windows(breast, np.ones(film.image.shape, bool), PATCH, 3, "a" * 32) == []


def test_a_coarse_view_that_skips_pixels_misses_no_roi():
    """Full-size films are looked at every ninth pixel or so; a ROI of one pixel between them still counts."""
    film = np.zeros((2000, 1100), np.float32)
    film[:, :900] = 100 + np.arange(900) / 10
    breast = find_breast(film)
    assert breast.step > 1
    image = dataclasses.replace(PATCH, window_px=300)
    for place in [(700, 401), (1203, 250), (333, 666)]:
        rois = np.zeros(film.shape, bool)
        rois[place] = True
        windows = normal_windows(breast, rois, image, 30, "c" * 32)
        assert windows
        for window in windows:
            inside = (window.top_px - 37 <= place[0] < window.top_px + 337) and (
                window.left_px - 37 <= place[1] < window.left_px + 337
            )
            assert not inside
