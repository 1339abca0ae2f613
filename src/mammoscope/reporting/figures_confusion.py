"""Confusion matrices: at the threshold that was chosen on validation, and of classes where there are more than two."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from mammoscope.metrics.classes import ClassEvidence
from mammoscope.metrics.evidence import Evidence
from mammoscope.reporting.figures_style import (
    BODY_PT,
    EN_DASH,
    INK,
    MUTED,
    SMALL_PT,
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
    _name_axes(axes, ["called benign", "called malignant"], ["benign", "malignant"], "pathology")
    return figure


def class_confusion_figure(classes: ClassEvidence) -> Figure:
    """The same for any number of classes; a row is called what is most probable."""
    figure = blank_figure(WIDTH_PX, HEIGHT_PX)
    rows = f"n = {classes.n} ({classes.finest} level), {classes.patients} patients; called what is most probable"
    write_heading(figure, f"Confusion matrix: {classes.partition}, classes", rows, left_px=LEFT_PX)
    aucs = [f"{name} {interval_text(auc, EN_DASH)}".replace("_", " ") for name, auc in classes.aucs.items()]
    lines = [", ".join(aucs[start : start + 2]) for start in range(0, len(aucs), 2)]
    note = ["AUC of each class against the rest, with its 95 % interval by bootstrap over patients:", *lines]
    write_footer(figure, "\n".join(note), left_px=LEFT_PX)
    bottom = 110 + 27 * len(lines)
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=bottom, width_px=800, height_px=760 - bottom)
    _draw_cells(axes, classes.confusion)
    names = [name.replace("_", "\n", 1).replace("_", " ") for name in classes.names]
    few = len(names) <= 3
    _name_axes(axes, [f"called {name}" if few else f"called\n{name}" for name in names], names, "truth")
    return figure


def _draw_cells(axes: Axes, counts: np.ndarray) -> None:
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    axes.imshow(shares, cmap=TINT, vmin=0, vmax=1, aspect="auto")
    few = len(counts) <= 3
    for (row, column), count in np.ndenumerate(counts):
        share = f"{100 * shares[row, column]:.1f} %" + (" of the row" if len(counts) == 2 else "")
        axes.text(column, row - 0.06, f"{count}", size=30 if few else 18, color=INK, ha="center", va="center")
        axes.text(column, row + (0.2 if few else 0.27), share, size=BODY_PT, color=INK, ha="center", va="center")
    for border in range(1, len(counts)):
        axes.axhline(border - 0.5, color="white", linewidth=4)
        axes.axvline(border - 0.5, color="white", linewidth=4)


def _name_axes(axes: Axes, called: Sequence[str], truth: Sequence[str], what: str) -> None:
    places = range(len(called))
    size = BODY_PT + 1 if len(called) <= 3 else SMALL_PT
    axes.xaxis.tick_top()
    axes.set_xticks(places, called, size=size, color=INK)
    axes.set_yticks(places, truth, size=size, color=INK, rotation=90, va="center", ma="center")
    axes.set_ylabel(what, size=BODY_PT, color=MUTED, labelpad=10)
    axes.tick_params(length=0, pad=8)
    axes.spines[:].set_visible(False)
