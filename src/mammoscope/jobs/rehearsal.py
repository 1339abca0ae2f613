"""A training that is set up as a run's would be, and that nothing tracks: what `debug=` works with."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batch, to_inputs
from mammoscope.data.draws import Draws, build_draws
from mammoscope.jobs.gather import GatheredData, gather, say_partitions
from mammoscope.jobs.table import settle_table
from mammoscope.models.classifier import build_classifier
from mammoscope.reporting.console import say
from mammoscope.training.device import Fabric, build_fabric, find_device, find_precision, seed_everything
from mammoscope.training.losses import Loss, build_loss
from mammoscope.training.modes import modes_of
from mammoscope.training.optimizer import build_optimizer, check_optimizer
from mammoscope.vocabulary import CLASSES, HeadStart, Partition


@dataclass(frozen=True, slots=True)
class Rehearsal:
    config: TrainConfig  # with what a table has settled of it
    fabric: Fabric
    data: GatheredData
    draws: Draws
    network: nn.Module  # in training mode; all of it learns
    optimizer: torch.optim.Optimizer
    loss: Loss

    def step(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """As the loop's. The loss and the logits are of the weights before it."""
        logits = self.network(to_inputs(batch.images, self.fabric.device))
        loss = self.loss(logits, batch.targets.to(self.fabric.device))
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        clip_norm = self.config.trainer.clip_norm
        if clip_norm is not None:
            self.fabric.clip_gradients(self.network, self.optimizer, max_norm=clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        return loss.detach(), logits.detach()


def rehearse(config: TrainConfig) -> Rehearsal:
    """Raises MammoscopeError for all that would keep a run from beginning."""
    config = settle_table(config)
    config = replace(config, optimizer=replace(config.optimizer, frozen_epochs=0))  # there are no epochs to wait for
    check_optimizer(config.optimizer)
    device = find_device(config.trainer)
    seed_everything(config.seed)
    classifier, weights = build_classifier(config.model, config.image, config.loss, config.target, view=config.view)
    data = gather(config)
    say_partitions(data)
    if config.model.head_start is HeadStart.probe:
        say("note: model.head_start=probe is left out here: the head starts undecided")
    fabric = build_fabric(device, find_precision(config.trainer, device))
    say(f"weights {weights.origin}; {device}; no run is tracked")
    samples = data.samples[Partition.train]
    draws = build_draws(samples, config.trainer.sampling, config.seed)
    if config.trainer.channels_last:
        classifier.to(memory_format=torch.channels_last)
    if config.model.compile:
        classifier.compile()
    network, optimizer = fabric.setup(classifier, build_optimizer(config.optimizer, classifier))
    network.train()
    modes = modes_of(config.model, config.optimizer, classifier)
    if modes is not None:
        modes.begin(0)
    targets = [sample.target for sample in samples]
    loss = build_loss(config.loss, targets, draws.share(), len(CLASSES[config.target.name]))
    return Rehearsal(config, fabric, data, draws, network, optimizer, loss)
