"""One preprocessing for train, evaluate and serve: film in, what the network sees out. Pure functions on arrays.

Order (docs/ARCHITECTURE.md): the breast is found on a coarse view of the film; the wanted part is cut and resized by
area at the film's own bit depth; only then grey levels are scaled and everything outside the breast is blanked. So
no level is lost before the resize, and a 26 MB film is touched once.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np

from mammoscope.config import ImageConfig
from mammoscope.data.frame import frame_of, placed
from mammoscope.data.resize import resized
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import ImageVariant, Laterality

VERSION = 2  # raise it when the numbers that come out change: the hash, the store and the model package follow
COARSE_PX = 512  # the longer side of the view on which the breast is found
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.9
# The high percentile maps to 0.8, not 1: calcifications are brighter than it and must not saturate into one another.
HEADROOM = 0.8
FULL_SCALE = 65535


@dataclass(frozen=True, slots=True)
class Breast:
    """Where the breast lies. `mask` is the coarse view: one pixel for `step` x `step` pixels of the film."""

    mask: np.ndarray  # bool
    step: int
    top_px: int
    bottom_px: int  # exclusive
    left_px: int
    right_px: int  # exclusive
    chest_wall: Laterality  # the side of the picture (not of the body) on which the breast meets the film's edge
    low: float  # grey levels of the film at the two percentiles inside the breast
    high: float


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a film that becomes the image, in film pixels; it may reach over the film's edge (roi)."""

    top_px: int
    left_px: int
    height_px: int
    width_px: int


@dataclass(frozen=True, slots=True)
class Prepared:
    image: np.ndarray  # uint16 (height_px, width_px): 0 outside the breast, 65535 at the top of the headroom
    mask: np.ndarray  # bool, same shape: the ROI
    window: Window
    mirrored: bool
    enlarged: float  # output pixels per film pixel; above 1 the film had fewer pixels than were asked for


