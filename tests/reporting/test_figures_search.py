"""The figures of a search: what they show, what is best in them, and that every word of them has room."""

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from mammoscope.reporting.figures_search import (
    Goal,
    ParameterAxis,
    Searched,
    SearchedTrial,
    history_figure,
    importance_figure,
    intermediate_figure,
    parallel_figure,
    pareto_figure,
    slice_figure,
)
from mammoscope.reporting.figures_search_trials import best_first, best_so_far, pareto_front, value_limits
from mammoscope.reporting.figures_style import FAINT, POINT_COLOUR
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Direction

AUC = Goal("validation/abnormality/average_precision", Direction.maximize)
COST = Goal("cost/training_s", Direction.minimize)
BACKBONES = ("resnet18", "resnet50", "densenet121", "efficientnet_lite0", "convnext_tiny")
AXES = (
    ParameterAxis(key="optimizer.lr", is_log=True, low=1e-5, high=1e-2),
    ParameterAxis(key="optimizer.backbone_lr_factor", is_log=True, low=0.01, high=1.0),
    ParameterAxis(key="optimizer.weight_decay", is_log=True, low=1e-4, high=0.3),
    ParameterAxis(key="schedule.warmup_epochs", options=("0", "1", "2")),
    ParameterAxis(key="model", options=BACKBONES),
    ParameterAxis(key="model.drop_rate", low=0.0, high=0.5),
    ParameterAxis(key="loss.$smoothing$", low=0.0, high=0.2),
    ParameterAxis(key="augment.mixup_alpha", options=("0", "0.2", "0.4")),
    ParameterAxis(key="augment.elastic_displacement_px", low=1, high=64),
    ParameterAxis(key="augment.random_resized_crop_scale_fraction", low=0.0, high=0.3),
    ParameterAxis(key="trainer.batch_size", options=("8", "16", "32", "64")),
    ParameterAxis(key="optimizer.momentum", low=0.8, high=0.99),
)
STATES = ("COMPLETE", "COMPLETE", "PRUNED", "COMPLETE", "COMPLETE", "FAIL", "COMPLETE")


def drawn(axis: ParameterAxis, rng: np.random.Generator) -> object:
    if axis.options is not None:
        return str(rng.choice(axis.options))
    if axis.is_log:
        return float(np.exp(rng.uniform(np.log(axis.low), np.log(axis.high))))
    return float(rng.uniform(axis.low, axis.high))


def searched(count: int, axes: tuple[ParameterAxis, ...] = AXES, goals: tuple[Goal, ...] = (AUC,)) -> Searched:
    """Every fifth complete trial did not draw the last parameter; one value is far out."""
    rng, trials = np.random.default_rng(count), []
    for number in range(count):
        params = {axis.key: drawn(axis, rng) for axis in axes}
        if number % 5 == 4:
            params.popitem()
        values = tuple(float(rng.uniform(0.7, 0.9)) * (1 if goal is AUC else 4e9) for goal in goals)
        state = STATES[number % len(STATES)]
        steps = 20 if state == "COMPLETE" else 1 + number % 7
        trials.append(
            SearchedTrial(
                number=number,
                state=state,
                values=values if state == "COMPLETE" else (),
                params=params,
                reports={step: values[0] - 0.3 / (1 + step) for step in range(steps)},
                is_feasible=number % 6 != 3,
            )
        )
    name = "mass_efficientnet_lite0_standard_20260101 named as people do who want to know it again: $lr$ and more"
    return Searched(name=name, goals=goals, axes=axes, trials=tuple(trials))


def with_values(search: Searched, *values: tuple[float, ...]) -> Searched:
    trials = [replace(search.trials[0], number=at, values=one) for at, one in enumerate(values)]
    return replace(search, trials=tuple(trials))


def written(figure: Figure) -> list[Text]:
    """Matplotlib keeps labels of ticks beyond the axes too, which it never draws."""
    figure.draw_without_rendering()
    unseen = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            unseen |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in unseen]


def cut_off(figure: Figure) -> list[str]:
    inside = figure.bbox.padded(-4)
    boxes = [(text.get_text(), text.get_window_extent()) for text in written(figure)]
    return [
        text
        for text, box in boxes
        if not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
    ]


def touching(texts: list[Text]) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


@pytest.mark.parametrize(("count", "parameters"), [(0, 1), (1, 2), (60, 12)])
@pytest.mark.parametrize("draw", [history_figure, slice_figure, parallel_figure, intermediate_figure])
def test_nothing_is_cut_off(draw, count, parameters):
    figure = draw(searched(count, axes=AXES[:parameters]))
    assert cut_off(figure) == []
    assert 900 <= figure.bbox.width <= 1400
    assert any(RESEARCH_USE_ONLY in text.get_text() for text in figure.texts)


