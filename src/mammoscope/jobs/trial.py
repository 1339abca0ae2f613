"""One trial of a search: a training, or one for each seed and fold, in a process that has done others before."""

import gc
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch

from mammoscope.config import SearchConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.evidence import log_numbers
from mammoscope.jobs.fit import fit
from mammoscope.jobs.gather import GatheredData, data_key, gather
from mammoscope.jobs.head_start import start_head
from mammoscope.jobs.provenance import (
    WEIGHTS_DIGEST,
    Provenance,
    log_config,
    run_tags,
    write_local_config,
)
from mammoscope.jobs.search_plan import constraint_of, repeats_of
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.training import Loaders, build_network, training_of
from mammoscope.jobs.trial_tags import REPEAT, SEARCH, SEARCH_ID, SUMMARY, TRIAL
from mammoscope.models.classifier import Classifier
from mammoscope.models.costs import costs_of
from mammoscope.reporting.console import said_of, say
from mammoscope.search.search import Search
from mammoscope.search.trials import EACH, RUN, RUNS, SPREAD, Claimed
from mammoscope.tracking.liveness import PRUNED, Pruned, running
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.run import MlflowTracker
from mammoscope.tracking.store import PARENT_ID, TrackingStore
from mammoscope.training.checkpoint import BEST, drop_state
from mammoscope.training.determinism import find_determinism, settle_determinism
from mammoscope.training.device import find_device, find_precision, seed_everything
from mammoscope.training.optimizer import check_optimizer
from mammoscope.training.state import STATE
from mammoscope.training.weights_digest import weights_digest
from mammoscope.vocabulary import Level, Partition, PrunerName


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    values: tuple[float, ...]
    constraints: Mapping[str, float]  # at most 0 where it is feasible
    attrs: Mapping[str, str]


