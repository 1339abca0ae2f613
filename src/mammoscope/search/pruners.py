"""search.pruner -> an Optuna pruner."""

from collections.abc import Callable

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)

from mammoscope.search.plan import Plan
from mammoscope.vocabulary import PrunerName


def build_pruner(plan: Plan) -> BasePruner:
    return _PRUNERS[plan.pruner](plan)


def _median(plan: Plan) -> BasePruner:
    return MedianPruner(n_startup_trials=plan.startup_trials, n_warmup_steps=plan.warmup_steps)


_PRUNERS: dict[PrunerName, Callable[[Plan], BasePruner]] = {
    PrunerName.none: lambda plan: NopPruner(),
    PrunerName.median: _median,
    PrunerName.successive_halving: lambda plan: SuccessiveHalvingPruner(
        min_resource=max(1, plan.warmup_steps), reduction_factor=3
    ),
    PrunerName.hyperband: lambda plan: HyperbandPruner(
        min_resource=max(1, plan.warmup_steps), max_resource=max(2, plan.steps), reduction_factor=3
    ),
    PrunerName.patient: lambda plan: PatientPruner(_median(plan), patience=max(1, plan.steps // 4)),
    PrunerName.wilcoxon: lambda plan: WilcoxonPruner(p_threshold=0.1, n_startup_steps=2),
}
