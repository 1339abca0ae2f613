"""Breast parenchyma as noise. Its power spectrum falls as 1/f^3 (Burgess, Med Phys 2001;28:419)."""

from functools import lru_cache

import cv2
import numpy as np
from scipy import fft

EXPONENT = 3.0
LOWEST = 2.0  # cycles per film height; below it the spectrum is flat, so that no film is all slope


@lru_cache(maxsize=4)
def _amplitude(shape: tuple[int, int]) -> np.ndarray:
    """Root of the power spectrum, float32, scaled so that the noise it shapes has variance 1."""
    rows, columns = shape
    down, across = fft.fftfreq(rows) * rows, fft.fftfreq(columns) * rows
    frequency = np.hypot(down[:, None], across[None])
    amplitude = np.maximum(frequency, LOWEST) ** (-EXPONENT / 2)
    amplitude[0, 0] = 0
    return (amplitude * amplitude.size / np.sqrt((amplitude**2).sum())).astype(np.float32)


def draw_fields(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two independent fields, float32 (rows, columns), mean 0, variance about 1: one complex transform gives both."""
    white = rng.standard_normal((*shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    noise = fft.ifft2(white * _amplitude(shape), workers=1, overwrite_x=True)
    return noise.real, noise.imag


def fan_out(field: np.ndarray, nipple: tuple[float, float], stretch: float) -> np.ndarray:
    """The field drawn out along the lines that run together at the nipple, as ducts and ligaments do."""
    rows, columns = field.shape
    step = max(1, rows // 60)  # the map is smooth: a coarse one, enlarged, is as good
    down = np.arange(0, rows + step, step, dtype=np.float32)[:, None] - nipple[0]
    across = np.arange(0, columns + step, step, dtype=np.float32)[None] - nipple[1] - 0.25 * rows
    radius, angle = np.hypot(down, across), np.arctan2(down, -across)
    size = (radius.shape[1] * step, radius.shape[0] * step)
    at_column = cv2.resize(radius / stretch, size, interpolation=cv2.INTER_LINEAR)[:rows, :columns]
    at_row = cv2.resize(angle * (0.55 * rows), size, interpolation=cv2.INTER_LINEAR)[:rows, :columns]
    return cv2.remap(field, at_column, at_row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def draw_strands(
    rng: np.random.Generator, shape: tuple[int, int], nipple: tuple[float, float], count: int
) -> np.ndarray:
    """Thin curved lines, float32 0 to 1, that run mostly towards the nipple: ducts, ligaments and vessels."""
    rows = shape[0]
    start = rng.uniform((0, 0), (rows, nipple[1]), (count, 2))
    heading = np.arctan2(nipple[0] - start[:, 0], nipple[1] + 0.1 * rows - start[:, 1]) + rng.normal(0, 0.45, count)
    bend, length = rng.normal(0, 0.06, (count, 1)), rng.uniform(0.05, 0.3, (count, 1)) * rows
    steps = np.arange(24) / 24
    wander = np.cumsum(rng.normal(0, 0.09, (count, 24)), axis=1)
    angle = heading[:, None] + bend * 24 * steps + wander
    path = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * (length / 24)[..., None]
    path = np.cumsum(path, axis=1) + start[:, None, ::-1]
    return _stroke(path, rng.uniform(60, 255, count), shape)


def _stroke(paths: np.ndarray, brightness: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """paths: (count, points, 2) as column, row in px."""
    canvas = np.zeros(shape, np.uint8)
    fixed = np.rint(paths * 16).astype(np.int32)
    for path, grey in zip(fixed, brightness, strict=True):
        cv2.polylines(canvas, [path], False, int(grey), max(1, round(shape[0] / 600)), cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), max(0.6, 0.0011 * shape[0])).astype(np.float32) / 255
