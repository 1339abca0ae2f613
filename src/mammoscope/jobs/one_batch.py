"""`python train.py debug=one_batch`: a network that can learn anything learns one batch by heart."""

from dataclasses import replace

import torch

from mammoscope.config import DebugConfig, TrainConfig
from mammoscope.data.batches import Batch, Batches, SampleImages
from mammoscope.data.draws import Draws
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.rehearsal import Rehearsal, rehearse
from mammoscope.models.classifier import probabilities_of
from mammoscope.reporting.console import say
from mammoscope.vocabulary import Partition


def one_batch(config: TrainConfig) -> None:
    """Trains until the log loss of a fixed batch is below `debug.log_loss`.

    Raises MammoscopeError where it is not after `debug.steps` steps.
    """
    debug = config.debug
    assert debug is not None, "the menu chose this"
    assert debug.log_loss is not None, "checks ask for it"
    model, loss = replace(config.model, drop_rate=0, drop_path_rate=0), replace(config.loss, smoothing=0)
    rehearsal = rehearse(replace(config, model=model, loss=loss))
    batch = _batch(rehearsal)
    say(f"one batch of {len(batch.targets)} samples, the classes in turn; lr {config.optimizer.lr:g}")
    value = float("nan")
    for step in range(1, debug.steps + 1):
        value = _log_loss(rehearsal.step(batch)[1], batch.targets)
        if value < debug.log_loss:
            say(f"step {step}  log loss {value:.4f}\npassed: the batch is learnt by heart, after {step} steps")
            return
        if step == 1 or step % max(1, debug.steps // 10) == 0:
            say(f"step {step}  log loss {value:.4f}")
    raise MammoscopeError(_failure(debug, value, len(batch.targets), config.optimizer.lr))


def _batch(rehearsal: Rehearsal) -> Batch:
    """As prepared, and each class as often: one of a single class would be learnt by its bias alone."""
    samples, config = rehearsal.data.samples[Partition.train], rehearsal.config
    draws = Draws([sample.target for sample in samples], config.seed)
    images = SampleImages(samples, rehearsal.data.stores, None, config.seed)
    return next(Batches(images, config.trainer.batch_size, draws, workers=0, pin=False).epoch(0))


def _log_loss(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Minus the mean log probability of the samples' own classes: the same measure for every loss."""
    probabilities = probabilities_of(logits).cpu()
    own = probabilities.gather(1, targets.long()[:, None]).clamp_min(torch.finfo(probabilities.dtype).tiny)
    return float(-own.log().mean())


def _failure(debug: DebugConfig, value: float, samples: int, lr: float) -> str:
    return (
        f"debug=one_batch: after {debug.steps} steps the log loss of {samples} samples is {value:.4f}, not below "
        f"{debug.log_loss:g}: the network does not learn one batch by heart; try another optimizer.lr than {lr:g} "
        "(debug=lr_range suggests one) or more debug.steps; else look for a fault in the loss or the targets"
    )