@final
class Trials:
    """Of one worker: what its trials share stays in memory, what is a trial's own leaves with it."""

    def __init__(self, search: Search, config: SearchConfig, store: TrackingStore, *, parent: str, search_id: str):
        self._search, self._config, self._store = search, config, store
        self._parent, self._search_id = parent, search_id
        self._data: dict[str, GatheredData] = {}
        self._loaders = Loaders()
        self._costs: dict[str, dict[str, float]] = {}
        self._repeats = 1
        self._is_warm = False

    def run(self, claimed: Claimed, config: TrainConfig) -> Outcome:
        """Goes on where another process has left the trial.

        Raises Pruned, Lost, and whatever goes wrong in it, which is the trial's own.
        """
        config = settle_table(config)
        check_optimizer(config.optimizer)
        repeats = repeats_of(config, self._config)
        self._repeats = len(repeats)
        numbers: list[dict[str, float]] = []
        runs: list[str] = []
        with ExitStack() as stack:
            stack.callback(self._release)
            stack.enter_context(said_of(f"[{claimed.number}] "))
            parent, summary = self._parent, None
            if len(repeats) > 1:
                summary = self._summary_of(claimed, config)
                stack.enter_context(running(summary))
                parent = summary.run_id
            for place, (seed, fold) in enumerate(repeats):
                one = replace(config, seed=seed, split=replace(config.split, fold=fold))
                run_id, told = self._train(claimed, one, place, len(repeats), parent, numbers)
                runs.append(run_id)
                numbers.append(told)
                self._loaders.rest()
            means, spreads = _summary(numbers)
            if summary is not None:
                summary.metrics(means | {f"{key}_spread": one for key, one in spreads.items() if key.endswith("/auc")})
        values = tuple(_metric(means, objective.key) for objective in self._search.plan.objectives)
        limits = [constraint_of(text) for text in self._config.constraints]
        constraints = {
            f"{key}{'<=' if sign > 0 else '>='}{limit:g}": sign * (_metric(means, key) - limit)
            for key, limit, sign in limits
        }
        attrs = {RUN: runs[0], RUNS: " ".join(runs)}
        if summary is None:
            return Outcome(values=values, constraints=constraints, attrs=attrs)
        key = self._search.plan.objectives[0].key
        attrs |= {
            RUN: summary.run_id,
            SPREAD: repr(spreads.get(key, 0.0)),
            EACH: " ".join(repr(one[key]) for one in numbers),
        }
        return Outcome(values=values, constraints=constraints, attrs=attrs)

    def _train(
        self,
        claimed: Claimed,
        config: TrainConfig,
        place: int,
        repeats: int,
        parent: str,
        before: list[dict[str, float]],
    ) -> tuple[str, dict[str, float]]:
        """One training; returns its run and its metrics, of a finished one as they stand in the store."""
        found = self._run_of(claimed, place)
        if found is not None and found.status == "FINISHED":
            drop_state(found.folder)
            return found.id, dict(found.metrics)
        if found is not None and PRUNED in found.tags:
            raise Pruned(found.tags.get("ended_by", "").removeprefix("pruned: "))
        settle_determinism(config.trainer.deterministic)
        seed_everything(config.seed)
        device = find_device(config.trainer)
        classifier, weights = build_network(config)
        provenance = Provenance(self._gathered(config), weights, device, find_precision(config.trainer, device))
        tracker = self._tracked(claimed, config, place, repeats, parent, provenance, found)
        with running(tracker):
            tracker.tags(find_determinism(config, device).tags())
            write_local_config(config, tracker.folder)
            log_config(tracker, config)
            costs = self._costs_of(config, classifier)
            tracker.metrics(costs)
            training = training_of(config, tracker, classifier, provenance, loaders=self._loaders)
            training = replace(
                training, is_trial=True, after_epoch=partial(self._judge, claimed, config, place, before)
            )
            start_head(config, tracker.folder, classifier, provenance, training.draws)
            fitted, precision = fit(training)
            tracker.tags({"precision": str(precision), WEIGHTS_DIGEST: weights_digest(tracker.folder / BEST)})
            samples = provenance.data.samples[Partition.validation]
            report = log_numbers(tracker, fitted.predictions, samples, provenance.data, thresholds=None)
            tracker.metrics({"cost/training_s": fitted.seconds})
        drop_state(tracker.folder)
        numbers = {**report.evidence.flat(), **costs, "cost/training_s": fitted.seconds}
        return tracker.run_id, numbers

    def _judge(
        self,
        claimed: Claimed,
        config: TrainConfig,
        place: int,
        before: list[dict[str, float]],
        epoch: int,
        aucs: Mapping[Level, float],
    ) -> None:
        """Reports the epoch, of several trainings with the mean of those that are done; raises Pruned."""
        plan = self._search.plan
        if not plan.is_single or plan.pruner is PrunerName.none:
            return
        key = plan.objectives[0].key
        level = Level(key.split("/")[1])
        if level not in aucs:
            raise MammoscopeError(f"search.metric={key}: these trials score {', '.join(aucs)}")
        last = epoch == config.trainer.epochs - 1
        if plan.pruner is PrunerName.wilcoxon:
            if not last:
                return
            step, value = place, aucs[level]
        else:
            step = place * config.trainer.epochs + epoch
            value = statistics.fmean([*(numbers[key] for numbers in before), aucs[level]])
        is_over = last and place == self._repeats - 1  # nothing would be saved
        if self._search.report(claimed, value, step) and not is_over:
            self._loaders.rest()
            raise Pruned(f"{plan.pruner} at epoch {epoch + 1} of training {place + 1}, {key} {value:.3f}")

    def _gathered(self, config: TrainConfig) -> GatheredData:
        """Read and certified once, for all trials that want the same."""
        key = data_key(config)
        if key not in self._data:
            self._data.clear()  # memory maps and samples of one variant at a time
            self._data[key] = gather(config)
        return self._data[key]

    def _identity(self, claimed: Claimed, place: int | str) -> dict[str, str]:
        return {SEARCH_ID: self._search_id, TRIAL: str(claimed.number), REPEAT: str(place)}

    def _run_of(self, claimed: Claimed, place: int) -> RunInfo | None:
        """That another process has begun."""
        return self._store.latest(self._identity(claimed, place)) if claimed.taken_over else None

    def _costs_of(self, config: TrainConfig, classifier: Classifier) -> dict[str, float]:
        what = classifier.architecture.views, config.image.height_px, config.image.width_px
        key = repr((classifier.architecture, *what))
        if key not in self._costs:
            self._costs[key] = costs_of(classifier, *what)
        return self._costs[key]

    def _tracked(
        self,
        claimed: Claimed,
        config: TrainConfig,
        place: int,
        repeats: int,
        parent: str,
        provenance: Provenance,
        found: RunInfo | None,
    ) -> MlflowTracker:
        """The training's run: one that was left, where its state lies on this disk, else a new one in its place."""
        if found is not None and (found.folder / STATE).exists():
            return self._store.continue_run(found)
        if found is not None:
            self._store.forget(found)
        name = trial_name(claimed) if repeats == 1 else f"{claimed.number:03d}.{place} {_which(config)}"
        tags = {
            **run_tags(config, provenance),
            **self._identity(claimed, place),
            SEARCH: self._search.plan.name,
            PARENT_ID: parent,
        }
        tracker = self._store.start_run(name, tags, is_trial=True)
        if repeats == 1:
            self._search.note(claimed, RUN, tracker.run_id)
        return tracker

    def _summary_of(self, claimed: Claimed, config: TrainConfig) -> MlflowTracker:
        """The run that holds a trial's trainings together."""
        tags = {SEARCH: self._search.plan.name, PARENT_ID: self._parent, "data": config.data.name}
        tracker = self._store.join_run(trial_name(claimed), tags, self._identity(claimed, SUMMARY), {})
        log_config(tracker, config)
        self._search.note(claimed, RUN, tracker.run_id)
        return tracker

    def close(self) -> None:
        """Else Triton's binding, at the end of the process, calls all that is frozen leaked."""
        gc.unfreeze()

    def _release(self) -> None:
        """What a trial has had of the device and of memory. Batches that it left within an epoch are not used again."""
        self._loaders.drop_unless_at_rest()
        gc.collect()
        if not self._is_warm:  # what is there after the first trial stays: the collector need not look at it again
            gc.freeze()
            self._is_warm = True
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def trial_name(claimed: Claimed) -> str:
    """What differs, first: the UI cuts names after some 18 characters."""
    drawn = " ".join(f"{key.rpartition('.')[2]}={_short(value)}" for key, value in claimed.params.items())
    return f"{claimed.number:03d} {drawn}"[:200]


def say_trial(claimed: Claimed) -> None:
    drawn = " ".join(f"{key}={_short(value)}" for key, value in claimed.params.items())
    say(f"trial {claimed.number}{' taken over' if claimed.taken_over else ''}: {drawn}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _which(config: TrainConfig) -> str:
    return f"seed {config.seed}" if config.split.fold is None else f"fold {config.split.fold}, seed {config.seed}"


def _metric(numbers: Mapping[str, float], key: str) -> float:
    if key not in numbers:
        near = sorted(name for name in numbers if name.rpartition("/")[2] == key.rpartition("/")[2])
        raise MammoscopeError(f"search.metric={key}: trials tell no such metric; allowed: {', '.join(near or numbers)}")
    return numbers[key]


def _summary(numbers: list[dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and sample standard deviation of what all trainings tell; times are added up."""
    if not numbers:
        return {}, {}
    common = [key for key in numbers[0] if all(key in one for one in numbers)]
    means = {key: statistics.fmean(one[key] for one in numbers) for key in common}
    if "cost/training_s" in means:
        means["cost/training_s"] *= len(numbers)
    spreads = {key: statistics.stdev(one[key] for one in numbers) for key in common} if len(numbers) > 1 else {}
    return means, spreads
