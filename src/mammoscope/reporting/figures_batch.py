"""What the network sees: a batch as it is handed over, with the ROIs that it is not told of."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscope.errors import MammoscopeError
from mammoscope.reporting.figures_style import INK, blank_figure, place_axes, write_footer, write_heading

WIDTH_PX, MARGIN_PX, GAP_PX, HEAD_PX, FOOT_PX = 1600, 36, 16, 116, 80
CAPTION_PT, LINE_PX, LETTER_PX = 7.0, 20, 9.6  # the height of a line, and the width of a broad letter
COLUMNS_FOR = ((4, 8), (6, 12), (8, 32))  # so many columns suit up to so many tiles
TILES_MAX = 32
OUTLINE_COLOUR = "#FFB000"  # with a dark rim it reads on white tissue and on black ground, and without colour vision
GREY_PERCENTILES = (0.1, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Where the tiles lie, in px from the figure's lower left corner."""

    tiles: int
    columns: int
    tile_width: float
    tile_height: float
    caption_height: float

    @property
    def height(self) -> float:
        return HEAD_PX + math.ceil(self.tiles / self.columns) * (self.tile_height + self.caption_height) + FOOT_PX

    def axes(self, figure: Figure, tile: int) -> Axes:
        row, column = divmod(tile, self.columns)
        return place_axes(
            figure,
            left_px=MARGIN_PX + column * (self.tile_width + GAP_PX),
            bottom_px=self.height - HEAD_PX - self.tile_height - row * (self.tile_height + self.caption_height),
            width_px=self.tile_width,
            height_px=self.tile_height,
        )


def batch_figure(images: np.ndarray, masks: np.ndarray, captions: Sequence[str], title: str) -> Figure:
    """A grid of the first 32 of the batch at most, on one grey scale, so that their brightness can be compared.

    Args: images (n, height, width) float or uint16; masks (n, height, width) bool, a sample's ROIs in the image's own
    coordinates, all False where it has none; captions (n,).

    Raises MammoscopeError where the three do not fit together.
    """
    _refuse_misfits(images, masks, captions)
    tiles = min(len(images), TILES_MAX)
    columns = next(columns for columns, most in COLUMNS_FOR if tiles <= most)
    tile_px = (WIDTH_PX - 2 * MARGIN_PX - (columns - 1) * GAP_PX) / columns
    labels = [_wrapped(caption, tile_px) for caption in captions[:tiles]]
    grid = _Grid(
        tiles=tiles,
        columns=columns,
        tile_width=tile_px,
        tile_height=tile_px * images.shape[1] / images.shape[2],
        caption_height=LINE_PX * max(label.count("\n") + 1 for label in labels) + 2 * GAP_PX,
    )
    figure = blank_figure(WIDTH_PX, round(grid.height))
    pictures = [_reduced(image, tile_px) for image in images[:tiles]]
    black, white = (float(level) for level in np.percentile(pictures, GREY_PERCENTILES))
    for tile, label in enumerate(labels):
        axes = grid.axes(figure, tile)
        _draw_image(axes, pictures[tile], images.shape[1:], black, white)
        _draw_outline(axes, masks[tile])
        axes.set_xlabel(label, size=CAPTION_PT, color=INK, labelpad=4, linespacing=1.15)
    _write_around(figure, images, title, black, white)
    return figure


def _refuse_misfits(images: np.ndarray, masks: np.ndarray, captions: Sequence[str]) -> None:
    if images.ndim != 3 or not len(images) or images.shape != masks.shape or len(captions) != len(images):
        raise MammoscopeError(
            f"batch picture: images {images.shape}, masks {masks.shape}, {len(captions)} captions; "
            "allowed are images and masks of one shape (n, height, width), n > 0, and n captions"
        )


def _wrapped(caption: str, tile_px: float) -> str:
    """Broken after spaces, hyphens and underscores, but within no P_00001; its own line breaks are kept."""
    letters = int(tile_px / LETTER_PX)
    lines: list[str] = []
    for given in caption.splitlines() or [""]:
        lines.append("")
        for piece in re.split(r"(?<=[ _-])(?<!P_)", given):
            if lines[-1] and len(lines[-1] + piece.rstrip()) > letters:
                lines.append("")
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _reduced(image: np.ndarray, tile_px: float) -> np.ndarray:
    """Block means, in float32, that have about as many columns as the tile; rows and columns that fill no block go."""
    step = max(1, int(image.shape[1] / tile_px))
    height, width = (length // step for length in image.shape)
    blocks = image[: height * step, : width * step].reshape(height, step, width, step)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _draw_image(axes: Axes, picture: np.ndarray, shape: tuple[int, int], black: float, white: float) -> None:
    """`shape` is the image's own, in which the axes count. What is enlarged is not smoothed: its pixels are seen."""
    height, width = shape
    step = width // picture.shape[1]
    axes.imshow(
        picture,
        cmap="gray",
        vmin=black,
        vmax=white if white > black else black + 1,
        extent=(-0.5, picture.shape[1] * step - 0.5, picture.shape[0] * step - 0.5, -0.5),
        interpolation="nearest" if step == 1 else "antialiased",
        aspect="auto",
    )
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_outline(axes: Axes, mask: np.ndarray) -> None:
    """Along the mask's pixel borders, also where they are the image's; only its box is searched, which is fast."""
    if not mask.any():
        return
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    across = np.arange(columns[0] - 1, columns[-1] + 2)
    down = np.arange(rows[0] - 1, rows[-1] + 2)
    outline = axes.contour(across, down, np.pad(box.astype(np.float32), 1), levels=[0.5], colors=[OUTLINE_COLOUR])
    outline.set(linewidths=0.9, path_effects=[patheffects.withStroke(linewidth=2.1, foreground="#00000090")])


def _write_around(figure: Figure, images: np.ndarray, title: str, black: float, white: float) -> None:
    count, height, width = images.shape
    shown = f"{count} samples" if count <= TILES_MAX else f"The first {TILES_MAX} of {count} samples"
    write_heading(figure, title, f"{shown}, {height} x {width} px (rows x columns)", left_px=MARGIN_PX)
    scale = f"One grey scale for all tiles: black is {_grey(black)}, white is {_grey(white)}."
    write_footer(figure, f"{scale} Outlined: annotated ROIs, which the network is not shown.", left_px=MARGIN_PX)


def _grey(level: float) -> str:
    return f"{level:.0f}" if abs(level) >= 100 else f"{level:.3g}"
