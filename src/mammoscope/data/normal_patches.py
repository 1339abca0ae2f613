"""Where normal tissue is: windows well inside the breast and away from every ROI that anybody drew on the film.

CBIS-DDSM has no normal cases; these give target=tissue its third class. "Normal" means here: nothing was annotated.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mammoscope.config import ImageConfig
from mammoscope.data.preprocess import Breast, Window, preprocessing_hash
from mammoscope.records import Abnormality, Catalog, Defect, Mammogram

VERSION = 1  # raise it when other places come out: stores follow
INSIDE_FRACTION = 0.75  # of a window that is breast, at least
MARGIN_FRACTION = 0.125  # of the window's side: how far off every ROI stays, since outlines are drawn by hand
APART_FRACTION = 0.5  # of the window's side, between two patches of a film
NO_NORMAL_PATCHES = "no_normal_patches"


@dataclass(frozen=True, slots=True)
class NormalWork:
    """What is needed to cut normal patches of one mammogram."""

    per_image: int
    others: tuple[Abnormality, ...]  # with masks, on the same view of the same breast, stored under the other kind
    is_complete: bool  # whether every abnormality of that view has a mask

    @property
    def fingerprint(self) -> list[float]:
        return [VERSION, INSIDE_FRACTION, MARGIN_FRACTION, APART_FRACTION, self.per_image, float(self.is_complete)]


def plan_normal(catalog: Catalog, per_image: int | None) -> Callable[[Mammogram], NormalWork | None]:
    """For each mammogram its work; None where `per_image` is.

    A film that is stored as Mass- and as Calc- has the ROIs of both: they are matched by patient, laterality and view.
    """
    of_view: dict[tuple[str, str, str], list[Abnormality]] = defaultdict(list)
    for abnormality in catalog.abnormalities:
        of_view[abnormality.patient, abnormality.laterality, abnormality.view].append(abnormality)

    def work_of(mammogram: Mammogram) -> NormalWork | None:
        if per_image is None:
            return None
        known = of_view[mammogram.patient, mammogram.laterality, mammogram.view]
        others = tuple(a for a in known if a.mammogram != mammogram.key and a.mask_path is not None)
        return NormalWork(per_image, others, all(a.mask_path is not None for a in known))

    return work_of


def normal_id(mammogram: Mammogram, number: int) -> str:
    return f"{mammogram.key}_normal_{number}"


def no_normal_patches(mammogram: Mammogram) -> Defect:
    return Defect(
        row=mammogram.key,
        problem=NO_NORMAL_PATCHES,
        found="an abnormality of this view has no usable mask",
        taken_as="a film without normal patches",
        reason="what is annotated where nobody knows may lie in any of them",
    )


def normal_windows(breast: Breast, rois: np.ndarray, image: ImageConfig, count: int, film_hash: str) -> list[Window]:
    """At most `count` windows of image.window_px, on the film, of which none comes near a ROI.

    rois: bool, the union of all, in the film's coordinates. The places are drawn from the preprocessing and the film's
    hash alone: the same whichever film was prepared before, and under whichever kind it is stored.
    """
    assert image.window_px is not None, "checks ask for it"
    inside, offset = breast_shares(breast.mask, breast, image.window_px)
    # training may move a patch by its jitter, and must not come near a ROI then either
    reach = _blocks(round((MARGIN_FRACTION + image.jitter_fraction) * image.window_px), breast)
    near = cv2.dilate(_any_in_block(rois, breast), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    near_shares, _ = breast_shares(near > 0, breast, image.window_px)
    places = np.argwhere((inside >= INSIDE_FRACTION) & (near_shares == 0))
    apart = APART_FRACTION * _blocks(image.window_px, breast)
    rng = np.random.default_rng(_seed(film_hash, image))
    windows: list[Window] = []
    while len(places) and len(windows) < count:
        place = places[rng.integers(len(places))]
        top, left = ((place - offset) * breast.step).tolist()
        windows.append(square(top, left, image.window_px))
        places = places[np.abs(places - place).max(axis=1) >= apart]
    return windows


def square(top_px: int, left_px: int, side_px: int) -> Window:
    return Window(top_px=top_px, left_px=left_px, height_px=side_px, width_px=side_px)


def breast_shares(coarse: np.ndarray, breast: Breast, window_px: int) -> tuple[np.ndarray, int]:
    """Which share of a window lies in the coarse mask, for windows that begin at every block of the coarse view.

    Also for windows that reach over the film's edge, as those around ROIs at the chest wall do: row and column 0 are
    for a window that begins so many blocks outside as the second value says.
    """
    side = _blocks(window_px, breast)
    offset = side // 2
    sums = cv2.integral(np.pad(coarse, offset).astype(np.uint8)).astype(np.float64)
    inner: np.ndarray = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inner / side**2, offset


def _blocks(length_px: int, breast: Breast) -> int:
    """How many pixels of the coarse view a length touches that begins with one."""
    return -(-length_px // breast.step)


def _any_in_block(rois: np.ndarray, breast: Breast) -> np.ndarray:
    """uint8, as large as the coarse view: 1 where any pixel of the block is in a ROI."""
    step, shape = breast.step, breast.mask.shape
    padded = np.zeros((shape[0] * step, shape[1] * step), bool)
    padded[: rois.shape[0], : rois.shape[1]] = rois
    blocks = padded.astype(np.uint8).reshape(shape[0], step, shape[1], step)
    highest: np.ndarray = blocks.max(axis=(1, 3))
    return highest


def _seed(film_hash: str, image: ImageConfig) -> int:
    text = f"{VERSION}/{preprocessing_hash(image)}/{film_hash}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
