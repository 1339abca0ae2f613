"""A search whose objective costs nothing: the claim, resume and tell code is the one that trainings go through."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

from mammoscope.search.plan import Objective, Plan
from mammoscope.search.search import Search
from mammoscope.search.space import Choice, Range, Real, Whole
from mammoscope.search.storage import open_storage
from mammoscope.search.trials import Claimed
from mammoscope.vocabulary import Direction, PrunerName, SamplerName

NUMBERS: dict[str, Range] = {"lr": Real(1e-5, 1e-1, log=True), "width": Whole(1, 64), "drop": Real(0.0, 0.5)}
MIXED: dict[str, Range] = {**NUMBERS, "backbone": Choice(("resnet18", "resnet50", "lite0"))}
FINITE: dict[str, Range] = {"a": Choice(("x", "y", "z")), "b": Whole(1, 4), "c": Real(0.0, 0.5, step=0.25)}
STEPS = 4


def _word(_: str, text: str) -> Range:
    return Choice((text,))


def plan_of(
    sampler: SamplerName, trials: int, *, name: str = "toy", pruner: PrunerName = PrunerName.none, **changes: object
) -> Plan:
    space = {SamplerName.grid: FINITE, SamplerName.cmaes: NUMBERS, SamplerName.gp: NUMBERS}.get(sampler, MIXED)
    several = sampler is SamplerName.nsga2
    objectives = (Objective("loss", Direction.minimize), *((Objective("cost", Direction.minimize),) if several else ()))
    known: dict[str, object] = {
        "name": name,
        "trials": trials,
        "objectives": objectives,
        "space": space,
        "sampler": sampler,
        "sampler_seed": 7,
        "pruner": pruner,
        "startup_trials": 5,
        "steps": STEPS,
        "warmup_steps": 1,
        "max_failure_fraction": 0.5,
        "parse": _word,
        "base": {},
        "settings": {"space": str(space)},
    }
    return Plan(**(known | changes))  # type: ignore[arg-type]


def loss(claimed: Claimed) -> float:
    """A bowl, whatever of the toy spaces was drawn."""
    total = 0.0
    for key, value in claimed.params.items():
        number = float(len(value)) if isinstance(value, str) else float(value)
        total += (math.log1p(abs(number)) - 0.5 * len(key)) ** 2
    return total


def work(search: Search, between: Callable[[], None] = lambda: None) -> int:
    """Until the search has nothing to give; returns how many trials this was."""
    done = 0
    while (claimed := search.claim()) is not None:
        between()
        value, pruned = loss(claimed), False
        for step in range(STEPS):
            pruned = search.report(claimed, value + 1 / (step + 1 + claimed.number % 3), step)
            between()
            if pruned:
                break
        if pruned:
            search.tell_pruned(claimed, "behind")
        else:
            search.tell(claimed, [value, float(claimed.number % 5)][: len(search.plan.objectives)])
        between()
        done += 1
    return done


def main() -> None:
    """python toy.py <storage> <sampler> <trials> <pruner> [name]"""
    url, sampler, trials, pruner = sys.argv[1:5]
    plan = plan_of(SamplerName(sampler), int(trials), pruner=PrunerName(pruner), name=(sys.argv[5:] or ["toy"])[0])
    print(work(Search(plan, open_storage(url), {})), flush=True)
    assert "torch" not in sys.modules or sampler == "gp", "claiming needs no torch"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "src"))
    main()
