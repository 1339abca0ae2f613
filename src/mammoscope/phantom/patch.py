"""What an abnormality adds to a film, and how it gets there."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Patch:
    """Equally large arrays whose first pixel lies at (top, left) of the film; they may reach over its edge."""

    top: int
    left: int
    added: np.ndarray  # float32: transmission to add
    cover: np.ndarray  # float32, 0 to 1: how much of the tissue under it gives way to its local mean
    roi: np.ndarray  # bool: what the radiologist outlined


def grid(centre: tuple[float, float], reach_px: float) -> tuple[int, int, np.ndarray, np.ndarray]:
    """(top, left, down, across): the pixels within reach, down and across their distances from the centre in px."""
    top, left = int(np.floor(centre[0] - reach_px)), int(np.floor(centre[1] - reach_px))
    side = int(np.ceil(2 * reach_px)) + 1
    down = (top + np.arange(side) - centre[0]).astype(np.float32)[:, None]
    across = (left + np.arange(side) - centre[1]).astype(np.float32)[None]
    return top, left, np.broadcast_to(down, (side, side)), np.broadcast_to(across, (side, side))


def blend(tissue: np.ndarray, patch: Patch) -> None:
    """Draw the patch into the tissue, in place."""
    film, inner = _overlap(tissue.shape, patch)
    under, cover = tissue[film], patch.cover[inner]
    mean = float((under * cover).sum() / max(float(cover.sum()), 1e-6))
    tissue[film] = under + cover * (mean - under) + patch.added[inner]


def roi_mask(shape: tuple[int, int], patch: Patch) -> np.ndarray:
    """uint8 (rows, columns), 0 or 255, in the film's coordinates."""
    mask = np.zeros(shape, np.uint8)
    film, inner = _overlap(shape, patch)
    mask[film] = patch.roi[inner] * np.uint8(255)
    return mask


def _overlap(shape: tuple[int, int], patch: Patch) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    film, inner = [], []
    for start, size, limit in zip((patch.top, patch.left), patch.roi.shape, shape, strict=True):
        first, last = max(start, 0), min(start + size, limit)
        film.append(slice(first, last))
        inner.append(slice(first - start, last - start))
    return (film[0], film[1]), (inner[0], inner[1])
