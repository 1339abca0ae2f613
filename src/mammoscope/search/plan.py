"""What a search is: everything that must stay as it is while it goes on, and what may change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from optuna.study import StudyDirection

from mammoscope.search.space import Draw, Range, Space
from mammoscope.vocabulary import Direction, PrunerName, SamplerName


@dataclass(frozen=True, slots=True)
class Objective:
    key: str  # of a metric: validation/image/auc
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    name: str
    trials: int  # planned in all
    objectives: tuple[Objective, ...]
    space: Space
    sampler: SamplerName
    sampler_seed: int
    pruner: PrunerName
    startup_trials: int  # finished ones that sampler and pruner want to see before they judge
    steps: int  # reports of a trial that runs to its end
    warmup_steps: int  # reports of a trial before which it is not pruned
    max_failure_fraction: float
    parse: Callable[[str, str], Range]
    configure: Callable[[Draw], None] | None = None
    base: Mapping[str, object]  # settings of a trial that draws nothing, by config key; for `configure`
    settings: Mapping[str, str]  # what a search may not change on its way, as text, for a person to compare

    @property
    def directions(self) -> list[StudyDirection]:
        return [StudyDirection[str(objective.direction).upper()] for objective in self.objectives]

    @property
    def is_single(self) -> bool:
        return len(self.objectives) == 1
