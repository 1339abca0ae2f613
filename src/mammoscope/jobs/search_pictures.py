"""What a search has found, as the pictures of its run."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

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
from mammoscope.search.pictures import ENOUGH, importances
from mammoscope.search.search import Search
from mammoscope.search.space import Choice, Range, Value
from mammoscope.search.trials import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECADES = 2.0  # of positive numbers, from which on they are drawn by their logarithm where no range says so


def draw_pictures(search: Search) -> "Iterator[tuple[str, Figure]]":
    """(name, figure), each drawn as it is asked for; those that need more trials than there are are left out."""
    searched = _searched(search)
    done = len(searched.valued())
    for place in range(len(searched.goals) if done else 0):
        end = "" if search.plan.is_single else f"_{place}"
        yield f"history{end}", history_figure(searched, place)
        if done < ENOUGH or not searched.axes:
            continue
        shares = importances(search, place)
        if shares:
            yield f"importance{end}", importance_figure(searched, shares, place)
        yield f"slice{end}", slice_figure(searched, place)
        if len(searched.axes) > 1:
            yield f"parallel{end}", parallel_figure(searched, place, shares)
    if any(trial.reports for trial in searched.trials):
        yield "intermediate", intermediate_figure(searched)
    if len(searched.goals) == 2 and done:
        yield "pareto", pareto_figure(searched)


def _searched(search: Search) -> Searched:
    plan, results = search.plan, search.results()
    return Searched(
        name=plan.name,
        goals=tuple(Goal(objective.key, objective.direction) for objective in plan.objectives),
        axes=tuple(_axes(plan.space, results)),
        trials=tuple(
            SearchedTrial(
                number=result.number,
                state=result.state,
                values=result.values,
                params=result.params,
                reports=result.reports,
                is_feasible=result.is_feasible,
            )
            for result in results
        ),
    )


def _axes(space: Mapping[str, Range], results: Sequence[Result]) -> Iterator[ParameterAxis]:
    """Of what differs between complete trials: first the space's own, then what `search.configure` drew."""
    seen: dict[str, set[Value]] = {key: set() for key in space}
    for result in results:
        for key, value in result.params.items() if result.state == "COMPLETE" else ():
            seen.setdefault(key, set()).add(value)
    for key, values in seen.items():
        if len(values) > 1:
            yield _axis_of(key, space[key]) if key in space else _axis_from(key, values)


def _axis_of(key: str, range_: Range) -> ParameterAxis:
    if isinstance(range_, Choice):
        return ParameterAxis(key=key, options=range_.options)
    return ParameterAxis(key=key, is_log=range_.log, low=range_.low, high=range_.high)


def _axis_from(key: str, values: Collection[Value]) -> ParameterAxis:
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return ParameterAxis(key=key, options=tuple(sorted(map(str, values))))
    return ParameterAxis(key=key, is_log=min(numbers) > 0 and max(numbers) >= 10**DECADES * min(numbers))
