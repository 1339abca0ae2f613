"""What a search found along each of its parameters: a small panel for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mammoscope.reporting.figures_search_style import (
    ELLIPSIS,
    FOOT_PX,
    LINE_PX,
    TICK_PT,
    TOP_PX,
    done_in_words,
    draw_best,
    draw_points,
    fitted,
    framed,
    gridded,
    number_ticks,
    shades,
    text_width_px,
    thinned,
    tick_text,
)
from mammoscope.reporting.figures_search_trials import (
    ParameterAxis,
    Searched,
    SearchedTrial,
    best_first,
    number_limits,
    numbers_of,
    options_of,
    padded,
    value_limits,
)
from mammoscope.reporting.figures_style import BODY_PT, INK, SMALL_PT, place_axes

COLUMNS = 4
LEFT_PX, RIGHT_PX, BETWEEN_PX = 156, 24, 28
WIDTH_PX, NARROWEST_PX = 1400, 900
PANEL_PX, TITLE_PX, GAP_PX = 220, 58, 14  # heights; a title has two lines
LONGEST_OPTION_PX = 150


def slice_figure(searched: Searched, place: int = 0) -> Figure:
    """A panel a parameter, all of one height: values of the goal at `place` over what was drawn."""
    goal, count = searched.goals[place], len(searched.axes)
    columns = max(1, min(COLUMNS, count))
    width = max(NARROWEST_PX, round(LEFT_PX + columns * (WIDTH_PX - LEFT_PX) / COLUMNS))
    panel = (width - LEFT_PX - RIGHT_PX - (columns - 1) * BETWEEN_PX) / columns
    written = [_categories(axis, searched.valued(), panel) for axis in searched.axes]
    starts = range(0, count, columns)
    depths = [LINE_PX + 16 + max(one.depth_px if one else 0 for one in written[at : at + columns]) for at in starts]
    height = TOP_PX + FOOT_PX + round(sum(TITLE_PX + PANEL_PX + depth + GAP_PX for depth in depths))
    facts = f"{done_in_words(searched)}; {goal.in_words()}"
    note = "Darker: later trials. Orange: the best. Triangles: beyond the edge."
    figure = framed(searched, "Slices", facts, note, size_px=(width, height), left_px=LEFT_PX)
    for at, (axis, categories) in enumerate(zip(searched.axes, written, strict=True)):
        row, column = divmod(at, columns)
        bottom = height - TOP_PX - (row + 1) * (TITLE_PX + PANEL_PX) - row * GAP_PX - sum(depths[:row])
        left = LEFT_PX + column * (panel + BETWEEN_PX)
        axes = place_axes(figure, left_px=left, bottom_px=bottom, width_px=panel, height_px=PANEL_PX)
        _draw_slice(axes, searched, place, axis, categories)
        axes.tick_params(labelleft=column == 0)
        title = fitted(axis.key, panel, SMALL_PT, lines=2, weight="bold")
        axes.set_title(title, size=SMALL_PT, weight="bold", color=INK, loc="left", pad=5, parse_math=False)
    _write_side(figure, goal.key, height)
    return figure


def _write_side(figure: Figure, key: str, height_px: int) -> None:
    """Once for all panels."""
    words = fitted(key, height_px - TOP_PX - FOOT_PX - 20, BODY_PT)
    middle = (height_px - TOP_PX - TITLE_PX + FOOT_PX) / 2 / height_px
    text = figure.text(30 / figure.bbox.width, middle, words, rotation=90, ha="center", va="center", size=BODY_PT)
    text.set(color=INK, parse_math=False)


@dataclass(frozen=True, slots=True)
class Categories:
    """How the options of a panel are written."""

    options: tuple[str, ...]
    labels: tuple[str, ...]  # blank where they would touch each other
    is_upright: bool
    depth_px: float  # beyond one line


def _categories(axis: ParameterAxis, trials: Sequence[SearchedTrial], panel_px: float) -> Categories | None:
    """Side by side where they have room as they are, else upright."""
    if axis.options is None:
        return None
    options = options_of(axis, trials)
    beside = tuple(fitted(option, 0.9 * panel_px / len(options), TICK_PT, lines=2) for option in options)
    if not any(ELLIPSIS in label for label in beside):
        return Categories(options, beside, False, LINE_PX * max(label.count("\n") for label in beside))
    shown = thinned(len(options), round(panel_px / LINE_PX))
    labels = tuple(fitted(options[at], LONGEST_OPTION_PX, TICK_PT) if at in shown else "" for at in range(len(options)))
    longest = max(text_width_px(label, TICK_PT) for label in labels)
    return Categories(options, labels, True, longest - LINE_PX + 4)


def _draw_slice(axes: Axes, searched: Searched, place: int, axis: ParameterAxis, categories: Categories | None) -> None:
    gridded(axes)
    axes.tick_params(labelsize=TICK_PT)
    trials = [trial for trial in searched.valued() if axis.key in trial.params]
    up = np.array([trial.values[place] for trial in trials])
    goal = searched.goals[place]
    axes.set_ylim(*padded(value_limits([trial.values[place] for trial in searched.valued()], goal), 0.08))
    if categories is None:
        across = numbers_of(axis, trials)
        _set_numbers(axes, axis, number_limits(axis, trials))
    else:
        across = np.array([categories.options.index(str(trial.params[axis.key])) for trial in trials])
        rotation = 90 if categories.is_upright else 0
        axes.set_xticks(range(len(categories.options)), categories.labels, rotation=rotation, parse_math=False)
        axes.set_xlim(-0.6, len(categories.options) - 0.4)
    age = np.array([trial.number for trial in trials]) / max([1, *(trial.number for trial in searched.trials)])
    size = 34 if len(searched.trials) < 80 else 16
    draw_points(axes, across, up, s=size, facecolor=shades(age), edgecolor="white", linewidth=0.4, alpha=0.9)
    for best in best_first(searched, place)[:1]:
        if best in trials:
            draw_best(axes, across[trials.index(best)], best.values[place])


def _set_numbers(axes: Axes, axis: ParameterAxis, limits: tuple[float, float]) -> None:
    low, high = limits
    if axis.is_log and low > 0:
        axes.set_xscale("log")
        slack = (high / low) ** 0.06 if high > low else 2.0
        axes.set_xlim(low / slack, high * slack)
    else:
        axes.set_xlim(*(padded(limits) if high > low else (low - 1, high + 1)))
    ticks = number_ticks(axis, limits, 4 if axis.is_log else 5)
    axes.set_xticks(ticks, [tick_text(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
