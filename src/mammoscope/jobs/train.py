"""`python train.py ...`: one run, from samples to a registered model, as a page to be read from top to bottom."""

import time
from collections.abc import Mapping
from dataclasses import replace

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batches, plain_batches, train_batches
from mammoscope.data.draws import Draws, build_draws
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.baseline import frozen_head_aucs
from mammoscope.jobs.describe import Fitted, describe_run
from mammoscope.jobs.evidence import Report, log_evidence, log_look, predictions_of, show_results
from mammoscope.jobs.gather import gather, say_partitions
from mammoscope.jobs.provenance import Provenance, log_provenance, run_name, run_tags, write_local_config
from mammoscope.jobs.publish import publish
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.tracking import open_tracking
from mammoscope.metrics.classes import lesions_only
from mammoscope.metrics.evidence import quick_auc
from mammoscope.models.classifier import Classifier, build_classifier
from mammoscope.reporting.console import say
from mammoscope.tracking.liveness import running
from mammoscope.tracking.run import Tracker
from mammoscope.tracking.store import TrackingStore
from mammoscope.training.checkpoint import BEST, LAST, load_weights, save_weights
from mammoscope.training.device import build_fabric, find_device, find_precision, find_workers, seed_everything
from mammoscope.training.learner import build_learner
from mammoscope.training.loop import Epoch, train_epochs
from mammoscope.training.optimizer import check_optimizer
from mammoscope.vocabulary import CLASSES, Level, Partition, Trainable


def train(config: TrainConfig) -> str:
    """Trains, evaluates on validation, registers; returns the run's id.

    Raises MammoscopeError, before a run begins, for all that is wrong with the input; what fails later ends the run.
    """
    _refuse_part(config)
    config = settle_table(config)
    check_optimizer(config.optimizer)
    device = find_device(config.trainer)
    seed_everything(config.seed)
    classifier, weights = build_classifier(config.model, config.image, config.loss, config.target, view=config.view)
    store = open_tracking(config.tracking)
    data = gather(config)
    provenance = Provenance(data, weights, device, find_precision(config.trainer, device))
    _say_start(config, provenance)
    tracker = store.start_run(run_name(config), run_tags(config, provenance), provenance.environment())
    with running(tracker):
        say(f"run {tracker.run_id}")
        report = _run(config, store, tracker, classifier, provenance)
    show_results(report)
    say(f"run {tracker.run_id}")
    return tracker.run_id


def _refuse_part(config: TrainConfig) -> None:
    if config.prepare.part is not None:
        raise MammoscopeError(
            f"prepare.part={config.prepare.part}: a run needs the whole store; allowed with `mammoscope prepare` alone"
        )


def _say_start(config: TrainConfig, provenance: Provenance) -> None:
    say_partitions(provenance.data)
    if config.model.trainable is Trainable.head:
        say("note: model.trainable=head: the backbone is frozen, and augmentation is off")
    say(f"weights {provenance.weights.origin}; {provenance.device}, {provenance.precision}")


def _run(
    config: TrainConfig, store: TrackingStore, tracker: Tracker, classifier: Classifier, provenance: Provenance
) -> Report:
    write_local_config(config, tracker.folder)
    log_provenance(tracker, config, provenance)
    draws = build_draws(provenance.data.samples[Partition.train], config.trainer.sampling, config.seed)
    images, validation = _batches(config, provenance, draws)
    for partition, batches in ((Partition.train, images), (Partition.validation, validation)):
        log_look(tracker, batches, provenance.data.samples[partition], partition, config.target.name)
    fitted = _fit(config, tracker, classifier, provenance, images, validation, draws)
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


def _batches(config: TrainConfig, provenance: Provenance, draws: Draws) -> tuple[Batches, Batches]:
    data = provenance.data
    size, pin = config.trainer.batch_size, provenance.device.type == "cuda"
    if config.model.trainable is Trainable.head:  # features are computed once, so every epoch must see the same images
        images = plain_batches(data.samples[Partition.train], data.stores, batch_size=size, pin=pin)
    else:
        images = train_batches(
            data.samples[Partition.train],
            data.stores,
            config.augment,
            draws,
            batch_size=size,
            workers=find_workers(config.trainer, provenance.device),
            seed=config.seed,
            pin=pin,
        )
    return images, plain_batches(data.samples[Partition.validation], data.stores, batch_size=size, pin=pin)


def _fit(
    config: TrainConfig,
    tracker: Tracker,
    classifier: Classifier,
    provenance: Provenance,
    images: Batches,
    validation: Batches,
    draws: Draws,
) -> Fitted:
    """Trains, and leaves the best epoch's weights in the classifier."""
    samples = provenance.data.samples
    fabric = build_fabric(provenance.device, provenance.precision)
    learner = build_learner(
        fabric,
        classifier,
        images,
        validation,
        draws,
        trainable=config.model.trainable,
        train_targets=[sample.target for sample in samples[Partition.train]],
        classes=len(CLASSES[config.target.name]),
        loss=config.loss,
        optimizer=config.optimizer,
        schedule=config.schedule,
        trainer=config.trainer,
    )
    best: Fitted | None = None
    started = time.perf_counter()
    for epoch in train_epochs(
        fabric,
        learner.network,
        learner.optimizer,
        learner.schedule,
        learner.loss,
        learner.train,
        learner.validation,
        epochs=config.trainer.epochs,
        clip_norm=config.trainer.clip_norm,
    ):
        predictions = predictions_of(
            samples[Partition.validation],
            epoch.probabilities,
            Partition.validation,
            config.image.name,
            config.target.name,
        )
        aucs, passed_s = quick_auc(lesions_only(predictions)), time.perf_counter() - started
        _log_epoch(tracker, epoch, aucs)
        auc = aucs[predictions.finest]  # the finest level has the most rows, so it tells epochs apart best
        _say_epoch(epoch, config.trainer.epochs, f"validation {predictions.finest} AUC {auc:.3f}", passed_s)
        if best is None or auc > best.auc:
            best = Fitted(predictions, auc, epoch.number, epoch.number + 1, passed_s)
            learner.into_classifier()
            save_weights(classifier.state_dict(), tracker.folder / BEST)
        best = replace(best, epochs=epoch.number + 1, seconds=passed_s)
        if config.trainer.patience_epochs and epoch.number - best.epoch >= config.trainer.patience_epochs:
            say(f"no better AUC for {config.trainer.patience_epochs} epochs: stopping early")
            break
    assert best is not None, "there is one epoch at least"
    learner.into_classifier()
    save_weights(classifier.state_dict(), tracker.folder / LAST)
    classifier.load_state_dict(load_weights(tracker.folder / BEST))
    tracker.metrics({"kept/epoch": best.epoch, "kept/seconds": best.seconds})
    return best


def _log_epoch(tracker: Tracker, epoch: Epoch, aucs: Mapping[Level, float]) -> None:
    training = {"loss": epoch.train_loss, "lr": epoch.lr, "images_per_s": epoch.images_per_s}
    numbers = {f"epoch/train/{name}": value for name, value in training.items()}
    numbers |= {f"epoch/validation/{level}/auc": auc for level, auc in aucs.items()}
    tracker.metrics(numbers, step=epoch.number)


def _say_epoch(epoch: Epoch, epochs: int, validation: str, passed_s: float) -> None:
    done = epoch.number + 1
    left_s = passed_s / done * (epochs - done)
    speed = f"{epoch.images_per_s:.0f} images/s  {left_s:.0f} s left"
    say(f"epoch {done}/{epochs}  loss {epoch.train_loss:.4f}  {validation}  {speed}")
