"""A contact sheet as a picture: dark, as mammograms are read."""

import gc
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mammoscope.collection.hanging import Hung
from mammoscope.data.tiles import Tile
from mammoscope.dicom.headers.lines import plain
from mammoscope.errors import DicomError
from mammoscope.reporting.figures_style import blank_figure
from mammoscope.reporting.sheet import Drawn, facts_text, how_hung, how_stored, missing_text, panel_title, place_text
from mammoscope.vocabulary import RESEARCH_USE_ONLY

PANELS: Final = 4  # a page
_PAPER, _BOX, _BRIGHT, _DIM = "#0E1013", "#000000", "#F2F4F6", "#9AA4AF"
_FAINT, _BAD = "#5A6470", "#FF8A80"
_MARGIN, _GAP, _MIDDLE, _HEAD, _FOOT = 36, 44, 6, 92, 76  # px
_TITLE, _CAPTION, _LINE, _LETTER = 40, 84, 19, 8.6  # px: height of a panel's title and of a caption; a line; a letter
_SMALL_PT, _BODY_PT, _HEADING_PT = 6.6, 8.0, 11.0


@dataclass(frozen=True, slots=True)
class Boxes:
    """How large the boxes are that pictures fit in: fewer panels have larger ones."""

    height_px: int
    width_px: int


ALONE: Final = Boxes(1600, 1600)  # for one picture: a screen shows no more


def boxes_for(panels: int) -> Boxes:
    return Boxes(760, 640) if panels == 1 else Boxes(470, 392)


def sheet_figure(panels: Sequence[Drawn], boxes: Boxes, heading: str, page: str) -> Figure:
    """panels: 1 to PANELS, their pictures drawn to fit `boxes`. page: which of how many, or empty."""
    across = min(2, len(panels))
    lines = [panels[start : start + across] for start in range(0, len(panels), across)]
    heights = [_TITLE + max(len(drawn.panel.rows) for drawn in line) * (boxes.height_px + _CAPTION) for line in lines]
    panel_width = 2 * boxes.width_px + _MIDDLE
    width = 2 * _MARGIN + across * panel_width + (across - 1) * _GAP
    canvas = _Canvas(width, _HEAD + sum(heights) + _FOOT)
    canvas.head(heading)
    canvas.write(_MARGIN, 60, how_hung(panels), _SMALL_PT, colour=_DIM)
    canvas.write(_MARGIN, canvas.height - 46, RESEARCH_USE_ONLY, _BODY_PT, colour=_DIM)
    canvas.write(width - _MARGIN, canvas.height - 46, page, _BODY_PT, colour=_DIM, align="right")
    top = _HEAD
    for line, height in zip(lines, heights, strict=True):
        for column, drawn in enumerate(line):
            _draw_panel(canvas, drawn, boxes, _MARGIN + column * (panel_width + _GAP), top)
        top += height
    return canvas.figure


def write_png(figure: Figure, path: Path) -> None:
    """And lets go of it at once: figures hold themselves in cycles, and 173 pages of them were half a gigabyte."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it draws a box for the letter
        figure.savefig(path, format="png")
    figure.clear()
    gc.collect()


def picture_figure(hung: Hung, tile: Tile, heading: str) -> Figure:
    """One picture as it is stored, and beside it nothing but what was done to it."""
    height, width = tile.picture.shape[:2]
    canvas = _Canvas(max(width, _LEAST_WIDTH) + 2 * _MARGIN, _HEAD + height + _CAPTION + _FOOT)
    canvas.head(heading)
    canvas.write(_MARGIN, 60, how_stored(hung), _SMALL_PT, colour=_DIM)
    canvas.paste(tile.picture, (canvas.width - width) // 2, _HEAD)
    _write_caption(canvas, hung, tile, canvas.width - 2 * _MARGIN, _MARGIN, _HEAD + height + 6)
    canvas.write(_MARGIN, canvas.height - 46, RESEARCH_USE_ONLY, _BODY_PT, colour=_DIM)
    return canvas.figure


_LEAST_WIDTH: Final = 700


class _Canvas:
    """Writes in px from the upper left corner."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self.figure = blank_figure(width, height)
        self.figure.set_facecolor(_PAPER)

    def write(
        self,
        left: float,
        top: float,
        words: str,
        size_pt: float,
        *,
        colour: str = _BRIGHT,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        at = left / self.width, 1 - top / self.height
        shown = words.replace("$", r"\$")  # else it begins a formula
        self.figure.text(*at, shown, size=size_pt, color=colour, weight=weight, ha=align, va="top", linespacing=1.25)

    def head(self, words: str) -> None:
        shown = textwrap.shorten(words, int((self.width - 2 * _MARGIN) / 17), placeholder=" ...")
        self.write(_MARGIN, 26, shown, _HEADING_PT, weight="bold")

    def paste(self, picture: np.ndarray, left: int, top: int) -> None:
        """Pixel for pixel."""
        up = self.height - top - picture.shape[0]
        self.figure.figimage(picture, left, up, origin="upper", resize=False)

    def box(self, left: float, top: float, width: float, height: float) -> None:
        corner = left / self.width, 1 - (top + height) / self.height
        size = width / self.width, height / self.height
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, color=_BOX, zorder=-1))


def _draw_panel(canvas: _Canvas, drawn: Drawn, boxes: Boxes, left: int, top: int) -> None:
    title = textwrap.shorten(plain(panel_title(drawn.panel)), int(2 * boxes.width_px / 13), placeholder=" ...")
    canvas.write(left, top + 8, title, _BODY_PT + 1, weight="bold")
    for number, row in enumerate(drawn.panel.rows):
        down = top + _TITLE + number * (boxes.height_px + _CAPTION)
        for column, hung in enumerate((row.right, row.left)):
            across = left + column * (boxes.width_px + _MIDDLE)
            missing = missing_text(row, "RL"[column])
            if hung is None and not missing:
                continue
            canvas.box(across, down, boxes.width_px, boxes.height_px)
            if hung is None:
                middle = across + boxes.width_px // 2, down + boxes.height_px // 2
                canvas.write(*middle, missing, _SMALL_PT, colour=_FAINT, align="center")
                continue
            _write_caption(canvas, hung, drawn.tiles[hung.path], boxes.width_px, across, down + boxes.height_px + 6)
            if isinstance(tile := drawn.tiles[hung.path], Tile):
                spare = boxes.width_px - tile.picture.shape[1]
                # towards the middle, where the chest walls meet; without a place of its own, in the middle of its box
                shift = spare // 2 if not row.view else (spare, 0)[column]
                canvas.paste(tile.picture, across + shift, down + (boxes.height_px - tile.picture.shape[0]) // 2)


def _write_caption(
    canvas: _Canvas, hung: Hung, tile: Tile | DicomError, width: float, left: float, top: float, lines: int = 3
) -> None:
    name = textwrap.shorten(plain(place_text(hung)), 40, placeholder="...")
    canvas.write(left, top, name, _SMALL_PT + 0.6, weight="bold")
    words = textwrap.wrap(plain(facts_text(hung, tile)), int(width / _LETTER), max_lines=lines, placeholder=" ...")
    colour = _BAD if isinstance(tile, DicomError) else _DIM
    canvas.write(left, top + _LINE, "\n".join(words), _SMALL_PT, colour=colour)