def test_nothing_of_several_goals_is_cut_off():
    search = searched(40, goals=(AUC, COST), axes=AXES[:2])
    assert cut_off(pareto_figure(search)) == []
    assert cut_off(history_figure(search, 1)) == []
    assert cut_off(slice_figure(search, 1)) == []


def test_the_best_so_far_never_gets_worse_whichever_way_is_better():
    for goal, better in ((AUC, np.greater_equal), (replace(AUC, direction=Direction.minimize), np.less_equal)):
        search = searched(60, goals=(goal,))
        across, up = best_so_far(search, 0)
        feasible = [trial for trial in search.trials if trial.state == "COMPLETE" and trial.is_feasible]
        assert across.tolist() == [trial.number for trial in feasible]
        assert all(better(after, before) for before, after in pairwise(up))
        line = next(line for line in history_figure(search).axes[0].lines if line.get_label() == "best so far")
        assert line.get_ydata()[:-1].tolist() == up.tolist()
        assert up[-1] == best_first(search, 0)[0].values[0]


def test_the_history_tells_pruned_and_failed_apart_below_the_values():
    search = searched(21)
    values, strip = history_figure(search).axes
    assert values.get_xlim() == strip.get_xlim()
    rows = {line.get_marker(): line.get_xdata().tolist() for line in strip.lines}
    assert rows == {"|": [2, 9, 16], "x": [5, 12, 19]}
    assert [text.get_text() for text in strip.get_yticklabels()] == ["pruned", "failed"]
    legend = [text.get_text() for text in values.get_legend().get_texts()]
    assert legend[:3] == ["trial", "not feasible", "best so far"]


def test_values_that_are_far_worse_are_cut_off_and_those_far_better_are_not():
    values = [*np.linspace(0.8, 0.9, 20), 0.1, 3.0]
    assert value_limits(values, AUC) == (0.8, 3.0)
    assert value_limits(values, COST) == (0.1, 0.9)
    assert value_limits([0.5], COST)[0] < 0.5 < value_limits([0.5], COST)[1]
    search = with_values(searched(1), *((value,) for value in values))
    (axes, _) = history_figure(search).axes
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(values)  # at the edge, not gone


def test_bars_of_importance_are_ordered_and_long_keys_have_room():
    shares = {"model": 0.2, "augment.random_resized_crop_scale_fraction_of_both": 0.75, "optimizer.lr": 0.05}
    figure = importance_figure(searched(30), shares)
    assert cut_off(figure) == []
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.05, 0.2, 0.75]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[:2] == ["optimizer.lr", "model"]
    assert labels[2].startswith("augment.")


def test_every_parameter_has_a_panel_four_in_a_row():
    figure = slice_figure(searched(60))
    assert [axes.get_title("left").replace("\n", "") for axes in figure.axes] == [axis.key for axis in AXES]
    assert [axes.get_xscale() for axes in figure.axes] == ["log" if axis.is_log else "linear" for axis in AXES]
    assert len({round(axes.bbox.y0) for axes in figure.axes}) == 3
    assert len({round(axes.bbox.x0) for axes in figure.axes}) == 4
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    written(figure)
    for axes in figure.axes:
        assert touching(axes.get_xticklabels()) == []
    titles = [axes._left_title for axes in figure.axes]
    labels = [label for axes in figure.axes for label in axes.get_xticklabels()]
    assert touching([*titles, *labels]) == []


def test_categories_of_a_slice_keep_their_order_and_are_not_scattered():
    (axes,) = slice_figure(searched(60, axes=(AXES[4],))).axes
    assert [label.get_text().replace("\n", "") for label in axes.get_xticklabels()] == list(BACKBONES)
    places = np.concatenate([points.get_offsets()[:, 0] for points in axes.collections])
    assert set(places.tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("direction", "number"), [(Direction.maximize, 1), (Direction.minimize, 2)])
