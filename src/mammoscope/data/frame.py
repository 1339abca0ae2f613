"""What the network sees of a stored image: all of it or, of image.jitter_fraction, a window that may move within it."""

from dataclasses import dataclass

import numpy as np

from mammoscope.config import ImageConfig

Shift = tuple[int, int]  # down and right, in pixels
CENTRE: Shift = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    height_px: int  # of what the network sees
    width_px: int
    margin_px: int = 0  # what the store keeps on each side of the square patch

    @property
    def stored(self) -> tuple[int, int]:
        """(rows, columns) of what lies in the store: with a margin the wider patch alone, without black borders."""
        if not self.margin_px:
            return self.height_px, self.width_px
        return (self._side_px + 2 * self.margin_px,) * 2

    def window(self, stored: np.ndarray, shift: Shift) -> np.ndarray:
        """(height_px, width_px) out of a stored array; `shift` moves the window by up to the margin either way."""
        if not self.margin_px:
            return stored
        top, left = (self.margin_px + by for by in shift)
        return placed(stored[top : top + self._side_px, left : left + self._side_px], (self.height_px, self.width_px))

    def drawn_shift(self, seed: int) -> Shift:
        """Every shift is as likely as every other."""
        if not self.margin_px:
            return CENTRE
        down, right = np.random.default_rng(seed).integers(-self.margin_px, self.margin_px + 1, 2).tolist()
        return down, right

    @property
    def _side_px(self) -> int:
        return min(self.height_px, self.width_px)


def frame_of(image: ImageConfig) -> Frame:
    margin_px = round(image.jitter_fraction * min(image.height_px, image.width_px))
    return Frame(height_px=image.height_px, width_px=image.width_px, margin_px=margin_px)


def placed(array: np.ndarray, shape: tuple[int, int], *, centred: bool = True) -> np.ndarray:
    """In a black frame: in the middle, or against the left edge and in the middle of the height."""
    if array.shape == shape:
        return array
    out = np.zeros(shape, array.dtype)
    top = (shape[0] - array.shape[0]) // 2
    left = (shape[1] - array.shape[1]) // 2 if centred else 0
    out[top : top + array.shape[0], left : left + array.shape[1]] = array
    return out
