"""What a search says of itself on a terminal."""

from collections import Counter

from mammoscope.config import SearchConfig
from mammoscope.reporting.console import say
from mammoscope.search.search import Search
from mammoscope.search.space import size
from mammoscope.search.trials import RUN

_COUNTED = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "put back"}


def say_start(search: Search, config: SearchConfig) -> None:
    plan = search.plan
    states = Counter(result.state for result in search.results())
    told = ", ".join(f"{states[state]} {word}" for state, word in _COUNTED.items() if states[state])
    objectives = ", ".join(f"{objective.direction} {objective.key}" for objective in plan.objectives)
    say(f"search {plan.name}: {plan.trials} trials, {told or 'none begun'}; {objectives}")
    say(f"sampler {plan.sampler}, pruner {plan.pruner}, {config.workers} worker{'s' if config.workers > 1 else ''}")
    for key, range_ in plan.space.items():
        say(f"  {key}: {range_.in_words()}")


def explain_search(search: Search, config: SearchConfig) -> None:
    """`search.dry_run=true`: what is fixed, what is drawn from where, what is done, missing and failed."""
    say_start(search, config)
    plan, results = search.plan, search.results()
    if config.configure is not None:
        say(f"  and what {config.configure} makes of it")
    points = size(plan.space)
    say(f"points in the space: {'endless' if points is None else points}")
    say("fixed on the command line and in search.space: " + (" ".join(search.fixed_in_words()) or "nothing"))
    say(f"each trial: {config.seeds} seed{'s' if config.seeds > 1 else ''}, {plan.steps} reports to its end")
    for text in config.constraints:
        say(f"constraint: {text}")
    missing = plan.trials - len(results)
    say(f"missing: {missing} of {plan.trials}")
    for result in results:
        if result.state == "FAIL":
            say(f"failed: trial {result.number}: {result.attrs.get('reason', '?')}")
    drawn = search.draw() if missing > 0 else None
    if drawn is not None:
        say("the next one would be: " + " ".join(f"{key}={value}" for key, value in drawn.overrides.items()))
    say("search.dry_run=true: nothing is trained")


def say_ending(search: Search) -> None:
    """The last line is read by scripts: the best trial's number, value and run."""
    states = Counter(result.state for result in search.results())
    told = ", ".join(f"{states[state]} {word}" for state, word in _COUNTED.items() if states[state])
    say(f"search {search.plan.name}: {told}")
    if not search.plan.is_single:
        for result in search.best(1000):
            values = " ".join(f"{value:.6g}" for value in result.values)
            say(f"on the front: trial {result.number} {values} {result.attrs.get(RUN, '')}")
    best = search.best()
    if not best:
        say("best: none: no trial is complete and feasible")
        return
    values = " ".join(repr(value) for value in best[0].values)
    say(f"best: trial {best[0].number} value {values} run {best[0].attrs.get(RUN, '')}")