def test_the_best_is_marked_by_the_direction(direction, number):
    values = ((0.7,), (0.9,), (0.6,))
    search = with_values(searched(1, goals=(Goal("loss", direction),), axes=AXES[:2]), *values)
    for axes in (history_figure(search).axes[0], slice_figure(search).axes[0]):
        (mark,) = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())][-1:]
        assert mark.get_ydata()[0] == values[number][0]
    (axes,) = parallel_figure(search).axes
    (thick,) = [line for line in axes.lines if line.get_linewidth() > 3]
    assert thick.get_color() == POINT_COLOUR
    assert thick.get_ydata()[-1] == (1 if direction is Direction.maximize else 0)
    (lines,) = axes.collections
    assert thick.get_zorder() > lines.get_zorder()
    ends = [line[-1, 1] for line in lines.get_segments()]
    assert ends == sorted(ends, reverse=direction is Direction.minimize)  # the better over the worse
    brightness = lines.get_colors()[:, :3].sum(axis=1)
    assert all(after < before for before, after in pairwise(brightness))  # and darker


def test_parallel_axes_have_their_own_ticks_and_nothing_overlaps():
    search = searched(60, axes=AXES[:10])
    figure = parallel_figure(search)
    written(figure)
    (axes,) = figure.axes
    titles = [text for text in axes.texts if text.get_weight() == "bold"]
    assert [title.get_text().replace("\n", "") for title in titles] == [*(axis.key for axis in AXES[:10]), AUC.key]
    assert touching(list(axes.texts)) == []
    said = [text.get_text().replace("\n", "") for text in axes.texts]
    assert {"1e-5", "0.0001", *BACKBONES} <= set(said)
    complete = [trial for trial in search.trials if trial.state == "COMPLETE"]
    (lines,) = axes.collections
    below = [(line[:, 1] < 0).sum() for line in lines.get_segments()]
    assert sum(below) == sum(AXES[9].key not in trial.params for trial in complete)
    assert len(below) == len(complete)


def test_of_too_many_axes_those_that_matter_are_kept_in_their_order():
    axes = (*AXES, ParameterAxis(key="first", low=0, high=1), ParameterAxis(key="last", low=0, high=1))
    figure = parallel_figure(searched(12, axes=axes), 0, {"last": 0.5, **{axis.key: 0.1 for axis in AXES[1:]}})
    titles = [text.get_text().replace("\n", "") for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert titles[0] == AXES[1].key
    assert titles[-2] == "last"
    assert "Not shown: 2 more parameters." in figure.texts[2].get_text()


def test_curves_name_the_best_five_and_end_in_a_cross_where_pruned():
    search = searched(60)
    (axes,) = intermediate_figure(search).axes
    best = best_first(search, 0)[:5]
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == [f"trial {trial.number}: {trial.values[0]:.4g}" for trial in best]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    pruned = [trial for trial in search.trials if trial.state == "PRUNED"]
    assert [line.get_xdata()[0] for line in crosses] == [max(trial.reports) for trial in pruned]
    dimmed = [line for line in axes.lines if line.get_color() == FAINT and line.get_marker() != "x"]
    assert len(dimmed) == len(pruned)


@pytest.mark.parametrize("first", Direction)
@pytest.mark.parametrize("second", Direction)
def test_the_front_is_what_no_other_beats(first, second):
    values = np.random.default_rng(3).integers(0, 12, size=(40, 2)).astype(float)
    goals = (Goal("a", first), Goal("b", second))
    search = with_values(searched(1, goals=goals), *map(tuple, values.tolist()))
    better = values * [goal.sign for goal in goals]
    beaten = [any((other >= one).all() and (other > one).any() for other in better) for one in better]
    front = {tuple(value) for value, is_beaten in zip(values.tolist(), beaten, strict=True) if not is_beaten}
    assert {trial.values for trial in pareto_front(search)} == front
    (axes,) = pareto_figure(search).axes
    line = next(line for line in axes.lines if line.get_label() == "front")
    assert {tuple(point) for point in line.get_xydata().tolist()} == front
    for corner in step_corners(line) * [goal.sign for goal in goals]:
        assert (better >= corner).all(axis=1).any()  # the line promises nothing that was not reached
        assert not (better > corner).all(axis=1).any()
    assert to_hex(line.get_color()).upper() == POINT_COLOUR


def step_corners(line) -> np.ndarray:
    across, up = line.get_xydata().T
    if line.get_drawstyle() == "steps-pre":
        return np.stack([across[:-1], up[1:]], axis=1)
    return np.stack([across[1:], up[:-1]], axis=1)


def test_what_is_not_feasible_is_neither_best_nor_on_the_front():
    search = with_values(searched(1, goals=(AUC, COST)), (0.9, 1.0), (0.8, 2.0), (float("inf"), 1.0))
    search = replace(search, trials=(replace(search.trials[0], is_feasible=False), *search.trials[1:]))
    assert [trial.number for trial in best_first(search, 0)] == [1]
    assert [trial.number for trial in pareto_front(search)] == [1]
