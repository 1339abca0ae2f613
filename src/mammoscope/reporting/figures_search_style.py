"""What the figures of a search share: texts that are made to fit, ticks, points, and the frame around."""

import math
import re
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

from mammoscope.reporting.figures_search_trials import ParameterAxis, Searched
from mammoscope.reporting.figures_style import (
    BODY_PT,
    DPI,
    HEADING_PT,
    INK,
    MODEL_COLOUR,
    POINT_COLOUR,
    blank_figure,
    quiet_axes,
    write_footer,
    write_heading,
)

TICK_PT = 7.5
LINE_PX = 21.0  # of a text of that size
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
GRID = "#EDEDED"
TOP_PX, FOOT_PX = 116, 96  # of heading and footer
STATES = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "put back"}

shades = LinearSegmentedColormap.from_list("light to dark", ["#C6D2DA", "#7FB3D3", MODEL_COLOUR, "#00304D"])


@lru_cache(maxsize=4096)
def text_width_px(text: str, points: float, weight: str = "normal") -> float:
    font = FontProperties(size=points, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] * DPI / 72


def fitted(text: str, width_px: float, points: float, *, lines: int = 1, weight: str = "normal") -> str:
    """Broken into lines after . / and blanks, else after _ and - too, and only at need with its middle left out."""
    text = " ".join(text.split())
    whole = _within(text, width_px, points, lines, weight)
    if whole is not None:
        return whole
    found, fits, too_long = ELLIPSIS, 1, len(text)  # letters that are kept
    while too_long - fits > 1:
        kept = (fits + too_long) // 2
        shown = f"{text[: kept - kept // 2]}{ELLIPSIS}{text[-(kept // 2) :]}"
        broken = _within(shown, width_px, points, lines, weight)
        if broken is None:
            too_long = kept
        else:
            found, fits = broken, kept
    return found


def _within(text: str, width_px: float, points: float, lines: int, weight: str) -> str | None:
    for breaks in ("./ ", "._/ \\-"):
        broken = [""]
        for piece in re.findall(f"[^{breaks}]*[{breaks}]|[^{breaks}]+", text):
            if not broken[-1] or text_width_px((broken[-1] + piece).rstrip(), points, weight) <= width_px:
                broken[-1] += piece
            else:
                broken.append(piece)
        shown = [line.rstrip() for line in broken]
        if len(shown) <= lines and all(text_width_px(line, points, weight) <= width_px for line in shown):
            return "\n".join(shown)
    return None


def number_text(value: float, digits: int = 4) -> str:
    """0.001, 1e-5, 250000."""
    if value == round(value) and abs(value) < 1e6:
        return str(round(value))
    return re.sub(r"e([+-])0*", lambda exponent: "e-" if exponent[1] == "-" else "e", f"{value:.{digits}g}")


def framed(searched: Searched, what: str, facts: str, note: str, *, size_px: tuple[int, int], left_px: int) -> Figure:
    """A figure with heading, facts and footer, of which those that a person's words are in are made to fit."""
    figure, room = blank_figure(*size_px), size_px[0] - left_px - 40
    heading = fitted(f"{what}: {searched.name}", room, HEADING_PT, weight="bold")
    write_heading(figure, heading, fitted(facts, room, BODY_PT), left_px=left_px)
    write_footer(figure, note, left_px=left_px)
    for text in figure.texts:
        text.set_parse_math(False)
    return figure


def done_in_words(searched: Searched) -> str:
    count = len(searched.valued())
    return f"{count} trial{'' if count == 1 else 's'} done"


def counts_in_words(searched: Searched) -> str:
    counts = {words: len(searched.in_state(state)) for state, words in STATES.items()}
    told = ", ".join(f"{count} {words}" for words, count in counts.items() if count)
    some = f"{len(searched.trials)} trial{'' if len(searched.trials) == 1 else 's'}"
    return f"{some}: {told}" if told else "no trials yet"


def write_up(axes: Axes, text: str, height_px: float) -> None:
    """At the figure's left edge, however long the numbers between are."""
    axes.set_ylabel(fitted(text, height_px, BODY_PT), size=BODY_PT, color=INK, parse_math=False)
    axes.yaxis.set_label_coords((44 - axes.bbox.x0) / axes.bbox.width, 0.5)


def write_across(axes: Axes, text: str, width_px: float) -> None:
    axes.set_xlabel(fitted(text, width_px, BODY_PT), size=BODY_PT, color=INK, labelpad=6, parse_math=False)


def gridded(axes: Axes) -> None:
    quiet_axes(axes)
    axes.tick_params(labelsize=TICK_PT + 1)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda tick, _: tick_text(tick))


def tick_text(tick: float) -> str:
    return number_text(tick, 6)  # ticks are round: what has so many digits needs them


def number_ticks(axis: ParameterAxis, limits: tuple[float, float], most: int) -> list[float]:
    """Within the limits; powers of ten where it is logarithmic and has two of them."""
    low, high = limits
    if low == high:
        return [low]
    if axis.is_log and low > 0:
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        if len(powers) >= 2:
            return [10.0**power for power in powers[:: math.ceil(len(powers) / most)]]
    ticks = MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(tick) for tick in ticks if low - slack <= tick <= high + slack] or [low, high]


def thinned(count: int, most: int) -> range:
    """Places of those that are labelled, of so many."""
    return range(0, count, math.ceil(count / max(1, most)))


def draw_points(axes: Axes, across: np.ndarray, up: np.ndarray, **look: Any) -> None:
    """Within the axes' limits, which stand by now; what lies beyond as a triangle at the edge.

    look: of Axes.scatter; an array in it has one for each point.
    """
    low, high = axes.get_ylim()
    edge = 0.02 * (high - low)  # where a mark has room
    marks = np.where(up > high, "^", np.where(up < low, "v", "o"))
    for mark in np.unique(marks):
        chosen = marks == mark
        own = {key: one[chosen] if isinstance(one, np.ndarray) else one for key, one in look.items()}
        heights = up[chosen] if mark == "o" else np.clip(up[chosen], low + edge, high - edge)
        axes.scatter(across[chosen], heights, marker=mark, **own)


def draw_best(axes: Axes, across: float, up: float, label: str = "") -> None:
    axes.plot(
        [across],
        [up],
        "o",
        color=POINT_COLOUR,
        markersize=9,
        markeredgecolor="white",
        markeredgewidth=1.2,
        zorder=6,
        label=label,
    )
