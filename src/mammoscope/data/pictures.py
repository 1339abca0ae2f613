"""Small pictures of films and masks, for a person to see what is wrong with them."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mammoscope.data.films import read_mask, read_source_film
from mammoscope.data.preprocess import find_breast
from mammoscope.errors import MammoscopeError

HEIGHT_PX = 260
_OUTLINE = (0, 158, 230)  # blue, green, red: orange, which is told from grey by everyone
_PAPER = 40  # grey of what is drawn around a mask, so that its edge is seen


def picture_of_film(root: Path, path: str, masks: Sequence[str] = ()) -> bytes | None:
    """PNG of a film as it lies in its file, with the outlines of the masks that fit it; None where it cannot be read.

    It is not turned and nothing is blanked: what was scanned is shown.
    """
    try:
        image = read_source_film(root / path).image
    except MammoscopeError:
        return None
    try:
        breast = find_breast(image)
        low, high = breast.low, breast.high
    except MammoscopeError:
        low, high = float(image.min()), float(image.max())
    grey = (255 * np.clip((_shrunk(image) - low) / max(high - low, 1), 0, 1)).astype(np.uint8)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for mask in masks:
        _outline(picture, root / mask, image.shape)
    return _png(picture)


def picture_of_mask(root: Path, path: str) -> bytes | None:
    """PNG of the stored values, spread over all greys and framed; None where it cannot be read."""
    try:
        pixels = read_mask(root / path)
    except MammoscopeError:
        return None
    shown = _shrunk(pixels.astype(np.float32))
    grey = (255 * shown / max(float(pixels.max()), 1)).astype(np.uint8)
    return _png(cv2.copyMakeBorder(grey, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=_PAPER))


def _outline(picture: np.ndarray, path: Path, shape: tuple[int, ...]) -> None:
    try:
        mask = read_mask(path)
    except MammoscopeError:
        return
    if mask.shape == shape:
        inside = (_shrunk((mask > 0).astype(np.float32)) > 0).astype(np.uint8)  # any of it: a small ROI stays visible
        contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, _OUTLINE, 1)


def _shrunk(image: np.ndarray) -> np.ndarray:
    scale = HEIGHT_PX / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), HEIGHT_PX)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)


def _png(picture: np.ndarray) -> bytes:
    is_written, data = cv2.imencode(".png", picture)
    assert is_written, "an array of 8 bits can be a PNG"
    return data.tobytes()
