"""Losses at growing learning rates: as a table for a terminal, and as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.table import Table

from mammoscope.reporting.figures_style import (
    BODY_PT,
    FAINT,
    HEADING_PT,
    INK,
    MODEL_COLOUR,
    POINT_COLOUR,
    blank_figure,
    place_axes,
)

ROWS = 20  # of the table, at most


def lr_range_table(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float]) -> Table:
    """Every so many steps, and the last."""
    table = Table(box=None, header_style="bold")
    for name in ("step", "lr", "loss", "smoothed"):
        table.add_column(name, justify="right")
    every = -(-len(rates) // ROWS)
    for step in sorted({*range(0, len(rates), every), len(rates) - 1}):
        table.add_row(str(step), f"{rates[step]:.2e}", f"{losses[step]:.4f}", f"{smoothed[step]:.4f}")
    return table


def lr_range_figure(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float], suggested: float | None, title: str
) -> Figure:
    figure = blank_figure(1200, 800)
    axes = place_axes(figure, left_px=130, bottom_px=120, width_px=1030, height_px=590)
    axes.plot(rates, losses, color=FAINT, linewidth=1, label="loss")
    axes.plot(rates, smoothed, color=MODEL_COLOUR, linewidth=2, label="smoothed")
    if suggested is not None:
        axes.axvline(suggested, color=POINT_COLOUR, linestyle="--", label=f"suggested: {suggested:.2g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate", fontsize=BODY_PT)
    axes.set_ylabel("training loss", fontsize=BODY_PT)
    axes.set_title(title, fontsize=HEADING_PT, color=INK, loc="left")
    axes.legend(frameon=False, fontsize=BODY_PT)
    return figure
