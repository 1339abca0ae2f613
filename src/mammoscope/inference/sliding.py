"""A model of patches over a whole mammogram: what it says of every place, and what that says of the image.

Windows are cut by the very function that cut the patches of training, at the same side in film pixels, so that scale
and preprocessing are one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mammoscope.config import ImageConfig
from mammoscope.data.normal_patches import INSIDE_FRACTION, breast_shares, square
from mammoscope.data.preprocess import Breast, Window, prepare_window
from mammoscope.vocabulary import MALIGNANT_CLASSES, NORMAL

STRIDE_FRACTION = 0.25  # of the window's side: the centre of a ROI is never further than an eighth from a window's

Score = Callable[[np.ndarray], np.ndarray]  # uint16 (n, height_px, width_px) -> probabilities (n, classes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassMap:
    """What a model says of the windows of one film, in film pixels. Columns are equally long."""

    names: tuple[str, ...]
    window_px: int
    stride_px: int
    centre_rows: np.ndarray  # float64
    centre_columns: np.ndarray
    probabilities: np.ndarray  # float64 (windows, classes)
    brightness: np.ndarray  # float64: mean grey of the tissue in the window, which needs no model

    @property
    def abnormality(self) -> np.ndarray:
        """1 - P(normal), (windows,)."""
        return 1 - self.probabilities[:, self.names.index(NORMAL)]

    @property
    def malignancy(self) -> np.ndarray:
        """Sum over the malignant classes, (windows,)."""
        return self.probabilities[:, _malignant(self.names)].sum(axis=1)

    def at(self, window: int) -> tuple[int, int]:
        """The centre of a window, (row, column)."""
        return round(float(self.centre_rows[window])), round(float(self.centre_columns[window]))


def slide(film: np.ndarray, breast: Breast, image: ImageConfig, names: tuple[str, ...], score: Score) -> ClassMap:
    """`film` as the reader gives it, `names` the model's classes."""
    window_px = image.window_px
    assert window_px is not None, "a model that slides was trained on windows of one side"
    image = replace(image, jitter_fraction=0)  # what training may move to lies around its patches, and not here
    windows = list(sliding_windows(breast, window_px))
    images = np.stack([prepare_window(film, breast, window, image).image for window in windows])
    return ClassMap(
        names=names,
        window_px=window_px,
        stride_px=_stride(window_px),
        centre_rows=np.array([window.top_px + window_px / 2 for window in windows]),
        centre_columns=np.array([window.left_px + window_px / 2 for window in windows]),
        probabilities=score(images),
        brightness=np.array([one[one > 0].mean() if one.any() else 0.0 for one in images]),
    )


def sliding_windows(breast: Breast, window_px: int) -> Iterator[Window]:
    """Row by row: those of which as much is breast as of a normal patch; of a breast that is smaller, the fullest."""
    shares, offset = breast_shares(breast.mask, breast, window_px)
    least = min(INSIDE_FRACTION, float(shares.max()))
    reach, stride = window_px // 2, _stride(window_px)
    for top in range(breast.top_px - reach, breast.bottom_px, stride):
        for left in range(breast.left_px - reach, breast.right_px, stride):
            row, column = (round(place / breast.step) + offset for place in (top, left))
            if 0 <= row < shares.shape[0] and 0 <= column < shares.shape[1] and shares[row, column] >= least:
                yield square(top, left, window_px)


def image_probabilities(found: ClassMap) -> np.ndarray:
    """Float64 (classes,), adding up to 1. An image is as normal as its least normal window, as malignant as its most
    malignant one, and what is left is benign.

    Where there are several malignant or benign classes, they share as in the most malignant, the least normal window.
    """
    normal, malignant = found.names.index(NORMAL), _malignant(found.names)
    benign = [number for number in range(len(found.names)) if number != normal and number not in malignant]
    least_normal, most_malignant = int(found.abnormality.argmax()), int(found.malignancy.argmax())
    of_image = np.zeros(len(found.names))
    of_image[normal] = found.probabilities[least_normal, normal]
    of_image[malignant] = found.probabilities[most_malignant, malignant]
    left = max(0.0, 1 - of_image.sum())  # never less but for rounding: the most malignant is no less abnormal
    of_image[benign] = left * _shares(found.probabilities[least_normal, benign])
    return of_image / of_image.sum()


def _shares(weights: np.ndarray) -> np.ndarray:
    total = float(weights.sum())
    return np.full(len(weights), 1 / len(weights)) if total <= 0 else weights / total


def _malignant(names: Sequence[str]) -> list[int]:
    return [number for number, name in enumerate(names) if name in MALIGNANT_CLASSES]


def _stride(window_px: int) -> int:
    return max(1, round(STRIDE_FRACTION * window_px))
