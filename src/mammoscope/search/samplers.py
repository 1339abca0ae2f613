"""search.sampler -> an Optuna sampler for one trial.

Each trial gets a sampler of its own, seeded by the search's seed and the trial's number: what is drawn follows from the
trials before it and from nothing that a process knows, so a search that was killed draws what it would have drawn.
"""

import hashlib
from collections.abc import Callable
from typing import Any, final

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial

from mammoscope.search.plan import Plan
from mammoscope.vocabulary import SamplerName


def build_sampler(plan: Plan, number: int, attempt: int) -> BaseSampler:
    """attempt: 0, or how often what was drawn for this trial had been drawn before."""
    seed = seed_of(plan.sampler_seed, number, attempt)
    if attempt and plan.sampler is SamplerName.qmc:
        return RandomSampler(seed)
    return _SAMPLERS[plan.sampler](plan, seed)


def seed_of(seed: int, number: int, attempt: int) -> int:
    digest = hashlib.blake2b(f"{seed}/{number}/{attempt}".encode(), digest_size=4).digest()
    return int.from_bytes(digest)


@final
class _NumberedQmc(QMCSampler):
    """Trial n is point n of the sequence. Optuna's own counts in the store, where a killed process leaves a gap."""

    def __init__(self, plan: Plan, seed: int):
        super().__init__(
            qmc_type="sobol",
            scramble=True,
            seed=plan.sampler_seed,
            independent_sampler=RandomSampler(seed),
            warn_independent_sampling=False,
        )
        self._space = {key: range_.distribution() for key, range_ in plan.space.items()}
        self._number = 0

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(sorted((key, one) for key, one in self._space.items() if not one.single()))

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._number = trial.number
        return super().sample_relative(study, trial, search_space)

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._number


def _tpe(plan: Plan, seed: int) -> BaseSampler:
    return TPESampler(
        seed=seed,
        n_startup_trials=plan.startup_trials,
        multivariate=True,
        group=plan.configure is not None,
        constant_liar=True,  # else workers that draw at the same time draw neighbours
    )


def _gp(plan: Plan, seed: int) -> BaseSampler:
    return GPSampler(
        seed=seed,
        n_startup_trials=plan.startup_trials,
        deterministic_objective=False,
        independent_sampler=RandomSampler(seed),
        warn_independent_sampling=False,
    )


def _cmaes(plan: Plan, seed: int) -> BaseSampler:
    return CmaEsSampler(
        seed=seed,
        n_startup_trials=plan.startup_trials,
        independent_sampler=RandomSampler(seed),
        warn_independent_sampling=False,
    )


def _nsga2(plan: Plan, seed: int) -> BaseSampler:
    population = max(2, min(50, plan.trials // 5))
    return NSGAIISampler(seed=seed, population_size=population)


_SAMPLERS: dict[SamplerName, Callable[[Plan, int], BaseSampler]] = {
    SamplerName.tpe: _tpe,
    SamplerName.gp: _gp,
    SamplerName.cmaes: _cmaes,
    SamplerName.nsga2: _nsga2,
    SamplerName.qmc: lambda plan, seed: _NumberedQmc(plan, seed),
    SamplerName.random: lambda plan, seed: RandomSampler(seed),
}
