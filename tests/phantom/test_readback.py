"""The ceiling is real: from the samples that a network is given, simple measurements read the latents back.

The samples come the whole way: a drawn tree, the catalog, the prepared store with image=roi and all else as a phantom
has it, the batches of uint16 arrays. Measured is what the phantom's latents stand for.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mammoscope.compose import compose_config
from mammoscope.data.batches import plain_batches
from mammoscope.data.preprocess import FULL_SCALE
from mammoscope.jobs.gather import gather
from mammoscope.phantom import log_likelihood_ratio, write_phantom
from mammoscope.phantom.marker import LATENTS
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind

PATIENTS, D_PRIME = 240, 1.8
SIDE, CONTEXT = 96, 2.0  # of a phantom's patches: conf/source/phantom.yaml, conf/image/roi.yaml
ROI_PX = SIDE / CONTEXT / 2  # half of the box in the window
BODY_PX = ROI_PX / 1.15


@dataclass(frozen=True)
class Prepared:
    """Rows of equal order: an abnormality on a view each."""

    images: np.ndarray  # float32 (rows, SIDE, SIDE), 0 to 1
    latents: np.ndarray
    malignant: np.ndarray
    patients: np.ndarray


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


MEASURE = {AbnormalityKind.mass: measure_mass, AbnormalityKind.calc: measure_cluster}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("readback") / "tree"
    config = compose_config([f"phantom.patients={PATIENTS}"]).phantom
    write_phantom(root, config, workers=2)
    return root


def prepare(root: Path, kind: AbnormalityKind) -> Prepared:
    """Every partition's samples, as a training run on the tree gathers them."""
    places = [f"source.root={root}", f"store.root={root.parent / 'store'}", "store.workers=2"]
    config = compose_config([*places, f"data={kind}"])
    assert (config.image.height_px, config.image.width_px, config.image.context) == (SIDE, SIDE, CONTEXT)
    data = gather(config)
    samples = [sample for own in data.samples.values() for sample in own]
    batches = plain_batches(samples, data.stores, batch_size=256, pin=False)
    images = np.concatenate([batch.images.numpy().copy() for batch in batches.epoch(0)])
    assert images.dtype == np.uint16
    with (root / LATENTS).open(newline="") as handle:
        latents = {
            row["abnormality"]: (float(row["latent_1"]), float(row["latent_2"])) for row in csv.DictReader(handle)
        }
    return Prepared(
        images=images[:, 0].astype(np.float32) / FULL_SCALE,
        latents=np.array([latents[sample.id] for sample in samples]),
        malignant=np.array([sample.malignant for sample in samples]),
        patients=np.array([sample.patient for sample in samples]),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(CBIS_DDSM_KINDS))
def test_simple_measurements_of_prepared_samples_come_within_two_points_of_the_ideal_auc(
    drawn: Path, kind: AbnormalityKind
):
    rows = prepare(drawn, kind)
    measured = np.array([MEASURE[kind](image) for image in rows.images])
    reader = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 13)))
    read = np.stack(
        [
            cross_val_predict(reader, measured, latent, cv=GroupKFold(5), groups=rows.patients)
            for latent in rows.latents.T
        ],
        axis=1,
    )
    ideal = roc_auc_score(rows.malignant, log_likelihood_ratio(rows.latents, D_PRIME))
    reached = roc_auc_score(rows.malignant, log_likelihood_ratio(read, D_PRIME))
    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(read.T, rows.latents.T, strict=True)]
    print(f"{kind}: {len(measured)} samples, ideal {ideal:.4f}, read back {reached:.4f}, {np.round(correlations, 3)}")
    assert reached > ideal - 0.02
    assert reached < ideal + 0.01  # nothing in the picture tells more than the latents
    assert min(correlations) > 0.9
