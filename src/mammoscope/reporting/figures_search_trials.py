"""What the figures of a search are drawn from: plain trials, and what is best among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mammoscope.vocabulary import Direction

ENOUGH_TO_CUT = 8  # values, before one of them can be called far out
FAR_OUT = 4.0  # interquartile ranges beyond the quartile


@dataclass(frozen=True, slots=True)
class Goal:
    key: str  # of a metric: validation/image/auc
    direction: Direction

    @property
    def sign(self) -> int:
        """By which a value is multiplied so that more is better."""
        return 1 if self.direction is Direction.maximize else -1

    def in_words(self) -> str:
        return f"{self.key} ({'higher' if self.sign > 0 else 'lower'} is better)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterAxis:
    key: str
    is_log: bool = False
    options: tuple[str, ...] | None = None  # in their order; None for numbers
    low: float | None = None  # of the range it was drawn from; None: as far as the trials go
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedTrial:
    number: int
    state: str  # COMPLETE, PRUNED, FAIL, RUNNING, WAITING
    values: tuple[float, ...] = ()  # as the goals stand; blank where it has none
    params: Mapping[str, object]  # without those that it did not draw
    reports: Mapping[int, float] = field(default_factory=dict)  # by step
    is_feasible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A search as far as it has come."""

    name: str
    goals: tuple[Goal, ...]
    axes: tuple[ParameterAxis, ...]  # that are to be seen
    trials: tuple[SearchedTrial, ...]  # by number

    def valued(self) -> list[SearchedTrial]:
        """The complete ones; one whose value is infinite has no place in a picture."""
        return [trial for trial in self.trials if trial.state == "COMPLETE" and np.isfinite(trial.values).all()]

    def in_state(self, *states: str) -> list[SearchedTrial]:
        return [trial for trial in self.trials if trial.state in states]


def best_first(searched: Searched, place: int) -> list[SearchedTrial]:
    """Feasible and complete, by the goal at `place`; of equals the first."""
    sign = searched.goals[place].sign
    feasible = [trial for trial in searched.valued() if trial.is_feasible]
    return sorted(feasible, key=lambda trial: (-sign * trial.values[place], trial.number))


def best_so_far(searched: Searched, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the feasible trials, and the best value up to each."""
    feasible = [trial for trial in searched.valued() if trial.is_feasible]
    sign = searched.goals[place].sign
    values = np.array([trial.values[place] for trial in feasible])
    return np.array([trial.number for trial in feasible]), sign * np.maximum.accumulate(sign * values)


def pareto_front(searched: Searched) -> list[SearchedTrial]:
    """Feasible trials of two goals that no other beats, by the first goal's value; of equals the first."""
    signs = [goal.sign for goal in searched.goals]
    feasible = [trial for trial in searched.valued() if trial.is_feasible]
    best_up, front = -np.inf, []
    for trial in sorted(feasible, key=lambda t: (-signs[0] * t.values[0], -signs[1] * t.values[1], t.number)):
        if signs[1] * trial.values[1] > best_up:
            best_up = signs[1] * trial.values[1]
            front.append(trial)
    return sorted(front, key=lambda trial: trial.values[0])


def value_limits(values: Sequence[float], goal: Goal) -> tuple[float, float]:
    """What an axis shows. A few values that are far worse than the rest would press the rest into a line: cut off."""
    kept = np.array([value for value in values if np.isfinite(value)])
    if not len(kept):
        return 0.0, 1.0
    if len(kept) >= ENOUGH_TO_CUT:
        goodness = goal.sign * kept
        lower, upper = np.percentile(goodness, [25, 75])
        if upper > lower:
            kept = kept[goodness >= lower - FAR_OUT * (upper - lower)]
    low, high = float(kept.min()), float(kept.max())
    if low == high:
        slack = abs(low) * 0.05 or 0.05
        return low - slack, high + slack
    return low, high


def padded(limits: tuple[float, float], share: float = 0.06) -> tuple[float, float]:
    low, high = limits
    return low - share * (high - low), high + share * (high - low)


def options_of(axis: ParameterAxis, trials: Sequence[SearchedTrial]) -> tuple[str, ...]:
    """The known ones, then those that trials have beside."""
    seen = (str(trial.params[axis.key]) for trial in trials if axis.key in trial.params)
    return tuple(dict.fromkeys([*(axis.options or ()), *seen]))


def number_limits(axis: ParameterAxis, trials: Sequence[SearchedTrial]) -> tuple[float, float]:
    """The range that it was drawn from, and whatever lies beyond."""
    seen = numbers_of(axis, trials)
    ends = [*seen[np.isfinite(seen)], *(end for end in (axis.low, axis.high) if end is not None)]
    return (min(ends), max(ends)) if ends else (1.0, 1.0)


def numbers_of(axis: ParameterAxis, trials: Sequence[SearchedTrial]) -> np.ndarray:
    """NaN where a trial did not draw it."""
    return np.array([float(trial.params.get(axis.key, np.nan)) for trial in trials])  # type: ignore[arg-type]
