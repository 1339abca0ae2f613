"""The training of one run: epoch after epoch logged, the best kept, the state kept so that a kill costs little."""

import signal
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from mammoscope.jobs.describe import Fitted
from mammoscope.jobs.evidence import predictions_of
from mammoscope.jobs.sentry import judge
from mammoscope.jobs.training import Training
from mammoscope.jobs.watch import Watch
from mammoscope.metrics.classes import lesions_only
from mammoscope.metrics.evidence import quick_auc
from mammoscope.records import Predictions
from mammoscope.reporting.console import line_in_place, say
from mammoscope.reporting.live import Line
from mammoscope.tracking.liveness import Stop, Terminated, stopped_between_steps
from mammoscope.tracking.run import Tracker
from mammoscope.training.checkpoint import Checkpoints
from mammoscope.training.loop import Epoch, Pause, train_epochs
from mammoscope.training.processes import any_of, is_first
from mammoscope.training.readings import NotFinite, Progress, Reading
from mammoscope.training.state import Trained, Tree
from mammoscope.vocabulary import KeptEpoch, Level, Partition, Precision


def fit(training: Training) -> tuple[Fitted, Precision]:
    """Trains from where the run's folder says that it was left; the classifier gets the weights of the epoch kept.

    Returns what it kept, and the precision that it ended in.

    Where a loss is not finite, sentry.py says how it goes on. Ctrl-C and SIGTERM wait for the end of the step, keep
    the state and are raised then.
    """
    tracker = training.tracker
    with stopped_between_steps() as stop, Checkpoints(tracker.folder) as checkpoints, line_in_place() as line:
        while True:
            state = checkpoints.load()
            precision = training.provenance.precision if state is None else Precision(state["precision"])
            try:
                best = _train(training, training.begin(precision), precision, state, checkpoints, stop, line)
                break
            except NotFinite as found:
                state = checkpoints.load()
                goes_on_in = judge(training, found, precision, state)
                assert state is not None, "judged from it"
                checkpoints.keep(state | {"precision": str(goes_on_in)}, _best_epoch(state))
        if is_first():
            training.classifier.load_state_dict(checkpoints.best(best.epoch))
    tracker.metrics({"kept/epoch": best.epoch, "kept/seconds": best.seconds})
    return best, precision


def _train(
    training: Training,
    trained: Trained,
    precision: Precision,
    state: Tree | None,
    checkpoints: Checkpoints,
    stop: Stop,
    line: Line,
) -> Fitted:
    config, tracker, learner = training.config, training.tracker, trained.learner
    best, passed_s = _take_up(training, trained, state)
    clock = _Clock(passed_s, config.trainer.checkpoint_every_s, stop)
    last_step = _last_step(trained.progress)
    watch = Watch(
        line,
        trained.progress,
        clock.passed_s,
        epochs=config.trainer.epochs,
        steps_per_epoch=-(-len(training.images) // learner.accumulate),
        batch_size=config.trainer.batch_size * learner.accumulate,
    )

    def is_due() -> bool:
        watch.step()
        return clock.is_due()

    def keep() -> None:
        whole = {"training": trained.tree(), "best": _as_tree(best), "passed_s": clock.passed_s()}
        checkpoints.keep(whole | {"precision": str(precision)}, None if best is None else best.epoch)
        clock.kept()

    if state is None and config.trainer.fall_back:
        keep()  # what the sentry goes back to
    for moment in train_epochs(trained.fabric, learner, trained.progress, epochs=config.trainer.epochs, pause=is_due):
        if isinstance(moment, Reading):
            tracker.metrics({"step/train/loss": moment.loss, "step/train/lr": moment.lr}, step=moment.step)
            watch.reading(moment)
            continue
        if isinstance(moment, Pause):
            if not trained.is_finite():  # a step may spoil them after a loss that was still finite
                raise NotFinite("the weights are not finite after", *_last_step(trained.progress))
            is_last = moment.is_trained and trained.progress.epoch == config.trainer.epochs - 1
            if not (is_last and training.is_trial) or stop:
                keep()
            last_step = _last_step(trained.progress)
            if any_of(bool(stop)):
                _say_stop(tracker)
                stop.obey()
                raise Terminated(128 + signal.SIGTERM)  # another process was asked
            stop.at_once = moment.is_trained  # validation changes nothing, so it need not end well
            if moment.is_trained:
                watch.validating()
            continue
        stop.at_once = False
        if not np.isfinite(moment.probabilities).all():
            raise NotFinite("the scores of validation are not finite after", *last_step)
        predictions = _predictions(training, moment.probabilities)
        aucs = quick_auc(lesions_only(predictions))
        _log_epoch(tracker, moment, aucs)
        auc = aucs[predictions.finest]  # the finest level has the most rows, so it tells epochs apart best
        watch.epoch(moment, f"validation {predictions.finest} AUC {auc:.3f}")
        if best is None or auc > best.auc or config.trainer.kept_epoch is KeptEpoch.last:
            best = Fitted(predictions, moment.probabilities, auc, moment.number, moment.number + 1, clock.passed_s())
            checkpoints.keep_best(learner.weights(), moment.number)
        best = replace(best, epochs=moment.number + 1, seconds=clock.passed_s())
        training.after_epoch(moment.number, aucs)
        if config.trainer.patience_epochs and moment.number - best.epoch >= config.trainer.patience_epochs:
            say(f"no better AUC for {config.trainer.patience_epochs} epochs: stopping early")
            break
    assert best is not None, "there is one epoch at least"
    checkpoints.conclude(None if training.is_trial else learner.weights(), best.epoch)
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
        """All processes have to ask at once, and are told the same."""
        return any_of(bool(self._stop) or time.perf_counter() - self._kept_at > self._keep_every_s)


def _last_step(progress: Progress) -> tuple[int, int]:
    return progress.epoch, progress.steps - 1


def _take_up(training: Training, trained: Trained, state: Tree | None) -> tuple[Fitted | None, float]:
    """Puts the state back; gives the best epoch of before, and the seconds that all of it took."""
    if state is None:
        return None, 0.0
    trained.restore(state["training"])
    progress = trained.progress
    if progress.all_steps:
        say(f"going on in epoch {progress.epoch + 1}, after {progress.steps} of its steps")
    kept = state["best"]
    if kept is None:
        return None, state["passed_s"]
    probabilities = kept["probabilities"].numpy()
    predictions = _predictions(training, probabilities)
    best = Fitted(predictions, probabilities, kept["auc"], kept["epoch"], kept["epochs"], kept["seconds"])
    return best, state["passed_s"]


def _best_epoch(state: Tree) -> int | None:
    return None if state["best"] is None else int(state["best"]["epoch"])


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


def _predictions(training: Training, probabilities: np.ndarray) -> Predictions:
    config, samples = training.config, training.provenance.data.samples[Partition.validation]
    return predictions_of(samples, probabilities, Partition.validation, config.image.name, config.target.name)


def _log_epoch(tracker: Tracker, epoch: Epoch, aucs: Mapping[Level, float]) -> None:
    training = {"loss": epoch.train_loss, "lr": epoch.lr, "images_per_s": epoch.images_per_s}
    numbers = {f"epoch/train/{name}": value for name, value in training.items()}
    numbers |= {f"epoch/validation/{level}/auc": auc for level, auc in aucs.items()}
    tracker.metrics(numbers, step=epoch.number)


def _say_stop(tracker: Tracker) -> None:
    say(f"stopping: the training is kept; the same command with resume={tracker.run_id} goes on")
