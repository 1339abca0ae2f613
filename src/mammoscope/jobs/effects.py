"""What mattered in a search over every combination: main effects and interactions, with intervals."""

from typing import TYPE_CHECKING, Any

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.factorial import FactorialAnalysis, analyse_factorial
from mammoscope.metrics.factorial_design import Observation
from mammoscope.reporting.console import console, say
from mammoscope.reporting.effects import MEANING, effects_markdown, facts, interaction_table, main_table
from mammoscope.reporting.figures_effects import effects_figure
from mammoscope.search.search import Search
from mammoscope.search.space import Choice
from mammoscope.search.trials import EACH, Result

if TYPE_CHECKING:
    from mammoscope.jobs.search_run import SearchRun

OPTION = "full_factorial"
PAGE, FIGURE = "effects.md", "figures/effects.png"


def say_effects(search: Search, setting: Any, parent: "SearchRun") -> None:
    """Of a designed experiment with one objective; nothing of other searches.

    What its trainings cannot tell is said, not raised: the search itself is complete.
    """
    if setting.search.option != OPTION:
        return
    try:
        analysis = _analysis(search)
    except MammoscopeError as error:
        say(str(error))
        return
    (objective,) = search.plan.objectives
    metric, direction = objective.key, objective.direction
    console.print(main_table(analysis, metric))
    pairs = interaction_table(analysis, metric)
    if pairs is not None:
        console.print(pairs)
    for line in (*facts(analysis), *_other_ranges(search), MEANING):
        say(line)
    text = effects_markdown(analysis, name=search.plan.name, metric=metric, direction=direction)
    parent.tracker.text(text, PAGE)
    parent.tracker.figure(effects_figure(analysis, metric=metric, direction=direction), FIGURE)


def _analysis(search: Search) -> FactorialAnalysis:
    space = search.plan.space
    factors = {key: range_.options for key, range_ in space.items() if isinstance(range_, Choice)}
    several = {key: options for key, options in factors.items() if len(options) > 1}
    done = [result for result in search.results() if result.state == "COMPLETE"]
    return analyse_factorial(several, [one for result in done for one in _observations(result, list(several))])


def _observations(result: Result, factors: list[str]) -> list[Observation]:
    """One a training; the trials' trainings of one place have the same seed and fold, which makes them a block."""
    levels = {key: str(result.params[key]) for key in factors if key in result.params}
    values = [float(word) for word in result.attrs.get(EACH, "").split()] or [result.values[0]]
    return [Observation(levels=levels, value=value, block=str(place)) for place, value in enumerate(values)]


def _other_ranges(search: Search) -> list[str]:
    ranges = {key: range_ for key, range_ in search.plan.space.items() if not isinstance(range_, Choice)}
    varied = [key for key, range_ in ranges.items() if len(range_.points() or (0, 1)) > 1]
    return [f"No factors, as they are no choice(...), and part of what differs: {', '.join(varied)}."] if varied else []
