"""The latents can be read back from what a network sees: simple measurements come near the ideal observer."""

import cv2
import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mammoscope.phantom.film import draw_film
from mammoscope.phantom.geometry import draw_build
from mammoscope.phantom.ideal import log_likelihood_ratio
from mammoscope.phantom.lesions import draw_lesion
from mammoscope.phantom.plan import PlannedAbnormality
from mammoscope.vocabulary import AbnormalityKind, Laterality, View

D_PRIME, SIDE, CONTEXT = 1.8, 96, 2.0
ROI_PX = SIDE / CONTEXT / 2  # half of the box in the window
BODY_PX = ROI_PX / 1.15


def window(film: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What image=roi cuts: a square of CONTEXT times the box's longer side, reduced by area; 0 to 1."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    half = round(CONTEXT / 2 * (max(np.ptp(rows), np.ptp(columns)) + 1))
    row, column = (rows[0] + rows[-1] + 1) // 2 + half, (columns[0] + columns[-1] + 1) // 2 + half
    padded = np.pad(film, half)
    cut = padded[row - half : row + half, column - half : column + half]
    return cv2.resize(cut.astype(np.float32) / 65535, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def measure_mass(image: np.ndarray) -> list[float]:
    """Contrast, angular ripple in rings around the body, and the profile of its margin along each ray."""
    centre = (SIDE - 1) / 2
    polar = cv2.warpPolar(image, (SIDE // 2, 180), (centre, centre), SIDE / 2, cv2.WARP_POLAR_LINEAR)
    outside = np.median(polar[:, int(1.4 * BODY_PX) : int(2 * BODY_PX)])
    contrast = max(float(np.median(polar[:, : int(0.6 * BODY_PX)]) - outside), 0.02)
    ripple = polar - ndimage.gaussian_filter1d(polar, 5, axis=0, mode="wrap")
    rings = (
        np.stack([ripple[:, a:b].mean(axis=1) for a, b in ((21, 24), (24, 27), (27, 30), (30, 33), (33, 37), (37, 41))])
        / contrast
    )
    products = (rings @ rings.T / rings.shape[1])[np.triu_indices(len(rings), 1)]
    mean_ring = rings.mean(axis=0)
    slope = np.diff(ndimage.gaussian_filter(polar, (2, 0.7)), axis=1)[:, 8:34]
    edge = 8 + slope.argmin(axis=1)
    steepest = np.log(np.percentile(-slope.min(axis=1), [50, 80]) + 1e-4) - np.log(contrast)
    around = np.clip(edge[:, None] + np.arange(-10, 11), 0, SIDE // 2 - 1)
    profile = np.median(np.take_along_axis(polar, around, axis=1), axis=0)
    fall = (profile - profile[-4:].mean()) / max(float(profile[:5].mean() - profile[-4:].mean()), 0.01)
    return [
        *(np.log(contrast), mean_ring.std(), *np.percentile(mean_ring, [85, 95])),
        *(np.sign(products) * np.sqrt(np.abs(products))),
        *steepest,
        *np.clip(fall, -2, 3),
    ]


def measure_cluster(image: np.ndarray) -> list[float]:
    """Band-pass energy and bright spots inside the ROI, at several sizes."""
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    inside, outside = np.hypot(down, across) < ROI_PX + 1, np.hypot(down, across) > ROI_PX + 4
    values: list[float] = []
    for size in (0.7, 1, 1.4, 2, 2.8, 4):
        band = ndimage.gaussian_filter(image, size) - ndimage.gaussian_filter(image, 1.6 * size)
        spots = np.sort(band[(ndimage.maximum_filter(band, 3) == band) & inside])[::-1]
        counts = [np.log1p((spots > share * spots[:5].mean()).sum()) for share in (0.15, 0.25, 0.4)]
        spread = band[inside].std()
        values += [np.log(spread), np.log(band[outside].std() + 1e-6), ((band[inside] / spread) ** 3).mean(), *counts]
        values.append(np.log(np.percentile(band[inside], 99.5) + 1e-4))
    return values


def draw_rows(kind: AbnormalityKind, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(measurements, latents, malignant) of as many abnormalities, one film each."""
    measure = measure_mass if kind is AbnormalityKind.mass else measure_cluster
    measured, latents, malignant = [], [], []
    for number in range(count):
        rng = np.random.default_rng([77, number])
        planned = PlannedAbnormality(kind, 1, bool(rng.random() < 0.45), float(rng.standard_normal()))
        lesion = draw_lesion(rng, planned, D_PRIME, 1)
        view, side = list(View)[rng.integers(2)], list(Laterality)[rng.integers(2)]
        film = draw_film(rng, draw_build(rng, 2 / 3), int(rng.integers(1, 5)), (lesion,), side, view, (720, 480))
        measured.append(measure(window(film.pixels, film.masks[0])))
        latents.append(lesion.latents)
        malignant.append(planned.malignant)
    return np.array(measured), np.array(latents), np.array(malignant)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(AbnormalityKind))
def test_simple_measurements_come_within_two_points_of_the_ideal_auc(kind: AbnormalityKind):
    measured, latents, malignant = draw_rows(kind, 1200)
    reader = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 13)))
    folds = GroupKFold(5)
    groups = np.arange(len(latents))
    read = np.stack([cross_val_predict(reader, measured, z, cv=folds, groups=groups) for z in latents.T], axis=1)
    ideal = roc_auc_score(malignant, log_likelihood_ratio(latents, D_PRIME))
    reached = roc_auc_score(malignant, log_likelihood_ratio(read, D_PRIME))
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(read.T, latents.T, strict=True)]
    print(f"{kind}: ideal {ideal:.4f}, read back {reached:.4f}, correlations {np.round(correlations, 3)}")
    assert reached > ideal - 0.02
    assert reached < ideal + 0.01  # nothing in the picture tells more than the latents
    assert min(correlations) > 0.9
