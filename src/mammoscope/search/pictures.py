"""How much each parameter of a search has mattered."""

import math
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.search_space import intersection_search_space
from optuna.trial import FrozenTrial, TrialState, create_trial

from mammoscope.search.search import Search

ENOUGH = 4  # complete trials
TREES = 32


def importances(search: Search, place: int = 0) -> dict[str, float]:
    """By key, the largest first: shares of 1 of the spread of the objective at `place`; the same at every call.

    Parameters that not every complete trial has are left out, and such as were the same in all of them. Blank where
    nothing can be said.
    """
    done = [trial for trial in search.study.get_trials(deepcopy=False) if _is_complete(trial, place)]
    space = {
        key: distribution
        for key, distribution in intersection_search_space(done).items()
        if len({trial.params[key] for trial in done}) > 1
    }
    if len(done) < ENOUGH or not space:
        return {}
    try:
        found = get_param_importances(
            _even(done, space, place), evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0)
        )
    except (RuntimeError, ValueError):  # all values are the same
        return {}
    return {key: float(share) for key, share in found.items()}


def _is_complete(trial: FrozenTrial, place: int) -> bool:
    return trial.state is TrialState.COMPLETE and math.isfinite(trial.values[place])


def _even(done: Sequence[FrozenTrial], space: Mapping[str, BaseDistribution], place: int) -> optuna.Study:
    """The trials in a study of their own, where what was drawn by its logarithm is that logarithm.

    fANOVA asks how much of a range is good. As it stands in Optuna it counts rates from 1e-3 to 1e-2 as nine tenths of
    those from 1e-5 on, and finds of a learning rate half of what it matters.
    """
    even = optuna.create_study()
    distributions = {key: _without_log(distribution) for key, distribution in space.items()}
    for trial in done:
        params = {key: math.log(trial.params[key]) if _is_log(one) else trial.params[key] for key, one in space.items()}
        even.add_trial(create_trial(params=params, distributions=distributions, value=trial.values[place]))
    return even


def _is_log(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log


def _without_log(distribution: BaseDistribution) -> BaseDistribution:
    if isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
        return FloatDistribution(math.log(distribution.low), math.log(distribution.high))
    return distribution
