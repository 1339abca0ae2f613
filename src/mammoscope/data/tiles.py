"""Pictures of files for a contact sheet: reduced, turned as they hang, ROIs outlined."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mammoscope.collection.hanging import Hung, Turn, turn_by_orientation, turn_by_tissue
from mammoscope.collection.picture_ids import names_part
from mammoscope.data.films import read_mask
from mammoscope.data.preprocess import find_breast
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.headers.lines import HeaderLine
from mammoscope.dicom.shown import show_frame
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.vocabulary import Laterality

_OUTLINE: Final = (255, 176, 0)  # orange with a dark rim: read on white tissue and on black ground by every eye
_RIM: Final = (0, 0, 0)
_LEAST_AT_WALL: Final = 0.15  # of the picture's height that is breast, at the chest wall
_MOST_OPPOSITE: Final = 0.5  # of that, at the other side


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A picture that is wanted."""

    hung: Hung
    height_px: int  # of the box that it has to fit
    width_px: int
    turns: bool = True  # as radiologists hang it; else as it is stored
    frame: int | None = None  # from 1; None: the middle one
    with_header: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    picture: np.ndarray  # uint8 (rows, columns, 3), RGB
    facts: ImageFacts
    turned: str  # how it was turned, and by what; empty where it was not
    notes: tuple[str, ...]  # what else was done to it
    faults: tuple[str, ...]  # what could not be: masks that are not drawn
    header: tuple[HeaderLine, ...]


def draw_tile(asked: Asked) -> Tile | DicomError:
    """The error: why there is no picture."""
    try:
        shown = show_frame(asked.hung.path, asked.frame, with_header=asked.with_header)
    except DicomError as error:
        return error
    picture, notes = _fitted(shown.picture, asked), list(shown.notes)
    picture = _as_rgb(picture)
    outlines = [_outline(picture, mask, shown.picture.shape[:2]) for mask in asked.hung.masks]
    faults = tuple(fault for fault in outlines if fault)
    turn = _turn(asked.hung, shown.picture, notes) if asked.turns else None
    if turn is not None:
        picture = picture[:: -1 if turn.upended else 1, :: -1 if turn.mirrored else 1]
    turned = turn.words if turn is not None else ""
    return Tile(np.ascontiguousarray(picture), shown.facts, turned, tuple(notes), faults, shown.header)


def _fitted(picture: np.ndarray, asked: Asked) -> np.ndarray:
    rows, columns = picture.shape[:2]
    scale = min(asked.height_px / rows, asked.width_px / columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    source = picture.astype(np.float32) if picture.dtype.kind == "f" else picture
    # by area, so that a fine line is not missed; what is enlarged is not smoothed, its pixels are seen
    return cv2.resize(source, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 3:
        return np.ascontiguousarray(picture)
    return cv2.cvtColor(np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def _outline(picture: np.ndarray, path: Path, shape: tuple[int, ...]) -> str:
    """Draws it; returns why not, where it cannot."""
    try:
        mask = read_mask(path)
    except MammoscopeError as error:
        return f"a mask cannot be read: {error.code if isinstance(error, DicomError) else error}"
    if mask.shape != shape:
        return f"a mask has {mask.shape[0]} x {mask.shape[1]} px: not drawn"
    size = picture.shape[1], picture.shape[0]
    how = cv2.INTER_AREA if size[0] < shape[1] else cv2.INTER_NEAREST
    inside = cv2.resize((mask > 0).astype(np.float32), size, interpolation=how) > 0  # any of it: a small ROI is seen
    thickness = max(1, round(max(size) / 900))
    around = cv2.dilate(inside.astype(np.uint8), np.ones((2 * thickness + 3, 2 * thickness + 3), np.uint8))
    contours, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)  # it hides nothing of the ROI
    for colour, width in ((_RIM, thickness + 2), (_OUTLINE, thickness)):
        cv2.drawContours(picture, contours, -1, colour, width)
    return "" if contours else "a mask is empty"


def _turn(hung: Hung, picture: np.ndarray, notes: list[str]) -> Turn | None:
    if hung.card.laterality not in ("R", "L"):
        return None
    if turn := turn_by_orientation(hung.card):
        return turn
    grey = picture if picture.ndim == 2 else picture[..., 1]
    chest_wall = None if names_part(hung.card.patient_id) else _chest_wall(grey)  # where it is, no crop tells
    if chest_wall is None:
        notes.append("as it is stored: nothing tells where the chest wall is")
        return None
    return turn_by_tissue(hung.card.laterality, chest_wall is Laterality.left)


def _chest_wall(grey: np.ndarray) -> Laterality | None:
    """The side of the picture; None where tissue lies at both sides, or at neither, as in a crop."""
    try:
        breast = find_breast(np.asarray(grey, np.float32))
    except MammoscopeError:
        return None
    edge = max(1, breast.mask.shape[1] // 20)
    less, more = sorted((float(breast.mask[:, :edge].mean()), float(breast.mask[:, -edge:].mean())))
    return breast.chest_wall if more > _LEAST_AT_WALL and less < _MOST_OPPOSITE * more else None
