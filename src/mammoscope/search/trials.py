"""What is said of a trial: as it is handed to whoever works on it, as it stands, and under which names it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from mammoscope.search.space import Value

OVERRIDES = "overrides"  # user attributes of a trial
REASON = "reason"  # why it failed or was pruned
RUN = "run"  # that holds its value
RUNS = "runs"  # of its trainings, in order
EACH = "each"  # the first value of each of its trainings, over seeds and folds
SPREAD = "spread"  # standard deviation of its first value over seeds or folds
OWNER = "mammoscope:owner"  # system attributes of a trial
BEAT = "mammoscope:beat"


class Lost(Exception):
    """The trial is somebody else's by now: this process was held up for so long that it was taken for dead."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A trial that this process works on."""

    number: int
    id: int  # the storage's own number of it
    params: Mapping[str, Value]
    overrides: Mapping[str, str]
    taken_over: bool  # another owner began it


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A trial as it stands."""

    number: int
    state: str  # WAITING, RUNNING, COMPLETE, PRUNED, FAIL
    values: tuple[float, ...]  # of a COMPLETE one, as the objectives stand; blank for the others
    params: Mapping[str, Value]
    attrs: Mapping[str, str]
    is_feasible: bool
    reports: Mapping[int, float]  # by step
    seconds: float | None


def result_of(trial: FrozenTrial) -> Result:
    duration = trial.duration
    attrs = {key: str(value) for key, value in trial.user_attrs.items()}
    return Result(
        number=trial.number,
        state=trial.state.name,
        values=tuple(trial.values or ()) if trial.state is TrialState.COMPLETE else (),
        params=trial.params,
        attrs=attrs,
        is_feasible=all(value <= 0 for value in trial.constraints.values()),
        reports=dict(trial.intermediate_values),
        seconds=None if duration is None else duration.total_seconds(),
    )
