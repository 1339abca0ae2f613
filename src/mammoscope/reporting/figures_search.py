"""The figures of a search, drawn from plain trials: how it went, and what it found."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mammoscope.reporting.figures_search_parallel import parallel_figure
from mammoscope.reporting.figures_search_slices import slice_figure
from mammoscope.reporting.figures_search_style import (
    FOOT_PX,
    GRID,
    TICK_PT,
    TOP_PX,
    counts_in_words,
    done_in_words,
    draw_best,
    draw_points,
    fitted,
    framed,
    gridded,
    number_text,
    text_width_px,
    write_across,
    write_up,
)
from mammoscope.reporting.figures_search_trials import (
    Goal,
    ParameterAxis,
    Searched,
    SearchedTrial,
    best_first,
    best_so_far,
    padded,
    pareto_front,
    value_limits,
)
from mammoscope.reporting.figures_style import (
    BODY_PT,
    FAINT,
    INK,
    MODEL_COLOUR,
    MUTED,
    POINT_COLOUR,
    SMALL_PT,
    place_axes,
    quiet_axes,
)

__all__ = [
    "Goal",
    "ParameterAxis",
    "Searched",
    "SearchedTrial",
    "history_figure",
    "importance_figure",
    "intermediate_figure",
    "parallel_figure",
    "pareto_figure",
    "slice_figure",
]

LEFT_PX = 150
LEGEND_PX = 40  # above the axes, where it hides nothing
NAMED = 5  # curves that have a colour and a name
NAMED_COLOURS = (POINT_COLOUR, MODEL_COLOUR, "#009E73", "#CC79A7", "#E69F00")  # Okabe and Ito's
NUMBERED = 12  # trials of a front that show their number
APART_PX = 44  # such numbers, from one another


def history_figure(searched: Searched, place: int = 0) -> Figure:
    """Values of the goal at `place` by trial; below them, when others were pruned or failed."""
    goal, width, height = searched.goals[place], 1010, 480
    note = "The best so far counts feasible trials only. Triangles: beyond the edge."
    figure = framed(searched, "History", counts_in_words(searched), note, size_px=(1200, 890), left_px=LEFT_PX)
    bottom = 890 - TOP_PX - LEGEND_PX - height
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=bottom, width_px=width, height_px=height)
    strip = place_axes(figure, left_px=LEFT_PX, bottom_px=FOOT_PX + 74, width_px=width, height_px=68)
    gridded(axes)
    last = max((trial.number for trial in searched.trials), default=0)
    for one in (axes, strip):
        one.set_xlim(-0.6 - 0.01 * last, 1.01 * last + 0.6)
        one.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1))
    axes.set_ylim(*padded(value_limits([trial.values[place] for trial in searched.valued()], goal)))
    axes.tick_params(labelbottom=False)
    _draw_history(axes, searched, place)
    _draw_ended(strip, searched)
    write_up(axes, goal.in_words(), height)
    write_across(strip, "trial", width)
    return figure


def _draw_history(axes: Axes, searched: Searched, place: int) -> None:
    size = 46 if len(searched.trials) < 80 else 22
    for is_feasible, face, label in ((True, MODEL_COLOUR, "trial"), (False, "none", "not feasible")):
        shown = [trial for trial in searched.valued() if trial.is_feasible is is_feasible]
        if shown:
            numbers, values = np.array([(trial.number, trial.values[place]) for trial in shown]).T
            draw_points(axes, numbers, values, s=size, facecolor=face, edgecolor=MODEL_COLOUR, alpha=0.7)
            axes.plot([], [], "o", markerfacecolor=face, markeredgecolor=MODEL_COLOUR, label=label)
    for best in best_first(searched, place)[:1]:
        across, up = best_so_far(searched, place)
        to_the_end = np.append(across, axes.get_xlim()[1]), np.append(up, up[-1])
        axes.plot(*to_the_end, color=POINT_COLOUR, linewidth=2, drawstyle="steps-post", label="best so far")
        value = best.values[place]
        draw_best(axes, best.number, value, f"best: {number_text(value)} (trial {best.number})")
    handles, labels = axes.get_legend_handles_labels()
    look = {"fontsize": SMALL_PT, "labelcolor": INK, "frameon": False, "columnspacing": 1.6, "handletextpad": 0.5}
    axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.01), borderaxespad=0, ncols=4, **look)


def _draw_ended(axes: Axes, searched: Searched) -> None:
    quiet_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=TICK_PT + 1)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], ["pruned", "failed"])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    for row, state, mark in ((1, "PRUNED", "|"), (0, "FAIL", "x")):
        numbers = [trial.number for trial in searched.in_state(state)]
        axes.plot(numbers, [row] * len(numbers), mark, color=MUTED, markersize=7, markeredgewidth=1.6, clip_on=False)


def importance_figure(searched: Searched, importances: Mapping[str, float], place: int = 0) -> Figure:
    """importances: from 0 to 1 by key."""
    goal, pitch = searched.goals[place], 50
    order = sorted(importances.items(), key=lambda one: (one[1], one[0]))
    names = [fitted(key, 520, BODY_PT) for key, _ in order]
    left = round(max((text_width_px(name, BODY_PT) for name in names), default=0)) + 60
    width, height = 1200, TOP_PX + pitch * len(order) + FOOT_PX + 74
    facts = f"{done_in_words(searched)}; of {goal.key}"
    note = "Share of the spread of the values that a parameter explains; an estimate, rough after few trials."
    figure = framed(searched, "Importance", facts, note, size_px=(width, height), left_px=40)
    axes = place_axes(
        figure,
        left_px=left,
        bottom_px=FOOT_PX + 66,
        width_px=width - left - 40,
        height_px=height - TOP_PX - FOOT_PX - 74,
    )
    gridded(axes)
    axes.grid(visible=False, axis="y")
    shares = [share for _, share in order]
    axes.barh(range(len(order)), shares, height=0.62, color=MODEL_COLOUR)
    for row, share in enumerate(shares):
        axes.text(share, row, f" {share:.2f}", va="center_baseline", size=BODY_PT, color=INK)
    axes.set_yticks(range(len(order)), names, size=BODY_PT, parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1.12 * max(shares, default=1) or 1), ylim=(-0.6, len(order) - 0.4))
    return figure


def intermediate_figure(searched: Searched) -> Figure:
    """What trials of one goal told on their way."""
    goal, width, height = searched.goals[0], 910, 540
    note = "Cross: pruned there. Dotted: not over, or failed."
    figure = framed(searched, "Reports", counts_in_words(searched), note, size_px=(1400, 850), left_px=LEFT_PX)
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=850 - TOP_PX - height, width_px=width, height_px=height)
    gridded(axes)
    told = [trial for trial in searched.trials if trial.reports]
    axes.set_ylim(*padded(value_limits([value for trial in told for value in trial.reports.values()], goal)))
    best = [trial for trial in best_first(searched, 0) if trial.reports][:NAMED]
    numbers = {trial.number for trial in best}
    for trial in told:
        if trial.number not in numbers:
            _draw_curve(axes, trial)
    for rank, trial in reversed(list(enumerate(best))):
        label = f"trial {trial.number}: {number_text(trial.values[0])}"
        _plot_reports(axes, trial, color=NAMED_COLOURS[rank], linewidth=2.2, zorder=5 - 0.1 * rank, label=label)
    if best:
        _write_best(axes, len(best))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    write_across(axes, "step", width)
    write_up(axes, goal.in_words(), height)
    return figure


def _draw_curve(axes: Axes, trial: SearchedTrial) -> None:
    if trial.state == "COMPLETE":
        _plot_reports(axes, trial, color=MODEL_COLOUR, linewidth=1, alpha=0.35)
    elif trial.state == "PRUNED":
        _plot_reports(axes, trial, color=FAINT, linewidth=0.9, alpha=0.7)
        end = max(trial.reports)
        axes.plot([end], np.clip(trial.reports[end], *axes.get_ylim()), "x", color=MUTED, markersize=5, alpha=0.6)
    else:
        _plot_reports(axes, trial, color=MUTED, linewidth=1.2, linestyle=":")


def _plot_reports(axes: Axes, trial: SearchedTrial, **look: object) -> None:
    """One report alone is a dot."""
    steps = sorted(trial.reports)
    mark = "o" if len(steps) == 1 else ""
    axes.plot(steps, [trial.reports[step] for step in steps], marker=mark, markersize=5, **look)  # type: ignore[arg-type]


def _write_best(axes: Axes, count: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        title=f"the best {count}" if count > 1 else "the best",
        title_fontsize=BODY_PT,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        alignment="left",
        fontsize=BODY_PT,
        labelcolor=INK,
        frameon=False,
    )


def pareto_figure(searched: Searched) -> Figure:
    """Of two goals; the line divides what the front beats from what nothing has reached."""
    width, height = 910, 660
    trials, front = searched.valued(), pareto_front(searched)
    limits = [_front_limits(searched, front, place) for place in range(2)]
    beyond = sum(any(not low <= v <= high for v, (low, high) in zip(t.values, limits, strict=True)) for t in trials)
    facts = f"{counts_in_words(searched)}; {len(front)} on the front"
    note = "Hollow: not feasible. Numbers: trials of the front."
    note += f" Beyond the edges: {beyond}." if beyond else ""
    figure = framed(searched, "Pareto front", facts, note, size_px=(1100, 980), left_px=LEFT_PX)
    axes = place_axes(figure, left_px=LEFT_PX, bottom_px=980 - TOP_PX - height, width_px=width, height_px=height)
    gridded(axes)
    axes.set(xlim=padded(limits[0]), ylim=padded(limits[1]))
    for is_feasible, face in ((True, FAINT), (False, "none")):
        values = np.array([trial.values for trial in trials if trial.is_feasible is is_feasible]).reshape(-1, 2)
        axes.scatter(values[:, 0], values[:, 1], s=30, facecolor=face, edgecolor=MUTED, linewidth=0.8, alpha=0.8)
    across, up = np.array([trial.values for trial in front]).reshape(-1, 2).T
    shape = "steps-pre" if searched.goals[0].sign > 0 else "steps-post"
    axes.plot(across, up, color=POINT_COLOUR, linewidth=1.6, drawstyle=shape, label="front")
    axes.plot(across, up, "o", color=POINT_COLOUR, markersize=8, markeredgecolor="white", zorder=4)
    _number_front(axes, front)
    write_across(axes, searched.goals[0].in_words(), width)
    write_up(axes, searched.goals[1].in_words(), height)
    return figure


def _front_limits(searched: Searched, front: Sequence[SearchedTrial], place: int) -> tuple[float, float]:
    """Whatever else is cut off, the front is not: its ends may be far out in one of the goals."""
    low, high = value_limits([trial.values[place] for trial in searched.valued()], searched.goals[place])
    on_front = [trial.values[place] for trial in front]
    return min([low, *on_front]), max([high, *on_front])


def _number_front(axes: Axes, front: Sequence[SearchedTrial]) -> None:
    named: list[np.ndarray] = []
    for trial in front:
        across, up = trial.values
        at = axes.transData.transform((across, up))
        if len(named) < NUMBERED and all(np.abs(at - other).max() > APART_PX for other in named):
            named.append(at)
            axes.annotate(str(trial.number), (across, up), (6, 5), textcoords="offset points", size=SMALL_PT, color=INK)
