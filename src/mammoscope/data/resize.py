"""Resizing by area, at the speed of memory: every pixel of the film counts as much as every other.

A calcification of 2 px vanishes between the taps of every other filter. OpenCV's own INTER_AREA is as exact, and fast
where the ratio is 2; at 3.99, as a film has it, it takes 30 ms of the 60 in which a film was prepared. So large
reductions go by halves first, and what is left is two sparse products, down the columns and along the rows.
"""

import cv2
import numpy as np
from scipy.sparse import csr_matrix

# The last step reduces by at least half of this, so that the grid of the halves does not beat with that of the output.
_HALVE_FROM = 3.0


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """float32 of `size` (rows, columns): means over areas where that is smaller, else linear interpolation.

    array: (rows, columns) of uint16, which is halved as it is and so rounded to whole grey levels of a film that has
    thousands; any other type is first float32.
    """
    if array.shape == size:
        return array.astype(np.float32, copy=False)
    if array.shape[0] < size[0] or array.shape[1] < size[1]:
        rows, columns = size
        return cv2.resize(array.astype(np.float32, copy=False), (columns, rows), interpolation=cv2.INTER_LINEAR)
    height, width = map(float, array.shape)  # in pixels of the halved array, of which the last may be cut
    while array.dtype == np.uint16 and min(height / size[0], width / size[1]) >= _HALVE_FROM:
        array = _halved(array)
        height, width = height / 2, width / 2
    rows = _areas(height, array.shape[0], size[0]) @ array.astype(np.float32, copy=False)
    return cv2.transpose(_areas(width, array.shape[1], size[1]) @ cv2.transpose(rows))


def _halved(array: np.ndarray) -> np.ndarray:
    """Means of 2 x 2. An odd last row or column is left out: OpenCV is ten times as slow where the ratio is not 2."""
    rows, columns = array.shape[0] // 2, array.shape[1] // 2
    return cv2.resize(array[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)


def _areas(length: float, pixels: int, wanted: int) -> csr_matrix:
    """(wanted, pixels) float32, rows of sum 1: how much of each pixel lies in each of so many equal parts of `length`.

    length: at least `wanted`, and up to a pixel more than `pixels`: what is cut off the last counts as its neighbours.
    """
    edges = np.linspace(0, length, wanted + 1)
    first = np.minimum(edges[:-1].astype(int), pixels - 1)
    reach = int(np.ceil(length / wanted)) + 1  # the most pixels that a part can touch
    touched = first[:, None] + np.arange(reach)
    weights = np.clip(np.minimum(edges[1:, None], touched + 1) - np.maximum(edges[:-1, None], touched), 0, None) * (
        touched < pixels
    )
    weights[:, 0] += weights.sum(axis=1) == 0  # a part that lies wholly in what was cut off
    weights /= weights.sum(axis=1, keepdims=True)
    starts = np.arange(wanted + 1) * reach
    columns = np.minimum(touched, pixels - 1).ravel()
    return csr_matrix((weights.astype(np.float32).ravel(), columns, starts), (wanted, pixels))
