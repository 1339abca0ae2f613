"""The training of one run: epoch after epoch logged, the best kept, the state kept so that a kill costs little."""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batches
from mammoscope.data.draws import Draws
from mammoscope.jobs.describe import Fitted
from mammoscope.jobs.evidence import predictions_of
from mammoscope.jobs.provenance import Provenance
from mammoscope.jobs.watch import Watch
from mammoscope.metrics.classes import lesions_only
from mammoscope.metrics.evidence import quick_auc
from mammoscope.models.classifier import Classifier
from mammoscope.records import Predictions
from mammoscope.reporting.console import line_in_place, say
from mammoscope.tracking.liveness import Stop, stopped_between_steps
from mammoscope.tracking.run import Tracker
from mammoscope.training.checkpoint import Checkpoints
from mammoscope.training.device import Fabric, build_fabric
from mammoscope.training.learner import Learner, build_learner
from mammoscope.training.loop import Epoch, Pause, train_epochs
from mammoscope.training.readings import LossCurve, Reading
from mammoscope.training.state import Progress, Trained, Tree
from mammoscope.vocabulary import CLASSES, Level, Partition


def fit(
    config: TrainConfig,
    tracker: Tracker,
    classifier: Classifier,
    provenance: Provenance,
    images: Batches,
    validation: Batches,
    draws: Draws,
) -> Fitted:
    """Trains, from where the run's folder says that it was left, and leaves the best epoch's weights in the classifier.

    Ctrl-C and SIGTERM wait for the end of the step, keep the state and are raised then.
    """
    fabric = build_fabric(provenance.device, provenance.precision)
    learner = _learner(config, fabric, classifier, provenance, images, validation, draws)
    trained = Trained(fabric, learner.network, learner.optimizer, learner.schedule, Progress())
    with stopped_between_steps() as stop, Checkpoints(tracker.folder) as checkpoints, line_in_place() as line:
        best, passed_s, curve = _take_up(config, provenance, trained, checkpoints.load())
        clock = _Clock(passed_s, config.trainer.checkpoint_every_s, stop)
        watch = Watch(
            line,
            trained.progress,
            clock.passed_s,
            epochs=config.trainer.epochs,
            steps_per_epoch=len(images),
            batch_size=config.trainer.batch_size,
        )

        def is_due() -> bool:
            watch.step()
            return clock.is_due()

        for moment in train_epochs(
            fabric,
            learner.network,
            learner.optimizer,
            learner.schedule,
            learner.loss,
            learner.train,
            learner.validation,
            trained.progress,
            epochs=config.trainer.epochs,
            clip_norm=config.trainer.clip_norm,
            pause=is_due,
            curve=curve,
        ):
            if isinstance(moment, Reading):
                tracker.metrics({"step/train/loss": moment.loss, "step/train/lr": moment.lr}, step=moment.step)
                watch.reading(moment)
                continue
            if isinstance(moment, Pause):
                state = {"training": trained.tree(), "best": _as_tree(best), "passed_s": clock.passed_s()}
                checkpoints.keep(state | {"curve": curve.before}, None if best is None else best.epoch)
                clock.kept()
                if stop:
                    _say_stop(trained.progress, tracker)
                stop.obey()
                stop.at_once = moment.is_trained  # validation changes nothing, so it need not end well
                if moment.is_trained:
                    watch.validating()
                continue
            stop.at_once = False
            predictions = _predictions(config, provenance, moment.probabilities)
            aucs = quick_auc(lesions_only(predictions))
            _log_epoch(tracker, moment, aucs)
            auc = aucs[predictions.finest]  # the finest level has the most rows, so it tells epochs apart best
            watch.epoch(moment, f"validation {predictions.finest} AUC {auc:.3f}")
            if best is None or auc > best.auc:
                best = Fitted(
                    predictions, moment.probabilities, auc, moment.number, moment.number + 1, clock.passed_s()
                )
                learner.into_classifier()
                checkpoints.keep_best(classifier.state_dict(), moment.number)
            best = replace(best, epochs=moment.number + 1, seconds=clock.passed_s())
            if config.trainer.patience_epochs and moment.number - best.epoch >= config.trainer.patience_epochs:
                say(f"no better AUC for {config.trainer.patience_epochs} epochs: stopping early")
                break
        assert best is not None, "there is one epoch at least"
        learner.into_classifier()
        checkpoints.conclude(classifier.state_dict(), best.epoch)
        classifier.load_state_dict(checkpoints.best(best.epoch))
    tracker.metrics({"kept/epoch": best.epoch, "kept/seconds": best.seconds})
    return best


