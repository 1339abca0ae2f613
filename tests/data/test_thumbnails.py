"""A copy is found whatever was done to its gain, grain and border; strangers are not, however alike their outlines."""

import numpy as np
import pytest

from mammoscope.catalog.cache import load_catalog
from mammoscope.data.films import read_source_film
from mammoscope.data.preprocess import find_breast
from mammoscope.data.thumbnails import NEAR_DUPLICATE, breast_thumbnail, correlation, near_duplicates


def thumbnail(film: np.ndarray) -> np.ndarray:
    film = np.ascontiguousarray(film, dtype=np.float32)
    return breast_thumbnail(film, find_breast(film))


@pytest.fixture(scope="module")
def films(phantom, catalog) -> list[np.ndarray]:
    patients = {mammogram.patient: mammogram for mammogram in catalog.mammograms if mammogram.path}
    return [read_source_film(phantom / mammogram.path).image for mammogram in patients.values()]


def test_phantom_strangers_are_no_near_duplicates(films):
    thumbnails = np.stack([thumbnail(film) for film in films])
    assert thumbnails.shape == (len(films), 128, 128)
    assert near_duplicates(thumbnails, [str(n) for n in range(len(films))]) == []


CHANGES = {
    "gain": lambda film, rng: film * 0.7 + 900,
    "noise": lambda film, rng: film + rng.normal(0, 655, film.shape),
    "border": lambda film, rng: film[4:-4, 3:-3],
    "mirrored": lambda film, rng: film[:, ::-1],
    "all": lambda film, rng: (film * 0.8 + rng.normal(0, 655, film.shape))[4:-4, 3:-3][:, ::-1],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(films, change):
    rng = np.random.default_rng(0)
    copies = [CHANGES[change](film, rng) for film in films[:4]]
    thumbnails = np.stack([thumbnail(film) for film in films] + [thumbnail(copy) for copy in copies])
    found = near_duplicates(thumbnails, [str(n) for n in range(len(thumbnails))])
    assert {(one, other) for one, other, _ in found} == {(n, len(films) + n) for n in range(4)}
    assert all(NEAR_DUPLICATE <= value <= 1 for _, _, value in found)


def test_two_films_of_one_patient_are_not_counted(films):
    twice = np.stack([thumbnail(films[0])] * 3)
    assert [pair[:2] for pair in near_duplicates(twice, ["one", "one", "other"])] == [(0, 2), (1, 2)]


def test_pairs_that_lie_in_different_blocks_are_found(films, monkeypatch):
    monkeypatch.setattr("mammoscope.data.thumbnails._BLOCK", 2)
    thumbnails = np.stack([thumbnail(film) for film in films[:5]] + [thumbnail(films[1])])
    assert near_duplicates(thumbnails, list("abcdef")) == [(1, 5, pytest.approx(1))]


def test_nothing_is_like_nothing():
    assert near_duplicates(np.zeros((0, 128, 128), np.uint8), []) == []
    blank = np.zeros((2, 128, 128), np.uint8)
    assert near_duplicates(blank, ["a", "b"]) == []
    assert correlation(*blank) == 0


@pytest.mark.slow
def test_strangers_among_real_films_are_no_near_duplicates(shared, tmp_path):
    """Films of the sample at 256 px, whose outlines alone correlate at up to 0.99."""
    import subprocess
    import sys

    subprocess.run([sys.executable, shared / "tools/build_cbis_tree.py", tmp_path / "tree"], check=True)
    catalog = load_catalog(tmp_path / "tree", tmp_path / "catalogs", workers=1)
    mammograms = [m for m in catalog.mammograms if m.path][::4]
    thumbnails = [thumbnail(read_source_film(tmp_path / "tree" / m.path).image) for m in mammograms]
    assert len(thumbnails) > 200
    assert near_duplicates(np.stack(thumbnails), [m.patient for m in mammograms]) == []
