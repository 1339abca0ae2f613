"""Clusters of calcifications. Pure functions.

The two latents are free of scale: the number of calcifications in the region, and their size relative to it (the more
and the finer, the more suspicious). The region's size, shape and angle and the calcifications' brightness are drawn
from nothing, and the ROI follows the region, whatever lies in it.
"""

from dataclasses import dataclass

import numpy as np

from mammoscope.phantom.patch import Patch, grid

COUNT, COUNT_STEP = 16.0, 0.42  # calcifications at latent 0; growth (log) per unit
SIZE, SIZE_STEP = 0.050, -0.24  # their standard deviation over the region's radius at latent 0; growth (log) per unit
GENEROSITY = 1.15
CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Cluster:
    ratio: float  # shorter over longer axis of the region
    angle: float
    radius_px: float  # half of the region's longer axis
    contrast: float
    latents: tuple[float, float]


def draw_cluster(rng: np.random.Generator, cluster: Cluster, centre: tuple[float, float]) -> Patch:
    """centre: (row, column) in px."""
    top, left, down, across = grid(centre, 1.5 * cluster.radius_px)
    size = SIZE * np.exp(SIZE_STEP * cluster.latents[1])
    places = _scatter(rng, max(1, round(COUNT * np.exp(COUNT_STEP * cluster.latents[0]))), cluster.ratio)
    turn = np.array([[np.cos(cluster.angle), np.sin(cluster.angle)], [-np.sin(cluster.angle), np.cos(cluster.angle)]])
    added = _spots(rng, down / cluster.radius_px, across / cluster.radius_px, places @ turn, size)
    along = (across * np.cos(cluster.angle) + down * np.sin(cluster.angle)) / cluster.radius_px
    beside = (down * np.cos(cluster.angle) - across * np.sin(cluster.angle)) / cluster.radius_px
    roi = along**2 + (beside / cluster.ratio) ** 2 <= GENEROSITY**2
    return Patch(
        top=top,
        left=left,
        added=(cluster.contrast * added).astype(np.float32),
        cover=np.zeros(added.shape, np.float32),
        roi=roi,
    )


def _scatter(rng: np.random.Generator, count: int, ratio: float) -> np.ndarray:
    """(count, 2) places (along, beside) in the region, kept apart: the best of a few candidates each (Mitchell)."""
    places = np.empty((count, 2))
    for k in range(count):
        radius, angle = np.sqrt(rng.uniform(0, 1, CANDIDATES)), rng.uniform(0, 2 * np.pi, CANDIDATES)
        candidates = np.stack([radius * np.cos(angle), ratio * radius * np.sin(angle)], axis=1)
        gaps = ((candidates[:, None] - places[None, :k]) ** 2).sum(axis=-1).min(axis=1, initial=9.0)
        places[k] = candidates[int(np.argmax(gaps))]
    return places


def _spots(
    rng: np.random.Generator, down: np.ndarray, across: np.ndarray, places: np.ndarray, size: float
) -> np.ndarray:
    """Small ellipses of random direction; down, across, places and size in radii."""
    sum_of = np.zeros(down.shape, np.float32)
    for along, beside in places:
        angle, stretch, own = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35), size * np.exp(rng.normal(0, 0.12))
        bright = np.exp(rng.normal(0, 0.2))
        y, x = down - beside, across - along
        u = (x * np.cos(angle) + y * np.sin(angle)) / (own * stretch)
        v = (y * np.cos(angle) - x * np.sin(angle)) * (stretch / own)
        sum_of += bright * np.exp(-0.5 * (u * u + v * v))
    return sum_of
