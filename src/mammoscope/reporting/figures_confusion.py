"""The confusion matrix at the threshold that was chosen on validation."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from mammoscope.metrics.evidence import Evidence
from mammoscope.reporting.figures_style import (
    BODY_PT,
    EN_DASH,
    INK,
    MUTED,
    blank_figure,
    place_axes,
    write_footer,
    write_heading,
)
from mammoscope.reporting.wording import INTERVAL_NOTE, facts_line, heading_line, interval_text
from mammoscope.vocabulary import Level

WIDTH_PX, HEIGHT_PX = 1000, 990
LEFT_PX = 150

TINT = LinearSegmentedColormap.from_list("share of a row", ["#F5F8FA", "#56B4E9"])  # dark text reads on all of it


def confusion_figure(evidence: Evidence, level: Level) -> Figure:
    """Rows are the truth and add up to 100 %; columns are what the model calls it."""
    confusion = evidence.confusion(level)
    figure = blank_figure(WIDTH_PX, HEIGHT_PX)
    write_heading(
        figure, heading_line("Confusion matrix", evidence, level), facts_line(evidence, level), left_px=LEFT_PX
    )
    rates = (
        f"{name} {interval_text(evidence.result(level, name), EN_DASH)}" for name in ("sensitivity", "specificity")
    )
    write_footer(figure, f"{', '.join(rates).capitalize()}.\n{INTERVAL_NOTE}", left_px=LEFT_PX)
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=140, width_px=800, height_px=640)
    _draw_cells(axes, np.array([[confusion.tn, confusion.fp], [confusion.fn, confusion.tp]]))
    _name_axes(axes)
    return figure


def _draw_cells(axes: Axes, counts: np.ndarray) -> None:
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap=TINT, vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        axes.text(column, row - 0.06, f"{count}", size=30, color=INK, ha="center", va="center")
        axes.text(
            column, row + 0.2, f"{100 * share:.1f} % of the row", size=BODY_PT, color=INK, ha="center", va="center"
        )
    axes.axhline(0.5, color="white", linewidth=4)
    axes.axvline(0.5, color="white", linewidth=4)


def _name_axes(axes: Axes) -> None:
    axes.xaxis.tick_top()
    axes.set_xticks([0, 1], ["called benign", "called malignant"], size=BODY_PT + 1, color=INK)
    axes.set_yticks([0, 1], ["benign", "malignant"], size=BODY_PT + 1, color=INK, rotation=90, va="center")
    axes.set_ylabel("pathology", size=BODY_PT, color=MUTED, labelpad=10)
    axes.tick_params(length=0, pad=8)
    axes.spines[:].set_visible(False)