def preprocessing_hash(image: ImageConfig) -> str:
    """Names everything that decides the pixels: two stores or models that share it saw the same preprocessing."""
    facts = {"version": VERSION, "levels": [LOW_PERCENTILE, HIGH_PERCENTILE, HEADROOM], **asdict(image)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def find_breast(film: np.ndarray) -> Breast:
    """The largest bright component of a film (rows, columns), bright meaning breast (MONOCHROME2 sense).

    Raises MammoscopeError where nothing on the film stands out from the background.
    """
    step = max(1, max(film.shape) // COARSE_PX)
    coarse = np.ascontiguousarray(film[::step, ::step])
    mask = _largest_component(_bright(coarse))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise MammoscopeError("no breast found: nothing on the film stands out from its background")
    low, high = _percentiles(coarse[mask], LOW_PERCENTILE, HIGH_PERCENTILE)
    edge = max(1, mask.shape[1] // 20)
    on_left = mask[:, :edge].sum() >= mask[:, -edge:].sum()
    return Breast(
        mask=mask,
        step=step,
        top_px=int(rows[0]) * step,
        bottom_px=min(film.shape[0], (int(rows[-1]) + 1) * step),
        left_px=int(columns[0]) * step,
        right_px=min(film.shape[1], (int(columns[-1]) + 1) * step),
        chest_wall=Laterality.left if on_left else Laterality.right,
        low=low,
        high=max(high, low + 1),
    )


def _percentiles(levels: np.ndarray, *percents: float) -> list[float]:
    """numpy's, by counting where levels are whole numbers: a third of the time that selecting takes."""
    if levels.dtype.kind != "u":
        return np.percentile(levels, percents).tolist()
    below = np.cumsum(np.bincount(levels.ravel()))
    at, part = np.divmod(np.array(percents) / 100 * (levels.size - 1), 1)
    lower, upper = (np.searchsorted(below, place, side="right") for place in (at, np.minimum(at + 1, levels.size - 1)))
    return (lower + part * (upper - lower)).tolist()


def _bright(coarse: np.ndarray) -> np.ndarray:
    # Otsu on the square root: on the grey levels themselves it separates dense from fatty tissue, not tissue from air.
    low, high = _percentiles(coarse, 0.1, 99.0)
    if high <= low:
        return np.zeros(coarse.shape, bool)
    levels = (coarse.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    eight_bit = (255 * np.sqrt(np.clip(levels, 0, 1))).astype(np.uint8)
    _, bright = cv2.threshold(cv2.GaussianBlur(eight_bit, (5, 5), 0), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return bright > 0


def _largest_component(bright: np.ndarray) -> np.ndarray:
    # Opening with a black surround takes the scanner's white borders and threads of tape off the breast.
    reach = max(3, max(bright.shape) // 64) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    padded = cv2.copyMakeBorder(bright.astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)[reach:-reach, reach:-reach]
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = np.zeros(bright.shape, np.uint8)
    if outlines:
        cv2.drawContours(largest, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)  # holes are breast too
    return cv2.dilate(largest, kernel) > 0  # the skin line is darker than the threshold


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of a bool mask in pixels, bottom and right exclusive. Raises where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise MammoscopeError("the ROI mask is empty")
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def roi_window(box: tuple[int, int, int, int], context: float | None, window_px: int | None = None) -> Window:
    """The square around the box's centre: its side is `window_px`, else `context` times the box's longer side."""
    top, left, bottom, right = box
    if window_px is None:
        assert context is not None, "checks ask for one of the two"
        window_px = max(1, round(context * max(bottom - top, right - left)))
    side = window_px
    return Window(
        top_px=round((top + bottom - side) / 2), left_px=round((left + right - side) / 2), height_px=side, width_px=side
    )


def prepare_roi(film: np.ndarray, breast: Breast, mask: np.ndarray, image: ImageConfig) -> Prepared:
    """One abnormality's patch, re-cut from the full film: `mask` is its ROI, bool, in the film's coordinates."""
    return prepare_patch(film, breast, mask, roi_window(mask_box(mask), image.context, image.window_px), image)


def prepare_patch(
    film: np.ndarray, breast: Breast, mask: np.ndarray | None, window: Window, image: ImageConfig
) -> Prepared:
    """A square window of the film as a store keeps it: with image.jitter_fraction, and what lies around it.

    The centre is then what the window would be by itself, but for resampling: the wider window is resized as one, and
    its margin is a whole number of film pixels.
    """
    frame = frame_of(image)
    if not frame.margin_px:
        return _cut(film, breast, mask, window, image)
    around = round(frame.margin_px * window.height_px / min(image.height_px, image.width_px))
    wide = Window(
        top_px=window.top_px - around,
        left_px=window.left_px - around,
        height_px=window.height_px + 2 * around,
        width_px=window.width_px + 2 * around,
    )
    height_px, width_px = frame.stored
    return replace(
        _cut(film, breast, mask, wide, replace(image, height_px=height_px, width_px=width_px)), window=window
    )


def prepare_window(film: np.ndarray, breast: Breast, window: Window, image: ImageConfig) -> Prepared:
    """Any part of a film as a network sees it, which never moves: windows that slide."""
    return _cut(film, breast, None, window, image)


def prepare_released(crop: np.ndarray, white: float, mirrored: bool, image: ImageConfig) -> Prepared:
    """A patch as it was published, (rows, columns) grey with 0 black and `white` white; its levels stay what they are.

    Where its ROI lies is not known, so the mask is empty; the window counts from the crop's own corner.
    """
    window = Window(top_px=0, left_px=0, height_px=crop.shape[0], width_px=crop.shape[1])
    scale, size = _fitted(window, image)
    levels = np.clip(resized(crop, size) / white, 0, 1)
    grey = np.rint(levels * FULL_SCALE).astype(np.uint16)
    shape = (image.height_px, image.width_px)
    seen = placed(grey[:, ::-1] if mirrored else grey, shape)
    return Prepared(seen, np.zeros(shape, bool), window, mirrored, scale)


def prepare_full(film: np.ndarray, breast: Breast, mask: np.ndarray | None, image: ImageConfig) -> Prepared:
    """The whole breast; `mask` is the union of its ROIs, or None where none is known."""
    window = Window(
        top_px=breast.top_px,
        left_px=breast.left_px,
        height_px=breast.bottom_px - breast.top_px,
        width_px=breast.right_px - breast.left_px,
    )
    return _cut(film, breast, mask, window, image)


def _cut(film: np.ndarray, breast: Breast, mask: np.ndarray | None, window: Window, image: ImageConfig) -> Prepared:
    scale, size = _fitted(window, image)
    mirrored = breast.chest_wall is Laterality.right
    inside = resized(_coarse_crop(breast, window), size) >= 0.5
    roi = np.zeros(size, bool) if mask is None else _resized_mask(_crop(mask, window), size)
    grey = _levels(resized(_crop(film, window), size), breast)
    grey *= inside | roi
    if mirrored:
        grey, roi = grey[:, ::-1], roi[:, ::-1]
    shape = (image.height_px, image.width_px)
    centred = image.name is ImageVariant.roi
    return Prepared(placed(grey, shape, centred=centred), placed(roi, shape, centred=centred), window, mirrored, scale)


def _levels(pixels: np.ndarray, breast: Breast) -> np.ndarray:
    """uint16, 0 to 65535 between the breast's low level and the top of the headroom; in place: six times as fast."""
    levels = pixels - np.float32(breast.low)
    levels *= np.float32(HEADROOM)
    levels /= np.float32(breast.high - breast.low)
    np.clip(levels, 0, 1, out=levels)
    levels *= np.float32(FULL_SCALE)
    return np.rint(levels, out=levels).astype(np.uint16)


def _fitted(window: Window, image: ImageConfig) -> tuple[float, tuple[int, int]]:
    """Output pixels per film pixel, and the (rows, columns) that the window becomes within the image."""
    scale = min(image.height_px / window.height_px, image.width_px / window.width_px)
    return scale, (max(1, round(window.height_px * scale)), max(1, round(window.width_px * scale)))


def _crop(array: np.ndarray, window: Window) -> np.ndarray:
    """The window out of the array, 0 where it reaches over the edge; a view where it does not."""
    top, left = max(window.top_px, 0), max(window.left_px, 0)
    bottom = min(window.top_px + window.height_px, array.shape[0])
    right = min(window.left_px + window.width_px, array.shape[1])
    inner = array[top:bottom, left:right]
    if inner.shape == (window.height_px, window.width_px):
        return inner
    out = np.zeros((window.height_px, window.width_px), array.dtype)
    row, column = top - window.top_px, left - window.left_px
    out[row : row + inner.shape[0], column : column + inner.shape[1]] = inner
    return out


def _coarse_crop(breast: Breast, window: Window) -> np.ndarray:
    """The breast's coarse mask under the window, as float32 at one value per `step` pixels or finer."""
    step = breast.step
    rows = np.arange(max(1, -(-window.height_px // step))) * step + window.top_px
    columns = np.arange(max(1, -(-window.width_px // step))) * step + window.left_px
    row, column = rows // step, columns // step
    height, width = breast.mask.shape
    inside = breast.mask.take(row, axis=0, mode="clip").take(column, axis=1, mode="clip").astype(np.float32)
    inside[(row < 0) | (row >= height)] = 0
    inside[:, (column < 0) | (column >= width)] = 0
    return inside


def _resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return resized(np.multiply(mask, FULL_SCALE, dtype=np.uint16), size) >= FULL_SCALE / 2
