"""`python train.py ...`: one run, from samples to a registered model, as a page to be read from top to bottom."""

from dataclasses import replace
from pathlib import Path

import torch

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.baseline import frozen_head_aucs
from mammoscope.jobs.describe import describe_run
from mammoscope.jobs.evidence import Report, log_evidence, log_look, show_results
from mammoscope.jobs.fit import fit
from mammoscope.jobs.gather import gather, say_partitions
from mammoscope.jobs.grid import grid_tags
from mammoscope.jobs.head_start import start_head
from mammoscope.jobs.joined import joined
from mammoscope.jobs.provenance import (
    WEIGHTS_DIGEST,
    Provenance,
    log_provenance,
    run_name,
    run_tags,
    write_local_config,
)
from mammoscope.jobs.publish import publish
from mammoscope.jobs.resume import find_resumed
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.tracking import open_tracking
from mammoscope.jobs.training import build_network, training_of
from mammoscope.models.classifier import Classifier
from mammoscope.reporting.console import say
from mammoscope.tracking.liveness import running
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.machine import sampled
from mammoscope.tracking.run import MlflowTracker, NullTracker, Tracker
from mammoscope.tracking.store import TrackingStore
from mammoscope.training.checkpoint import BEST, drop_state
from mammoscope.training.determinism import Determinism, find_determinism, settle_determinism
from mammoscope.training.device import find_device, find_precision, seed_everything
from mammoscope.training.optimizer import check_optimizer
from mammoscope.training.processes import first_goes_first, from_first, is_first, share
from mammoscope.training.weights_digest import weights_digest
from mammoscope.vocabulary import Partition, Trainable


def train(config: TrainConfig) -> str:
    """Trains, evaluates on validation, registers; returns the run's id. Under torchrun each process computes its share.

    Raises MammoscopeError, before a run begins, for all that is wrong with the input; what fails later ends the run.
    """
    _refuse_part(config)
    config = settle_table(config)
    check_optimizer(config.optimizer)
    settle_determinism(config.trainer.deterministic)
    device = find_device(config.trainer)
    with joined(config, device):
        return _lead(config, device) if is_first() else _help(config, device)


def _lead(config: TrainConfig, device: torch.device) -> str:
    """What the only process does, or the first of several."""
    seed_everything(config.seed)
    classifier, weights = build_network(config)
    store = open_tracking(config.tracking)
    with first_goes_first():
        data = gather(config)
    provenance = Provenance(data, weights, device, find_precision(config.trainer, device))
    determinism = find_determinism(config, device)
    _say_start(config, provenance, determinism)
    tracker = _start(config, store, provenance)
    if isinstance(tracker, RunInfo):
        from_first((tracker.id, None))
        drop_state(tracker.folder)  # one killed between its end and this has it still
        say(f"resume={config.resume}: finished already, nothing is left to do\nrun {tracker.id}")
        return tracker.id
    with running(tracker), sampled(tracker):
        tracker.tags(determinism.tags())
        from_first((tracker.run_id, tracker.folder))
        say(f"run {tracker.run_id}")
        report = _run(config, store, tracker, classifier, provenance)
    drop_state(tracker.folder)
    show_results(report)
    say(f"run {tracker.run_id}")
    return tracker.run_id


def _help(config: TrainConfig, device: torch.device) -> str:
    """What the processes beside the first do: nothing but compute. They open what it has prepared."""
    seed_everything(config.seed)
    classifier, weights = build_network(config)
    seed_everything(config.seed + share().rank)  # else all would drop the same units
    with first_goes_first():
        data = gather(config)
    provenance = Provenance(data, weights, device, find_precision(config.trainer, device))
    run_id, folder = from_first(("", Path()))
    if folder is not None:
        fit(training_of(config, NullTracker(folder), classifier, provenance))
    return run_id


def _start(config: TrainConfig, store: TrackingStore, provenance: Provenance) -> MlflowTracker | RunInfo:
    """A new run, or the one that is gone on with; RunInfo of one that has finished."""
    resumed = find_resumed(config, store, provenance)
    if resumed is None:
        tags = {**run_tags(config, provenance), **grid_tags(store)}
        return store.start_run(run_name(config), tags, provenance.environment())
    if resumed.status == "FINISHED":
        return resumed
    say(f"going on with run {resumed.id}, which was {resumed.status}")
    return store.continue_run(resumed)


def _refuse_part(config: TrainConfig) -> None:
    if config.prepare.part is not None:
        raise MammoscopeError(
            f"prepare.part={config.prepare.part}: a run needs the whole store; allowed with `mammoscope prepare` alone"
        )


def _say_start(config: TrainConfig, provenance: Provenance, determinism: Determinism) -> None:
    say_partitions(provenance.data)
    if config.model.trainable is Trainable.head:
        say("note: model.trainable=head: the backbone is frozen, and augmentation is off")
    say(f"weights {provenance.weights.origin}; {provenance.device}, {provenance.precision}")
    say(f"a repetition would be {determinism.repeats}: {'; '.join(determinism.reasons)}")


def _run(
    config: TrainConfig, store: TrackingStore, tracker: Tracker, classifier: Classifier, provenance: Provenance
) -> Report:
    write_local_config(config, tracker.folder)
    log_provenance(tracker, config, provenance)
    training = training_of(config, tracker, classifier, provenance)
    for partition, batches in ((Partition.train, training.images), (Partition.validation, training.validation)):
        log_look(tracker, batches, provenance.data.samples[partition], partition, config.target.name)
    start_head(config, tracker.folder, classifier, provenance, training.draws)
    fitted, precision = fit(training)
    provenance = replace(provenance, precision=precision)
    tracker.tags({"precision": str(precision), WEIGHTS_DIGEST: weights_digest(tracker.folder / BEST)})
    report = log_evidence(
        tracker,
        fitted.predictions,
        provenance.data.samples[Partition.validation],
        provenance.data,
        thresholds=None,
    )
    baseline = frozen_head_aucs(store, config, provenance, report.evidence)
    report = replace(report, references={**report.references, **baseline})
    tracker.describe(describe_run(config, provenance, fitted, report))
    publish(config, store, tracker, classifier, provenance, report)
    return report
