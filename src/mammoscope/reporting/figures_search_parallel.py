"""The complete trials of a search as lines over all of its parameters at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mammoscope.reporting.figures_search_style import (
    ELLIPSIS,
    FOOT_PX,
    LINE_PX,
    TICK_PT,
    TOP_PX,
    done_in_words,
    fitted,
    framed,
    number_ticks,
    shades,
    text_width_px,
    thinned,
    tick_text,
)
from mammoscope.reporting.figures_search_trials import (
    Goal,
    ParameterAxis,
    Searched,
    SearchedTrial,
    best_first,
    number_limits,
    numbers_of,
    options_of,
    value_limits,
)
from mammoscope.reporting.figures_style import FAINT, INK, MUTED, POINT_COLOUR, place_axes

MOST_AXES = 12  # beside the value: more keys than that cannot be read
LEFT_PX, RIGHT_PX, PLOT_PX = 124, 124, 560
BELOW_PX = 44  # where lines pass that have no place on an axis
TITLE_LINES = 4
NARROWEST_PX, WIDEST_PX = 74, 180  # of what the labels of an axis ask for


@dataclass(frozen=True, slots=True)
class Upright:
    """One of the axes, from 0 at its foot to 1."""

    title: str
    heights: np.ndarray  # of each trial; NaN where it has none
    ticks: tuple[tuple[float, str], ...]


def parallel_figure(searched: Searched, place: int = 0, importances: Mapping[str, float] | None = None) -> Figure:
    """The last axis is the value of the goal at `place`. importances: by key, for when there are too many axes."""
    goal = searched.goals[place]
    trials = sorted(searched.valued(), key=lambda trial: (goal.sign * trial.values[place], -trial.number))
    values = np.array([trial.values[place] for trial in trials])
    limits = value_limits(values.tolist(), goal)
    uprights = [_upright(axis, trials) for axis in _shown(searched.axes, importances or {})]
    uprights.append(_upright_of_value(goal, values, limits))
    width = min(1400, max(1000, 125 * len(uprights)))
    across = _places(uprights, width - LEFT_PX - RIGHT_PX)
    titles = _titles(uprights, across)
    head = TOP_PX + 20 + round(max(level + LINE_PX * (1 + title.count("\n")) for title, level in titles))
    height = head + PLOT_PX + BELOW_PX + FOOT_PX + 10
    note = _note(uprights, len(searched.axes) - MOST_AXES)
    facts = f"{done_in_words(searched)}; {goal.in_words()}"
    figure = framed(searched, "Parallel coordinates", facts, note, size_px=(width, height), left_px=40)
    axes = place_axes(
        figure, left_px=LEFT_PX, bottom_px=height - head - PLOT_PX, width_px=across[-1], height_px=PLOT_PX
    )
    axes.set(xlim=(0, across[-1]), ylim=(0, 1))
    axes.set_axis_off()
    heights = np.stack([upright.heights for upright in uprights], axis=1)
    paths = np.where(np.isnan(heights), -0.7 * BELOW_PX / PLOT_PX, heights)
    _draw_lines(axes, across, paths, heights[:, -1] if goal.sign > 0 else 1 - heights[:, -1])
    for best in best_first(searched, place)[:1]:
        axes.plot(across, paths[trials.index(best)], color=POINT_COLOUR, linewidth=3.2, zorder=4, clip_on=False)
    for upright, (title, level), at, gap in zip(uprights, titles, across, [*np.diff(across), RIGHT_PX], strict=True):
        _write_upright(axes, at, upright, gap - 18)
        _write_title(axes, at, title, level)
    return figure


def _shown(axes: Sequence[ParameterAxis], importances: Mapping[str, float]) -> list[ParameterAxis]:
    """Those that matter most, in their own order."""
    ranked = sorted(axes, key=lambda axis: -importances.get(axis.key, 0.0))
    return [axis for axis in axes if axis in ranked[:MOST_AXES]]


def _note(uprights: Sequence[Upright], left_out: int) -> str:
    note = "Darker: better. Orange: the best."
    if any(np.isnan(upright.heights).any() for upright in uprights):
        note += " Below an axis: the trial did not draw it."
    return f"{note} Not shown: {left_out} more parameters." if left_out > 0 else note


def _upright(axis: ParameterAxis, trials: Sequence[SearchedTrial]) -> Upright:
    if axis.options is not None:
        options = options_of(axis, trials)
        places = {option: at / (len(options) - 1) if len(options) > 1 else 0.5 for at, option in enumerate(options)}
        heights = np.array([places.get(str(trial.params.get(axis.key)), math.nan) for trial in trials])
        shown = [options[at] for at in thinned(len(options), 12)]
        return Upright(axis.key, heights, tuple((places[option], option) for option in shown))
    limits = number_limits(axis, trials)
    is_log = axis.is_log and limits[0] > 0
    ticks = number_ticks(axis, limits, 6)
    places_of_ticks = _heights(np.array(ticks), limits, is_log).tolist()
    heights = _heights(numbers_of(axis, trials), limits, is_log)
    return Upright(axis.key, heights, tuple(zip(places_of_ticks, map(tick_text, ticks), strict=True)))


def _upright_of_value(goal: Goal, values: np.ndarray, limits: tuple[float, float]) -> Upright:
    ticks = number_ticks(ParameterAxis(key=goal.key), limits, 8)
    places = _heights(np.array(ticks), limits, False).tolist()
    heights = _heights(np.clip(values, *limits), limits, False)
    return Upright(goal.key, heights, tuple(zip(places, map(tick_text, ticks), strict=True)))


def _heights(numbers: np.ndarray, limits: tuple[float, float], is_log: bool) -> np.ndarray:
    low, high = np.log(limits) if is_log else limits
    if low == high:
        return np.where(np.isnan(numbers), np.nan, 0.5)
    return ((np.log(numbers) if is_log else numbers) - low) / (high - low)


def _places(uprights: Sequence[Upright], width_px: float) -> np.ndarray:
    """From the left, in pixels: an axis with long labels gets more room for them."""
    asked = np.array([max(text_width_px(text, TICK_PT) for _, text in upright.ticks) + 24 for upright in uprights[:-1]])
    asked = np.clip(asked, NARROWEST_PX, WIDEST_PX)
    spare = width_px - asked.sum()
    gaps = asked + spare / len(asked) if spare > 0 else asked * width_px / asked.sum()
    return np.concatenate([[0.0], np.cumsum(gaps)])


def _titles(uprights: Sequence[Upright], across: np.ndarray) -> list[tuple[str, float]]:
    """Each with its height above the axes in pixels: on one level, or on two by turns where that has no room."""
    ends = np.concatenate([[-LEFT_PX], across, [across[-1] + RIGHT_PX]])
    beside = np.minimum(np.diff(ends)[:-1], np.diff(ends)[1:])  # to the nearer neighbour
    beside[0], beside[-1] = min(LEFT_PX, across[1]) * 0.98, min(RIGHT_PX, across[-1] - across[-2]) * 0.98
    texts = [upright.title for upright in uprights]
    one = [_title(text, room) for text, room in zip(texts, beside, strict=True)]
    if not any(ELLIPSIS in title for title in one):
        return [(title, 0.0) for title in one]
    two = [_title(text, 1.9 * room) for text, room in zip(texts, beside, strict=True)]
    lower = LINE_PX * (1 + max(title.count("\n") for title in two[::2])) + 8
    return [(title, lower if at % 2 else 0.0) for at, title in enumerate(two)]


def _title(text: str, room_px: float) -> str:
    return fitted(text, room_px - 8, TICK_PT, lines=TITLE_LINES, weight="bold")


def _draw_lines(axes: Axes, across: np.ndarray, paths: np.ndarray, goodness: np.ndarray) -> None:
    """In the order of the trials: the worst first."""
    lines = np.stack([np.broadcast_to(across, paths.shape), paths], axis=2)
    alpha = float(np.clip(12 / max(1, len(paths)), 0.35, 0.9))
    look = {"linewidths": 1.3, "alpha": alpha, "clip_on": False}
    axes.add_collection(LineCollection(list(lines), colors=shades(goodness), **look))


def _write_upright(axes: Axes, at: float, upright: Upright, room_px: float) -> None:
    axes.plot([at, at], [0, 1], color=MUTED, linewidth=1.2, zorder=5, clip_on=False)
    heights = [height for height, _ in upright.ticks]
    axes.plot([at] * len(heights), heights, "_", color=MUTED, markersize=6, zorder=5, clip_on=False)
    for height, text in upright.ticks:
        axes.annotate(
            fitted(text, room_px, TICK_PT, lines=2),
            (at, height),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=TICK_PT,
            color=INK,
            zorder=6,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )


def _write_title(axes: Axes, at: float, title: str, level_px: float) -> None:
    foot = 1 + 14 / PLOT_PX
    if level_px:
        axes.plot([at, at], [1, foot + level_px / PLOT_PX], color=FAINT, linewidth=0.8, clip_on=False)
    above = axes.text(at, foot + level_px / PLOT_PX, title, ha="center", va="bottom", size=TICK_PT, weight="bold")
    above.set(color=INK, parse_math=False)
