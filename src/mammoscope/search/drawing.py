"""The next trial of a search, drawn whole before the store hears of it."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState, create_trial

from mammoscope.errors import MammoscopeError
from mammoscope.search.plan import Plan
from mammoscope.search.pruners import build_pruner
from mammoscope.search.samplers import build_sampler
from mammoscope.search.space import Choice, Draw, Range, Suggest, Value, Whole, shuffled, size
from mammoscope.vocabulary import SamplerName

ATTEMPTS = 24  # at a point that no trial has


@dataclass(frozen=True, slots=True)
class Drawn:
    """A point that no trial has, and what the sampler wants to find beside it."""

    params: Mapping[str, Value]
    distributions: Mapping[str, BaseDistribution]
    overrides: Mapping[str, str]  # without those that every trial has
    system_attrs: Mapping[str, object]


def draw_next(plan: Plan, fixed: Mapping[str, str], history: Sequence[FrozenTrial]) -> Drawn | None:
    """None where the space has no further point, or none that can be found.

    fixed: what the search does not draw and a `search.configure` function may read.
    history: all trials of the search, by number. What is drawn follows from them, the plan and nothing else.
    """
    known = {_key(trial.params) for trial in history}
    for drawn in _candidates(plan, fixed, history):
        if _key(drawn.params) not in known:
            return drawn
    return None


def _candidates(plan: Plan, fixed: Mapping[str, str], history: Sequence[FrozenTrial]) -> Iterator[Drawn]:
    if plan.sampler is not SamplerName.grid:
        for attempt in range(ATTEMPTS):
            yield _sampled(plan, fixed, history, attempt)
    is_known = plan.sampler is SamplerName.grid or plan.configure is None
    if is_known and size(plan.space) is not None:
        for values in shuffled(plan.space, plan.sampler_seed):
            yield _settled(plan, fixed, values)


def _key(params: Mapping[str, object]) -> frozenset[tuple[str, object]]:
    return frozenset(params.items())


def _sampled(plan: Plan, fixed: Mapping[str, str], history: Sequence[FrozenTrial], attempt: int) -> Drawn:
    """Drawn in a study in memory that has the same past, so that the search's own store sees whole trials only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = optuna.create_study(
            study_name=plan.name,  # hyperband deals trials to brackets by it
            directions=plan.directions,
            sampler=build_sampler(plan, len(history), attempt),
            pruner=build_pruner(plan),
        )
        study.add_trials([_claimed(trial) for trial in history])
        trial = study.ask()

        def suggest(key: str, range_: Range) -> Value:
            if isinstance(range_, Choice):
                return str(trial.suggest_categorical(key, range_.options))
            if isinstance(range_, Whole):
                return trial.suggest_int(key, range_.low, range_.high, step=range_.step, log=range_.log)
            return trial.suggest_float(key, range_.low, range_.high, step=range_.step, log=range_.log)

        overrides = _overrides(plan, fixed, suggest)
        drawn = study.get_trials(deepcopy=False)[-1]
    return Drawn(drawn.params, drawn.distributions, overrides, drawn.system_attrs)


def _claimed(trial: FrozenTrial) -> FrozenTrial:
    """One that waits for its owner is drawn already, and not to be handed out here."""
    if trial.state is not TrialState.WAITING:
        return trial
    return create_trial(
        state=TrialState.RUNNING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )


def _settled(plan: Plan, fixed: Mapping[str, str], values: Mapping[str, Value]) -> Drawn:
    """A point of a finite space."""

    def suggest(key: str, range_: Range) -> Value:
        if key not in values:
            raise MammoscopeError(
                f"search.configure draws {key}, which is not in search.space: search.sampler=grid goes through what it "
                "knows beforehand; allowed: to draw it there, or another sampler"
            )
        return values[key]

    overrides = _overrides(plan, fixed, suggest)
    return Drawn(values, {key: range_.distribution() for key, range_ in plan.space.items()}, overrides, {})


def _overrides(plan: Plan, fixed: Mapping[str, str], suggest: Suggest) -> dict[str, str]:
    draw = Draw(suggest, plan.parse, dict(fixed), plan.base)
    for key, range_ in plan.space.items():
        draw.range(key, range_)
    if plan.configure is not None:
        plan.configure(draw)
    return {key: value for key, value in draw.overrides.items() if fixed.get(key) != value}
