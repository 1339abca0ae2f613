"""Where a model of patches sees what: a film with its ROIs, and beside it what is said of every place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from mammoscope.reporting.figures_style import (
    BODY_PT,
    INK,
    MUTED,
    SMALL_PT,
    blank_figure,
    place_axes,
    write_footer,
    write_heading,
)

MARGIN_PX, GAP_PX, HEAD_PX, FOOT_PX, CAPTION_PX, PANEL_HEIGHT_PX, BAR_PX = 36, 10, 130, 130, 112, 430, 16
PER_ROW = 2  # films; three panels each
ROI_COLOUR, PEAK_COLOUR = "#56B4E9", "#FFFFFF"
COLOURS = "inferno"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapLook:
    """One film, cropped to its breast. Places are pixels of `film`, (row, column)."""

    film: np.ndarray  # float (rows, columns), 0 black to 1 white
    rois: np.ndarray  # bool, same shape
    malignancy: np.ndarray  # float (rows, columns) of a grid over the film, NaN where nothing was asked
    normality: np.ndarray  # same shape
    grid: tuple[float, float, float, float]  # left, right, bottom, top edge of the grid
    malignant_peak: tuple[float, float]
    abnormal_peak: tuple[float, float]  # where normality is least
    caption: str


def class_map_figure(looks: Sequence[MapLook], title: str, facts: str) -> Figure:
    """Three panels a film: the film and its ROIs, P(malignant) and P(normal), each with its peak, on one scale."""
    shape = np.max([look.film.shape for look in looks], axis=0)
    panel_px = PANEL_HEIGHT_PX * shape[1] / shape[0]
    per_row = min(PER_ROW, len(looks))
    rows = -(-len(looks) // per_row)
    look_px = 3 * panel_px + 2 * GAP_PX
    width = max(1150, 2 * MARGIN_PX + per_row * look_px + (per_row - 1) * 4 * GAP_PX)
    height = HEAD_PX + rows * (PANEL_HEIGHT_PX + CAPTION_PX) + FOOT_PX
    figure = blank_figure(round(width), round(height))
    write_heading(figure, title, facts, left_px=MARGIN_PX)
    for number, look in enumerate(looks):
        row, column = divmod(number, per_row)
        left = MARGIN_PX + column * (look_px + 4 * GAP_PX)
        bottom = height - HEAD_PX - row * (PANEL_HEIGHT_PX + CAPTION_PX) - PANEL_HEIGHT_PX - 30
        for panel in range(3):
            axes = place_axes(
                figure,
                left_px=left + panel * (panel_px + GAP_PX),
                bottom_px=bottom,
                width_px=panel_px,
                height_px=PANEL_HEIGHT_PX,
            )
            _draw_panel(axes, look, panel)
    _draw_bar(figure, width, height)
    note = (
        "Blue: annotated ROIs, which the network is not shown. Cross: the window where P(malignant) is highest,\n"
        "or P(normal) lowest. Uncoloured: too little breast under the window."
    )
    write_footer(figure, note, left_px=MARGIN_PX)
    return figure


def _draw_panel(axes: Axes, look: MapLook, panel: int) -> None:
    rows, columns = look.film.shape
    axes.imshow(look.film, cmap="gray", vmin=0, vmax=1, aspect="equal", interpolation="antialiased")
    if panel:
        values = look.malignancy if panel == 1 else look.normality
        # only where the breast is: the grid's cells are squares, and the skin is round
        axes.imshow(values, cmap=COLOURS, vmin=0, vmax=1, alpha=0.62, extent=look.grid, interpolation="nearest")
        row, column = look.malignant_peak if panel == 1 else look.abnormal_peak
        axes.plot(column, row, "x", color=PEAK_COLOUR, markersize=7, markeredgewidth=1.4, path_effects=_rim(3.0))
    if look.rois.any():
        outline = axes.contour(np.pad(look.rois.astype(np.float32), 1), levels=[0.5], colors=[ROI_COLOUR])
        outline.set(linewidths=1.3, path_effects=_rim(2.6))
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xticks=[], yticks=[], facecolor="black")
    axes.spines[:].set_visible(False)
    axes.set_title(("film and ROIs", "P(malignant)", "P(normal)")[panel], size=SMALL_PT, color=MUTED, pad=4)
    axes.set_anchor("NW")
    if panel == 0:
        axes.annotate(
            look.caption, (0, 0), (0, -6), "axes fraction", "offset points", size=SMALL_PT, color=INK, va="top"
        )


def _rim(width: float) -> list[patheffects.AbstractPathEffect]:
    return [patheffects.withStroke(linewidth=width, foreground="#000000B0")]


def _draw_bar(figure: Figure, width: float, height: float) -> None:
    """In the upper right corner, beside the heading, where no text reaches."""
    axes = place_axes(figure, left_px=width - MARGIN_PX - 320, bottom_px=height - 52, width_px=300, height_px=BAR_PX)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), COLOURS), cax=axes, orientation="horizontal")
    bar.set_label("probability", size=SMALL_PT, color=MUTED)
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=BODY_PT - 2, colors=MUTED, length=3)