class _Clock:
    """How long the training has taken, over all the processes that it took, and whether its state is to be kept."""

    def __init__(self, passed_s: float, keep_every_s: float, stop: Stop):
        self._started = time.perf_counter() - passed_s
        self._keep_every_s, self._stop = keep_every_s, stop
        self.kept()

    def passed_s(self) -> float:
        return time.perf_counter() - self._started

    def kept(self) -> None:
        self._kept_at = time.perf_counter()

    def is_due(self) -> bool:
        return bool(self._stop) or time.perf_counter() - self._kept_at > self._keep_every_s


def _learner(
    config: TrainConfig,
    fabric: Fabric,
    classifier: Classifier,
    provenance: Provenance,
    images: Batches,
    validation: Batches,
    draws: Draws,
) -> Learner:
    return build_learner(
        fabric,
        classifier,
        images,
        validation,
        draws,
        trainable=config.model.trainable,
        train_targets=[sample.target for sample in provenance.data.samples[Partition.train]],
        classes=len(CLASSES[config.target.name]),
        loss=config.loss,
        optimizer=config.optimizer,
        schedule=config.schedule,
        trainer=config.trainer,
    )


def _take_up(
    config: TrainConfig, provenance: Provenance, trained: Trained, state: Tree | None
) -> tuple[Fitted | None, float, LossCurve]:
    """Puts the state back; gives the best epoch of before, the seconds that all of it took, and the curve of losses."""
    if state is None:
        return None, 0.0, LossCurve()
    trained.restore(state["training"])
    progress = trained.progress
    say(f"going on in epoch {progress.epoch + 1}, after {progress.steps} of its steps")
    kept, curve = state["best"], LossCurve(state["curve"])
    if kept is None:
        return None, state["passed_s"], curve
    probabilities = kept["probabilities"].numpy()
    predictions = _predictions(config, provenance, probabilities)
    best = Fitted(predictions, probabilities, kept["auc"], kept["epoch"], kept["epochs"], kept["seconds"])
    return best, state["passed_s"], curve


def _as_tree(best: Fitted | None) -> Tree | None:
    """What _take_up makes it of again."""
    if best is None:
        return None
    return {
        "probabilities": torch.from_numpy(best.probabilities),
        "auc": best.auc,
        "epoch": best.epoch,
        "epochs": best.epochs,
        "seconds": best.seconds,
    }


def _predictions(config: TrainConfig, provenance: Provenance, probabilities: np.ndarray) -> Predictions:
    samples = provenance.data.samples[Partition.validation]
    return predictions_of(samples, probabilities, Partition.validation, config.image.name, config.target.name)


def _log_epoch(tracker: Tracker, epoch: Epoch, aucs: Mapping[Level, float]) -> None:
    training = {"loss": epoch.train_loss, "lr": epoch.lr, "images_per_s": epoch.images_per_s}
    numbers = {f"epoch/train/{name}": value for name, value in training.items()}
    numbers |= {f"epoch/validation/{level}/auc": auc for level, auc in aucs.items()}
    tracker.metrics(numbers, step=epoch.number)


def _say_stop(progress: Progress, tracker: Tracker) -> None:
    say(
        f"stopping: epoch {progress.epoch + 1} is kept after {progress.steps} of its steps; "
        f"the same command with resume={tracker.run_id} goes on"
    )
