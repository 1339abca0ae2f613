"""What config and command line say of a search -> the plan that search/ goes by, checked."""

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mammoscope.config import SearchConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import flat_config, hashed_config, public_config
from mammoscope.search.plan import Objective, Plan
from mammoscope.search.space import Draw, Range, Space, size
from mammoscope.vocabulary import CV_FOLDS, Direction, ImageVariant, Level, PrunerName, SamplerName, SplitScheme

COSTS = {
    "cost/parameters_million": "weights that learn or not",
    "cost/gflops_per_image": "floating point operations, forward",
    "cost/training_s": "of this machine, all seeds or folds together",
}
_CONSTRAINT = re.compile(r"\s*([\w/]+)\s*(<=|>=)\s*(-?[\d.]+(?:[eE][-+]?\d+)?)\s*")


def check_search(search: SearchConfig) -> None:
    """Values and combinations that make no sense by themselves. Raises MammoscopeError naming key and value."""
    refusals = (
        ("trials", search.trials is None or search.trials >= 1, "1 or more, or null for every point of a grid"),
        ("workers", search.workers >= 1, "1 or more"),
        ("startup_trials", search.startup_trials >= 1, "1 or more"),
        ("warmup_epochs", search.warmup_epochs >= 0, "0 or more"),
        ("seeds", search.seeds >= 1, "1 or more"),
        ("sampler_seed", search.sampler_seed >= 0, "0 or more"),
        ("max_failure_fraction", 0 <= search.max_failure_fraction <= 1, "0 to 1"),
        ("name", search.name is None or re.fullmatch(r"[\w][\w.+-]{0,99}", search.name), "letters, digits and . _ + -"),
    )
    for key, fits, allowed in refusals:
        if not fits:
            raise MammoscopeError(f"search.{key}={getattr(search, key)}: allowed: {allowed}")
    objectives = objectives_of(search)
    for objective in objectives:
        _check_metric(objective.key)
    for text in search.constraints:
        constraint_of(text)
    several = len(objectives) > 1
    if several and search.pruner is not PrunerName.none:
        raise MammoscopeError(
            f"search.pruner={search.pruner}: a trial of {len(objectives)} metrics cannot be judged on its way; allowed "
            "with several: search.pruner=none"
        )
    if several and search.sampler in (SamplerName.cmaes,):
        raise MammoscopeError(
            f"search.sampler={search.sampler}: takes one metric; allowed with several: nsga2, tpe, gp, qmc, "
            "random, grid"
        )
    if search.pruner is not PrunerName.none and not re.fullmatch(r"validation/\w+/auc", objectives[0].key):
        raise MammoscopeError(
            f"search.pruner={search.pruner} with search.metric={objectives[0].key}, which is known at a trial's end "
            "only; allowed: search.pruner=none, or validation/<level>/auc, which every epoch tells"
        )


def objectives_of(search: SearchConfig) -> tuple[Objective, ...]:
    keys = [search.metric] if isinstance(search.metric, str) else list(search.metric or [])
    directions = [search.direction] if isinstance(search.direction, str) else list(search.direction or [])
    if not keys or len(keys) != len(directions):
        raise MammoscopeError(
            f"search.metric={search.metric} with search.direction={search.direction}: as many of one as of the other; "
            "allowed: search.metric=validation/image/auc search.direction=maximize, or a list of each"
        )
    for direction in directions:
        if direction not in list(Direction):
            raise MammoscopeError(f"search.direction={direction}: allowed: {', '.join(Direction)}")
    return tuple(Objective(str(key), Direction(direction)) for key, direction in zip(keys, directions, strict=True))


def constraint_of(text: str) -> tuple[str, float, int]:
    """Key, limit, and 1 where the metric may be at most that, -1 where at least."""
    words = _CONSTRAINT.fullmatch(text)
    if words is None:
        raise MammoscopeError(
            f"search.constraints: {text!r}: allowed: '<metric> <= <number>' or '<metric> >= <number>'"
        )
    _check_metric(words[1])
    return words[1], float(words[3]), 1 if words[2] == "<=" else -1


def _check_metric(key: str) -> None:
    if key.startswith("test/"):
        raise MammoscopeError(
            f"search.metric={key}: a search may not look at the test partition, which would be sealed no longer; "
            f"allowed: {key.replace('test/', 'validation/', 1)}; `mammoscope evaluate` opens it for the winner"
        )
    words = key.split("/")
    is_known = key in COSTS or (len(words) >= 3 and words[0] == "validation" and words[1] in list(Level))
    if not is_known:
        raise MammoscopeError(
            f"search.metric={key}: there is no such metric; allowed: validation/<level>/<name> with a level of "
            f"{', '.join(Level)} (auc, sensitivity, ...), or {', '.join(COSTS)}"
        )


