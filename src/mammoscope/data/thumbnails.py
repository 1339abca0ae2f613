"""Breast thumbnails: small pictures by which one film is recognised in another file, whatever its gain and noise.

A near-duplicate is a pair of films of different patients whose thumbnails correlate at 0.99 or more. Only what is
breast in both counts, else the black surround and the common outline alone make strangers alike: with them, 5 pairs of
the 1,231 mass training films (at 256 px) reach 0.99. Without them no pair of strangers does (0.976 at most), and of
copies with another gain, 1 % of noise and a border of 1 % cut off 99 % do.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np

from mammoscope.data.preprocess import Breast
from mammoscope.vocabulary import Laterality

THUMBNAIL_PX: Final = 128
NEAR_DUPLICATE: Final = 0.99  # correlation from which on two films of different patients are taken for one
# Every pair is looked at on 32 px; those that are alike there are laid over one another at 128 px. Of 757,065 pairs of
# real films some 20 are; a copy with a border of 1 % cut off is.
_GLANCE_PX: Final = 32
_CANDIDATE: Final = 0.93
_BLOCK: Final = 512  # films compared at once with all that follow
_LEAST_OVERLAP: Final = 0.5  # of the larger breast
_BLUR_PX: Final = 1.0  # before correlating: grain, and the half pixel by which a registration may be off


def breast_thumbnail(film: np.ndarray, breast: Breast) -> np.ndarray:
    """uint8 (128, 128): the film at its aspect ratio, chest wall to the left, 0 where there is no breast.

    Inside, 1 to 255 are the film's grey levels between the breast's two percentiles. The frame is the film's, not the
    breast's box, which moves by whole pixels with a little noise. It is made of the coarse view on which the breast was
    found, so no other pixel of the film is touched.
    """
    pixels = np.ascontiguousarray(film[:: breast.step, :: breast.step], dtype=np.float32)
    levels = np.clip((pixels - breast.low) / (breast.high - breast.low), 0, 1)
    scale = THUMBNAIL_PX / max(pixels.shape)
    height, width = (max(1, round(n * scale)) for n in pixels.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    share = cv2.resize(breast.mask.astype(np.float32), (width, height), interpolation=how)
    # averaged over breast pixels alone: a rim that mixes in the surround would draw the outline again
    grey = cv2.resize(levels * breast.mask, (width, height), interpolation=how) / np.maximum(share, 1e-6)
    small = np.where(share >= 0.5, 1 + np.rint(254 * np.clip(grey, 0, 1)), 0).astype(np.uint8)
    thumbnail = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
    row = (THUMBNAIL_PX - height) // 2
    thumbnail[row : row + height, :width] = small[:, ::-1] if breast.chest_wall is Laterality.right else small
    return thumbnail


def near_duplicates(
    thumbnails: np.ndarray, patients: Sequence[str], *, at_least: float = NEAR_DUPLICATE
) -> list[tuple[int, int, float]]:
    """(index, later index, correlation) of films of different patients, the most alike first.

    thumbnails: uint8 (films, 128, 128), as breast_thumbnail makes them; patients: one a film.
    """
    assert len(thumbnails) == len(patients), "a patient a thumbnail"
    found = [
        (one, other, correlation(thumbnails[one], thumbnails[other])) for one, other in _alike(thumbnails, patients)
    ]
    return sorted((pair for pair in found if pair[2] >= at_least), key=lambda pair: (-pair[2], pair[:2]))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of two thumbnails where both are breast, the other laid over the one by an affine map; 0 where none fits."""
    first, second = one.astype(np.float32), other.astype(np.float32)
    inside = (one > 0).astype(np.uint8)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    try:
        _, onto = cv2.findTransformECC(
            first, second, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, inside, 5
        )
    except cv2.error:  # it does not converge: they have nothing in common
        return 0.0
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(second, onto, one.shape, flags=how)
    covered = cv2.warpAffine((other > 0).astype(np.float32), onto, one.shape, flags=how) > 0.999
    # less a pixel: the rim is where the two outlines, not the two breasts, differ
    both = cv2.erode((inside * covered).astype(np.uint8), np.ones((3, 3), np.uint8))
    if both.sum() < _LEAST_OVERLAP * max(inside.sum(), np.count_nonzero(other)):
        return 0.0
    weight = np.maximum(cv2.GaussianBlur(both.astype(np.float32), (0, 0), _BLUR_PX), 1e-6)
    smooth = np.stack([(cv2.GaussianBlur(a * both, (0, 0), _BLUR_PX) / weight)[both > 0] for a in (first, laid)])
    smooth -= smooth.mean(axis=1, keepdims=True)
    length = np.linalg.norm(smooth, axis=1).prod()
    return float(np.clip(smooth[0] @ smooth[1] / length, -1, 1)) if length > 0 else 0.0


def _alike(thumbnails: np.ndarray, patients: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of different patients that correlate well on a coarse view, in the films' order."""
    if not len(thumbnails):
        return
    _, owner = np.unique(np.array(patients), return_inverse=True)
    grey, inside = _glance(thumbnails)
    for start in range(0, len(grey), _BLOCK):
        block = slice(start, start + _BLOCK)
        alike = _masked_correlations(grey[block], inside[block], grey[start:], inside[start:]) >= _CANDIDATE
        alike &= owner[block, None] != owner[None, start:]
        for row, column in np.argwhere(np.triu(alike, k=1)):
            yield int(start + row), int(start + column)


def _glance(thumbnails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 (films, pixels) each: grey levels as means over what is breast, and where there is any."""
    side = THUMBNAIL_PX // _GLANCE_PX
    tiles = thumbnails.reshape(len(thumbnails), _GLANCE_PX, side, _GLANCE_PX, side)
    count = (tiles > 0).sum(axis=(2, 4))
    grey = tiles.sum(axis=(2, 4), dtype=np.float32) / np.maximum(count, 1) / 255
    inside = count * 2 >= side * side
    return (grey * inside).reshape(len(grey), -1).astype(np.float32), inside.reshape(len(grey), -1).astype(np.float32)


def _masked_correlations(a: np.ndarray, in_a: np.ndarray, b: np.ndarray, in_b: np.ndarray) -> np.ndarray:
    """(films of a, films of b): correlations over what is inside in both, 0 where that is too little."""
    shared = in_a @ in_b.T
    count = np.maximum(shared, 1)
    sum_a, sum_b = a @ in_b.T, in_a @ b.T
    covariance = a @ b.T - sum_a * sum_b / count
    spread = ((a * a) @ in_b.T - sum_a**2 / count) * (in_a @ (b * b).T - sum_b**2 / count)
    enough = shared >= _LEAST_OVERLAP * np.maximum(in_a.sum(axis=1)[:, None], in_b.sum(axis=1)[None])
    out: np.ndarray = np.where(enough & (spread > 0), covariance / np.sqrt(np.maximum(spread, 1e-12)), 0)
    return out
