"""A class map as the figure takes it: cropped to the breast, reduced, its windows laid out on a grid."""

import numpy as np

from mammoscope.data.preprocess import HEADROOM, Breast
from mammoscope.inference.sliding import ClassMap
from mammoscope.reporting.figures_class_map import MapLook

LOOK_PX = 480  # rows of a film in the picture, about


def map_look(film: np.ndarray, breast: Breast, rois: np.ndarray, found: ClassMap, caption: str) -> MapLook:
    """film and rois (bool) in the film's coordinates."""
    part = np.s_[breast.top_px : breast.bottom_px, breast.left_px : breast.right_px]
    every = max(1, (breast.bottom_px - breast.top_px) // LOOK_PX)
    levels = film[part][::every, ::every].astype(np.float32)
    first_row, first_column = found.centre_rows.min(), found.centre_columns.min()
    row = np.rint((found.centre_rows - first_row) / found.stride_px).astype(int)
    column = np.rint((found.centre_columns - first_column) / found.stride_px).astype(int)
    malignancy, normality = (np.full((row.max() + 1, column.max() + 1), np.nan) for _ in range(2))
    malignancy[row, column], normality[row, column] = found.malignancy, 1 - found.abnormality
    top = (first_row - found.stride_px / 2 - breast.top_px) / every
    left = (first_column - found.stride_px / 2 - breast.left_px) / every
    side = found.stride_px / every

    def place(window: int) -> tuple[float, float]:
        of_film = found.at(window)
        return (of_film[0] - breast.top_px) / every, (of_film[1] - breast.left_px) / every

    return MapLook(
        film=np.clip(HEADROOM * (levels - breast.low) / (breast.high - breast.low), 0, 1),
        rois=rois[part][::every, ::every],
        malignancy=malignancy,
        normality=normality,
        grid=(left, left + malignancy.shape[1] * side, top + malignancy.shape[0] * side, top),
        malignant_peak=place(int(found.malignancy.argmax())),
        abnormal_peak=place(int(found.abnormality.argmax())),
        caption=caption,
    )