def repeats_of(base: TrainConfig, search: SearchConfig) -> list[tuple[int, int | None]]:
    """(seed, fold) of each training of a trial, in order."""
    folds: list[int | None] = [base.split.fold]
    if base.split.name is SplitScheme.cv5 and base.split.fold is None:
        folds = list(range(CV_FOLDS))
    return [(base.seed + number, fold) for number in range(search.seeds) for fold in folds]


def build_plan(
    base: TrainConfig,
    search: SearchConfig,
    space: Space,
    parse: Callable[[str, str], Range],
    configure: Callable[[Draw], None] | None,
) -> Plan:
    """base: what every trial has. Raises MammoscopeError where the search cannot be done as it is asked for."""
    check_search(search)
    _check_against(base, search, space)
    objectives, repeats = objectives_of(search), len(repeats_of(base, search))
    steps = repeats if search.pruner is PrunerName.wilcoxon else repeats * base.trainer.epochs
    settings = _settings(base, search, space)
    return Plan(
        name=search.name or _name(base, search, settings),
        trials=_trials(search, space),
        objectives=objectives,
        space=space,
        sampler=search.sampler,
        sampler_seed=search.sampler_seed,
        pruner=search.pruner,
        startup_trials=search.startup_trials,
        steps=steps,
        warmup_steps=search.warmup_epochs,
        max_failure_fraction=search.max_failure_fraction,
        parse=parse,
        configure=configure,
        base=flat_config(base),
        settings=settings,
    )


def configure_function(name: str | None, home: Path) -> Callable[[Draw], None] | None:
    """`module:function`; modules beside the checkout's train.py are found too."""
    if name is None:
        return None
    module, _, function = name.partition(":")
    if str(home) not in sys.path:
        sys.path.append(str(home))
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise MammoscopeError(
            f"search.configure={name}: {error}; allowed: module:function, importable from here"
        ) from error
    if not callable(found):
        raise MammoscopeError(f"search.configure={name}: is no function; allowed: module:function")
    return found


def _check_against(base: TrainConfig, search: SearchConfig, space: Space) -> None:
    if not space and search.configure is None:
        raise MammoscopeError(
            "search.space is empty: nothing is drawn; allowed: 'optimizer.lr=interval(1e-4,1e-2)', ..."
        )
    if search.sampler is SamplerName.grid and size(space) is None:
        endless = [key for key, range_ in space.items() if range_.points() is None]
        raise MammoscopeError(
            f"search.sampler=grid: {', '.join(endless)} has no finite set of values; allowed: choice(...) or range(...)"
        )
    if search.sampler is SamplerName.cmaes:
        chosen = [key for key, range_ in space.items() if hasattr(range_, "options")]
        if chosen:
            raise MammoscopeError(
                f"search.sampler=cmaes: {', '.join(chosen)} is a choice, and it knows numbers only; allowed: tpe, gp, "
                "qmc, random"
            )
    repeats = len(repeats_of(base, search))
    if search.pruner is PrunerName.wilcoxon and repeats < 3:
        raise MammoscopeError(
            f"search.pruner=wilcoxon: compares trials over seeds or folds, and a trial here has {repeats}; allowed: "
            "split=cv5, or search.seeds=3 and more"
        )
    if base.image.name is ImageVariant.full and "image" not in space:
        for objective in objectives_of(search):
            if objective.key.startswith(f"validation/{Level.abnormality}/"):
                raise MammoscopeError(
                    f"search.metric={objective.key}: image=full scores films, not abnormalities; allowed: "
                    f"{objective.key.replace('abnormality', 'image')}"
                )


def _trials(search: SearchConfig, space: Space) -> int:
    points = size(space)
    if search.trials is not None:
        return search.trials
    if points is None:
        raise MammoscopeError("search.trials=null: the space has no finite number of points; allowed: a number")
    return points


def _settings(base: TrainConfig, search: SearchConfig, space: Space) -> dict[str, str]:
    """What the trials of one search have in common, as text that tells nothing of this machine."""
    shown = public_config(base)
    drawn = [f"{key}." for key in space]
    common = {
        key: json.dumps(shown[key])
        for key in hashed_config(base)
        if key in shown and key not in space and not any(key.startswith(group) for group in drawn)
    }
    own = {
        f"search.{key}": json.dumps(getattr(search, key))
        for key in ("metric", "direction", "sampler", "sampler_seed", "pruner", "startup_trials", "warmup_epochs")
    }
    own |= {f"search.{key}": json.dumps(getattr(search, key)) for key in ("seeds", "constraints", "configure")}
    ranges = {f"search.space.{key}": range_.in_words() for key, range_ in space.items()}
    return {**common, "seed": str(base.seed), **own, **ranges}


def _name(base: TrainConfig, search: SearchConfig, settings: Mapping[str, str]) -> str:
    """The same command has the same name, and another search another."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:6]
    return f"{search.option}-{base.data.name}-{base.image.name}-{base.view.name}-{digest}"
