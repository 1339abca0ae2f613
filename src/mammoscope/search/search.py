"""An open search: trials are claimed, reported, told and put back, so that each has one living owner and one result."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import final

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from mammoscope.errors import MammoscopeError
from mammoscope.search.drawing import Drawn, draw_next
from mammoscope.search.owners import BEAT_S, Owner, Pulse, Silence, is_gone, owner_from, this_process
from mammoscope.search.plan import Plan
from mammoscope.search.pruners import build_pruner
from mammoscope.search.storage import Storage
from mammoscope.search.trials import BEAT, OVERRIDES, OWNER, REASON, Claimed, Lost, Result, result_of
from mammoscope.vocabulary import Direction

SETTINGS = "mammoscope:settings"  # user attribute of the study: what may not change while it goes on


@final
class Search:
    """Not to be shared by threads, but for the pulse of the trial in hand."""

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        fixed: Mapping[str, str],
        *,
        silence: Silence | None = None,
        begin: bool = True,
    ):
        """Opens the search of this name, or begins it. fixed: overrides that every trial has.

        begin: one that is not there yet; without, it is begun in memory alone, to be explained.

        Raises MammoscopeError where one of this name has another space or other settings, and says which.
        """
        self.plan, self._storage, self._fixed = plan, storage, dict(fixed)
        self._silence = silence or Silence()
        with storage.lock(plan.name), _quiet():
            self._study = self._open() if begin or self._is_there() else self._begin_in_memory()

    def _open(self) -> optuna.Study:
        plan = self.plan
        directions = plan.directions
        sampler, pruner = RandomSampler(), build_pruner(plan)  # drawing.py draws
        try:
            study = optuna.create_study(
                study_name=plan.name,
                storage=self._storage.optuna,
                directions=directions,
                sampler=sampler,
                pruner=pruner,
            )
        except DuplicatedStudyError:
            study = optuna.load_study(
                study_name=plan.name, storage=self._storage.optuna, sampler=sampler, pruner=pruner
            )
            known = study.user_attrs.get(SETTINGS)
            if known is None and study.get_trials(deepcopy=False):
                raise MammoscopeError(
                    f"search.name={plan.name}: {self._storage.given} has a study of this name that is not ours; "
                    "allowed: another name"
                ) from None
            if known is not None:
                _refuse_changes(plan, known)
                return study
        study.set_user_attr(SETTINGS, dict(plan.settings))
        study.set_metric_names([objective.key for objective in plan.objectives])
        return study

    def _is_there(self) -> bool:
        return self.plan.name in optuna.get_all_study_names(self._storage.optuna)

    def _begin_in_memory(self) -> optuna.Study:
        return optuna.create_study(study_name=self.plan.name, directions=self.plan.directions)

    def claim(self) -> Claimed | None:
        """The next trial for this process; None where the search has none to give, at least now."""
        owner = this_process()
        with self._locked():
            self.reap()
            trials = self._trials()
            if self._has_failed(trials):
                return None
            waiting = next((trial for trial in trials if trial.state is TrialState.WAITING), None)
            if waiting is not None:
                return self._take(waiting, owner)
            return self._begin(trials, owner) if len(trials) < self.plan.trials else None

    def _take(self, trial: FrozenTrial, owner: Owner) -> Claimed:
        storage = self._study._storage
        storage.set_trial_system_attr(trial._trial_id, OWNER, owner.as_text())
        storage.set_trial_system_attr(trial._trial_id, BEAT, _now())
        storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING)
        self._owner = owner
        overrides = json.loads(trial.user_attrs[OVERRIDES])
        return Claimed(trial.number, trial._trial_id, trial.params, overrides, taken_over=True)

    def _begin(self, trials: Sequence[FrozenTrial], owner: Owner) -> Claimed | None:
        drawn = draw_next(self.plan, self._fixed, trials)
        if drawn is None:
            return None
        template = create_trial(
            state=TrialState.RUNNING,
            params=dict(drawn.params),
            distributions=dict(drawn.distributions),
            user_attrs={OVERRIDES: json.dumps(dict(drawn.overrides))},
            system_attrs={**drawn.system_attrs, OWNER: owner.as_text(), BEAT: _now()},
        )
        storage = self._study._storage
        trial_id = storage.create_new_trial(self._study._study_id, template_trial=template)
        number = storage.get_trial_number_from_id(trial_id)
        self._owner = owner
        return Claimed(number, trial_id, drawn.params, drawn.overrides, taken_over=False)

    def draw(self) -> Drawn | None:
        """What the next new trial would be; nothing is kept."""
        return draw_next(self.plan, self._fixed, self._trials())

    def reap(self) -> list[int]:
        """Puts trials whose owners are gone back in place, with number and parameters; returns their numbers."""
        back = []
        with self._locked():
            for trial in self._trials():
                if trial.state is TrialState.RUNNING and self._is_orphan(trial):
                    self._study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
                    back.append(trial.number)
        return back

    def _is_orphan(self, trial: FrozenTrial) -> bool:
        owner = owner_from(trial.system_attrs.get(OWNER))
        gone = None if owner is None else is_gone(owner)
        if gone is None:
            return self._silence.is_silent(trial._trial_id, trial.system_attrs.get(BEAT, ""))
        return gone

    @contextmanager
    def alive(self, claimed: Claimed, *, every_s: float = BEAT_S) -> Iterator[None]:
        """Tells other hosts that the trial's owner lives."""
        storage = self._study._storage
        with Pulse(lambda: storage.set_trial_system_attr(claimed.id, BEAT, _now()), every_s):
            yield

    def report(self, claimed: Claimed, value: float, step: int) -> bool:
        """Whether the trial is to be pruned. Step by step, from 0; what was reported before stays.

        Raises Lost where the trial has another owner by now.
        """
        if not self.plan.is_single:
            return False
        self._check_owner(claimed)
        with _quiet():
            trial = Trial(self._study, claimed.id)
            if step not in self._study._storage.get_trial(claimed.id).intermediate_values:
                trial.report(value, step)
            return trial.should_prune()

    def tell(
        self,
        claimed: Claimed,
        values: Sequence[float],
        *,
        constraints: Mapping[str, float] | None = None,
        attrs: Mapping[str, str] | None = None,
    ) -> None:
        """constraints: at most 0 where the trial is feasible. attrs: what a reader of the store should know beside.

        Raises Lost.
        """
        with self._locked():
            trial = self._mine(claimed, attrs)
            for key, value in (constraints or {}).items():
                if f"constraints:{key}" not in self._study._storage.get_trial(claimed.id).system_attrs:
                    trial.set_constraint(key, value)
            self._study.tell(trial, list(values))

    def tell_pruned(self, claimed: Claimed, reason: str) -> None:
        """Raises Lost."""
        self._tell_state(claimed, TrialState.PRUNED, reason)

    def tell_failed(self, claimed: Claimed, reason: str) -> None:
        """Raises Lost."""
        self._tell_state(claimed, TrialState.FAIL, reason)

    def _tell_state(self, claimed: Claimed, state: TrialState, reason: str) -> None:
        with self._locked():
            self._study.tell(self._mine(claimed, {REASON: reason}), state=state)

    def put_back(self, claimed: Claimed) -> None:
        """For whoever comes next; a trial that is somebody else's by now stays theirs."""
        with self._locked():
            try:
                self._check_owner(claimed)
            except Lost:
                return
            self._study._storage.set_trial_state_values(claimed.id, TrialState.WAITING)

    def note(self, claimed: Claimed, key: str, value: str) -> None:
        """A user attribute of the trial. Raises Lost."""
        self._check_owner(claimed)
        self._study._storage.set_trial_user_attr(claimed.id, key, value)

    def keep(self, key: str, value: str) -> None:
        """A user attribute of the search."""
        self._study.set_user_attr(key, value)

    def kept(self, key: str) -> str | None:
        value = self._study.user_attrs.get(key)
        return None if value is None else str(value)

    def locked(self, what: str) -> AbstractContextManager[None]:
        """One process at a time, for what is done once a search."""
        return self._storage.lock(f"{self.plan.name}/{what}")

    def results(self) -> list[Result]:
        """By number."""
        return [result_of(trial) for trial in self._trials()]

    def best(self, count: int = 1) -> list[Result]:
        """Feasible and complete, the best first and of equals the first; of several objectives the Pareto front."""
        done = [result for result in self.results() if result.state == "COMPLETE" and result.is_feasible]
        if not self.plan.is_single:
            front = {trial.number for trial in self._study.best_trials}
            return [result for result in done if result.number in front][:count]
        sign = -1 if self.plan.objectives[0].direction is Direction.maximize else 1
        return sorted(done, key=lambda result: (sign * result.values[0], result.number))[:count]

    def close(self) -> None:
        """Its connections. A process that ends has no need of it."""
        self._storage.close()

    def fixed_in_words(self) -> list[str]:
        return [f"{key}={value}" if value else key for key, value in self._fixed.items()]

    def failures_end_it(self) -> bool:
        return self._has_failed(self._trials())

    def is_exhausted(self) -> bool:
        """Whether fewer trials than planned are all that there can be."""
        trials = self._trials()
        return len(trials) < self.plan.trials and draw_next(self.plan, self._fixed, trials) is None

    @property
    def study(self) -> optuna.Study:
        """For pictures.py alone."""
        return self._study

    def _has_failed(self, trials: Sequence[FrozenTrial]) -> bool:
        failed = sum(trial.state is TrialState.FAIL for trial in trials)
        return failed > self.plan.max_failure_fraction * self.plan.trials

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _mine(self, claimed: Claimed, attrs: Mapping[str, str] | None) -> Trial:
        self._check_owner(claimed)
        for key, value in (attrs or {}).items():
            self._study._storage.set_trial_user_attr(claimed.id, key, value)
        return Trial(self._study, claimed.id)

    def _check_owner(self, claimed: Claimed) -> None:
        trial = self._study._storage.get_trial(claimed.id)
        owner = owner_from(trial.system_attrs.get(OWNER))
        if trial.state is not TrialState.RUNNING or owner != self._owner:
            raise Lost(f"trial {claimed.number} has another owner by now")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._storage.lock(self.plan.name), _quiet():
            yield


def _refuse_changes(plan: Plan, known: Mapping[str, str]) -> None:
    now = plan.settings
    changed = [
        f"{key}: {now.get(key, 'nothing')} (the search: {known.get(key, 'nothing')})"
        for key in sorted(now.keys() | known.keys())
        if now.get(key) != known.get(key)
    ]
    if changed:
        raise MammoscopeError(
            f"search.name={plan.name}: was begun with other settings: {'; '.join(changed)}; allowed: the command that "
            "began it, or another search.name"
        )


def _now() -> str:
    return datetime.now().isoformat(timespec="milliseconds")


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
