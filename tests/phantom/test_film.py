from itertools import pairwise

import numpy as np
import pytest

from mammoscope.phantom.film import draw_film, draw_tissue
from mammoscope.phantom.geometry import draw_anatomy, draw_build
from mammoscope.phantom.lesions import draw_lesion
from mammoscope.phantom.plan import PlannedAbnormality
from mammoscope.phantom.texture import draw_fields
from mammoscope.vocabulary import CBIS_DDSM_KINDS, Laterality, View


def spectral_slope(image: np.ndarray, lowest: float, highest: float) -> float:
    """Exponent of the power spectrum of a square patch over frequency, in cycles per patch."""
    side = len(image)
    taper = np.hanning(side)[:, None] * np.hanning(side)
    power = np.abs(np.fft.fft2((image - image.mean()) * taper)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side) * side, np.fft.fftfreq(side) * side))
    edges = np.geomspace(lowest, highest, 9)
    bins = [(frequency >= a) & (frequency < b) for a, b in pairwise(edges)]
    means = [np.log(power[inside].mean()) for inside in bins]
    return float(np.polyfit([np.log(frequency[inside].mean()) for inside in bins], means, 1)[0])


def test_noise_falls_as_one_over_frequency_cubed():
    fields = [field for seed in range(4) for field in draw_fields(np.random.default_rng(seed), (512, 512))]
    assert np.mean([spectral_slope(field, 6, 120) for field in fields]) == pytest.approx(-3, abs=0.15)
    assert np.mean([field.std() for field in fields]) == pytest.approx(1, abs=0.1)
    assert fields[0].dtype == np.float32
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.3


def test_tissue_keeps_about_that_spectrum():
    slopes = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        anatomy = draw_anatomy(rng, View.CC, draw_build(rng, 2 / 3), (720, 480))
        tissue = draw_tissue(rng, anatomy, 1 + seed % 4)
        slopes.append(spectral_slope(tissue[264:456, 24:216], 3, 60))
    assert -3.6 < np.mean(slopes) < -2.4


def test_denser_breasts_are_brighter():
    means = []
    for density in (1, 2, 3, 4):
        tissue = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            anatomy = draw_anatomy(rng, View.CC, draw_build(rng, 2 / 3), (240, 160))
            tissue.append(draw_tissue(rng, anatomy, density)[anatomy.inside == 1].mean())
        means.append(np.mean(tissue))
    assert np.all(np.diff(means) > 0.01)


def test_muscle_in_the_oblique_view_only():
    rng = np.random.default_rng(0)
    build = draw_build(rng, 2 / 3)
    assert not draw_anatomy(rng, View.CC, build, (240, 160)).pectoral.any()
    oblique = draw_anatomy(rng, View.MLO, build, (240, 160))
    assert oblique.pectoral[0, 0] > 0.95
    assert oblique.pectoral[-1].max() < 0.05
    assert oblique.inside[0, 0] == 1  # the axilla runs to the film's edge


@pytest.mark.parametrize("shape", [(128, 96), (240, 160), (720, 480), (300, 300)])
def test_film_and_masks(shape: tuple[int, int]):
    rng = np.random.default_rng(1)
    lesions = tuple(draw_lesion(rng, PlannedAbnormality(k, 1, True, 0.0), 1.8, 2) for k in CBIS_DDSM_KINDS)
    build = draw_build(rng, shape[1] / shape[0])
    film = draw_film(rng, build, 2, lesions, Laterality.right, View.MLO, shape)
    assert film.pixels.shape == shape
    assert film.pixels.dtype == np.uint16
    assert film.pixels.max() > 20_000
    assert np.median(film.pixels[film.pixels < 2_000]) < 1_000  # air is near black, and not flat
    assert film.pixels[film.pixels < 2_000].std() > 50
    for mask in film.masks:
        assert mask.shape == shape
        assert set(np.unique(mask)) == {0, 255}
        assert mask.flags.c_contiguous


def test_most_films_hang_with_the_chest_wall_on_the_breasts_own_side():
    on_left = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        film = draw_film(rng, draw_build(rng, 2 / 3), 2, (), Laterality.left, View.CC, (128, 96)).pixels
        on_left.append(film[40:90, 8:20].mean() > film[40:90, -20:-8].mean())
    assert 0.8 < np.mean(on_left) < 1.0
