"""What lies on a film and is not the breast: letters, tape, the scanner's border, dust. None of it means anything."""

import cv2
import numpy as np

from mammoscope.vocabulary import Laterality, View

LETTERS, TAPE, BORDER, DUST = 0.55, 0.2, 0.12, 0.5  # shares of the films


def draw_nuisance(rng: np.random.Generator, film: np.ndarray, laterality: Laterality, view: View) -> None:
    """Into a film (rows, columns) from 0, air, to 1, base, in place. Only the scanner's border may cover breast."""
    wanted = rng.random(4) < (LETTERS, TAPE, BORDER, DUST)
    if wanted[0]:
        _letters(rng, film, f"{laterality.value[0].upper()} {view.value}")
    if wanted[1]:
        _tape(rng, film)
    if wanted[2]:
        _border(rng, film)
    if wanted[3]:
        _dust(rng, film)


def _letters(rng: np.random.Generator, film: np.ndarray, text: str) -> None:
    rows = film.shape[0]
    scale, weight = rows / 720 * 0.9, max(1, rows // 240)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, weight)
    sign = np.zeros((2 * height, width + height), np.uint8)
    cv2.putText(sign, text, (height // 2, height * 3 // 2), cv2.FONT_HERSHEY_DUPLEX, scale, 255, weight, cv2.LINE_AA)
    sign = np.rot90(sign, int(rng.choice([0, 0, 1, 3])))
    _lay(rng, film, sign.astype(np.float32) / 255 * rng.uniform(0.55, 0.85))


def _tape(rng: np.random.Generator, film: np.ndarray) -> None:
    rows = film.shape[0]
    strip = np.full((round(rng.uniform(0.02, 0.035) * rows), round(rng.uniform(0.09, 0.16) * rows)), 1, np.float32)
    if rng.random() < 0.5:
        strip = strip.T
    _lay(rng, film, strip * rng.uniform(0.06, 0.16))


def _lay(rng: np.random.Generator, film: np.ndarray, thing: np.ndarray) -> None:
    """Into a corner that shows air, if there is one large enough."""
    height, width = thing.shape
    rows, columns = film.shape
    gap = round(rng.uniform(0.015, 0.05) * rows)
    corners = [(top, left) for top in (gap, rows - gap - height) for left in (gap, columns - gap - width)]
    for index in rng.permutation(len(corners)):
        top, left = corners[index]
        under = film[max(top, 0) : top + height, max(left, 0) : left + width]
        if under.shape == thing.shape and not under.any():
            np.maximum(under, thing, out=under)
            return


def _border(rng: np.random.Generator, film: np.ndarray) -> None:
    """The light box beside the film: a white strip along one edge."""
    width = max(1, round(rng.uniform(0.002, 0.006) * film.shape[0]))
    strip = film[:, :width] if rng.random() < 0.5 else film[:, -width:]
    np.maximum(strip, np.float32(rng.uniform(0.85, 1.0)), out=strip)


def _dust(rng: np.random.Generator, film: np.ndarray) -> None:
    rows, columns = film.shape
    count = int(rng.integers(1, 5))
    at = rng.integers(0, rows, count), rng.integers(0, columns, count)
    film[at] = np.where(film[at] > 0, film[at], np.float32(0.7))
