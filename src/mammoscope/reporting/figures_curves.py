"""ROC and precision-recall curves with the operating point that was chosen on validation."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscope.metrics.curves import operating_points
from mammoscope.metrics.evidence import Evidence
from mammoscope.metrics.intervals import Metric
from mammoscope.metrics.levels import Units
from mammoscope.metrics.scores import average_precision, roc_auc
from mammoscope.reporting.figures_style import (
    BODY_PT,
    EN_DASH,
    FAINT,
    INK,
    MODEL_COLOUR,
    MUTED,
    POINT_COLOUR,
    blank_figure,
    place_axes,
    quiet_axes,
    write_footer,
    write_heading,
)
from mammoscope.reporting.wording import INTERVAL_NOTE, facts_line, heading_line, interval_text

WIDTH_PX, HEIGHT_PX = 1000, 1130
LEFT_PX, BOTTOM_PX, SIDE_PX = 110, 170, 830
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Corner = Literal["lower right", "lower left", "upper left", "upper right"]
Curve = tuple[np.ndarray, np.ndarray]  # across, up


def roc_figure(units: Units, evidence: Evidence, *, reference: Units | None = None) -> Figure:
    """reference: the same units as the ideal observer scores them (metrics/reference.py), drawn thin."""
    auc, sensitivity, specificity = (
        evidence.result(units.level, name) for name in ("auc", "sensitivity", "specificity")
    )
    figure, axes = _square(units, evidence, "ROC", "1 \N{MINUS SIGN} specificity", "sensitivity")
    _draw_chance(axes, (np.array([0, 1]), np.array([0, 1])), "chance: AUC 0.500")
    if reference is not None:
        _draw_reference(axes, _roc(reference), f"ideal observer: AUC {_once(roc_auc, reference):.3f}")
    at_threshold = (
        f"sensitivity {interval_text(sensitivity, EN_DASH)}\nspecificity {interval_text(specificity, EN_DASH)}"
    )
    _draw_point(axes, 1 - specificity.value, sensitivity.value, f"at the threshold:\n{at_threshold}")
    _draw_model(axes, _roc(units), f"model: AUC {interval_text(auc, EN_DASH)}")
    _write_legend(axes, "lower right" if auc.value >= 0.5 else "upper left")
    return figure


def precision_recall_figure(units: Units, evidence: Evidence, *, reference: Units | None = None) -> Figure:
    """As the ROC's. The dotted line is the share of positives: what calling at random would reach."""
    area, recall = (evidence.result(units.level, name) for name in ("average_precision", "sensitivity"))
    confusion, share = evidence.confusion(units.level), units.positives / len(units)
    figure, axes = _square(
        units, evidence, "Precision-recall", "recall (sensitivity)", "precision (positive predictive value)"
    )
    _draw_chance(axes, (np.array([0, 1]), np.array([share, share])), f"chance: precision {share:.3f}")
    if reference is not None:
        ideal = _once(average_precision, reference)
        _draw_reference(axes, _precision_recall(reference), f"ideal observer: average precision {ideal:.3f}")
    if called := confusion.tp + confusion.fp:
        precision = confusion.tp / called
        at_threshold = f"recall {interval_text(recall, EN_DASH)}\nprecision {precision:.3f}"
        _draw_point(axes, recall.value, precision, f"at the threshold:\n{at_threshold}")
    _draw_model(axes, _precision_recall(units), f"model: average precision {interval_text(area, EN_DASH)}")
    _write_legend(axes, "lower left" if area.value >= 0.6 else "upper right")
    return figure


def _roc(units: Units) -> Curve:
    points = operating_points(units.targets, units.scores, np.ones((1, len(units))))
    fpr, tpr = points.fp[0] / (len(units) - units.positives), points.tp[0] / units.positives
    return np.append(0.0, fpr), np.append(0.0, tpr)


def _precision_recall(units: Units) -> Curve:
    """As corners of steps: a precision holds back to the recall before it, as average precision sums it."""
    points = operating_points(units.targets, units.scores, np.ones((1, len(units))))
    recall, precision = points.tp[0] / units.positives, points.tp[0] / (points.tp[0] + points.fp[0])
    return np.append(0.0, np.repeat(recall, 2)[:-1]), np.repeat(precision, 2)


def _once(metric: Metric, units: Units) -> float:
    return float(metric(units.targets, units.scores, np.ones((1, len(units))))[0])


def _square(units: Units, evidence: Evidence, what: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = blank_figure(WIDTH_PX, HEIGHT_PX)
    write_heading(figure, heading_line(what, evidence, units.level), facts_line(evidence, units.level), left_px=LEFT_PX)
    write_footer(figure, INTERVAL_NOTE, left_px=LEFT_PX)
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=BOTTOM_PX, width_px=SIDE_PX, height_px=SIDE_PX)
    quiet_axes(axes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel(across, size=BODY_PT + 1, color=INK, labelpad=8)
    axes.set_ylabel(up, size=BODY_PT + 1, color=INK, labelpad=8)
    axes.set(xticks=TICKS, yticks=TICKS)
    axes.grid(color="#EDEDED", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_chance(axes: Axes, curve: Curve, label: str) -> None:
    axes.plot(*curve, color=FAINT, linewidth=1.4, linestyle=(0, (1, 2)), label=label)


def _draw_reference(axes: Axes, curve: Curve, label: str) -> None:
    axes.plot(*curve, color=MUTED, linewidth=1.3, linestyle=(0, (6, 3)), label=label)


def _draw_model(axes: Axes, curve: Curve, label: str) -> None:
    axes.plot(*curve, color=MODEL_COLOUR, linewidth=2.4, solid_joinstyle="round", label=label)


def _draw_point(axes: Axes, across: float, up: float, label: str) -> None:
    axes.plot(
        across,
        up,
        "o",
        color=POINT_COLOUR,
        markersize=9,
        markeredgecolor="white",
        markeredgewidth=1.2,
        zorder=4,
        clip_on=False,
        label=label,
    )


def _write_legend(axes: Axes, corner: Corner) -> None:
    """Latest drawn first: the model, which lies on top, is what is looked for."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc=corner,
        fontsize=BODY_PT,
        labelcolor=INK,
        framealpha=0.92,
        edgecolor="none",
        labelspacing=0.6,
    )
