"""model.head_start=probe: the last layer is fitted on frozen features before all of the network learns.

A head that knows nothing sends large, random gradients into a pretrained backbone, which forgets by them: Kumar et al.
2022, arXiv 2202.10054 (LP-FT).
"""

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric

from mammoscope.data.draws import Draws
from mammoscope.models.classifier import Classifier
from mammoscope.training.head import FeatureBatches, FrozenHead
from mammoscope.training.loop import Epochs
from mammoscope.training.losses import Loss

# Features are standardised, so these suit every backbone; what has overfitted is not kept. Seconds in all.
EPOCHS, LR, WEIGHT_DECAY = 30, 1e-3, 0.01


@dataclass(frozen=True, slots=True)
class Probe:
    epoch: int  # counted from 1: the one that was kept
    loss_before: float  # of validation, by a head that knows nothing
    loss: float  # of validation


def start_from_probe(
    fabric: Fabric,
    classifier: Classifier,
    train: Epochs,
    validation: Epochs,
    draws: Draws,
    loss: Loss,
    batch_size: int,
) -> Probe:
    """Leaves the head of the epoch with the lowest validation loss in the classifier, all of which may learn again.

    train: every sample in its order, as prepared; `draws` says what an epoch shows.
    """
    classifier.to(fabric.device)
    head = FrozenHead(fabric, classifier, train, validation, draws, batch_size)
    probe = _fit(fabric, head, loss)
    head.fold()
    classifier.requires_grad_(True)
    return probe


def _fit(fabric: Fabric, head: FrozenHead, loss: Loss) -> Probe:
    network = head.network.to(fabric.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    before = best = _loss_on(network, head.validation, loss)
    kept, kept_weights = 0, _copy(network)
    for number in range(EPOCHS):
        for batch in head.train.epoch(number):
            optimizer.zero_grad(set_to_none=True)
            loss(network(batch.images), batch.targets.to(fabric.device)).backward()
            optimizer.step()
        now = _loss_on(network, head.validation, loss)
        if now < best:
            best, kept, kept_weights = now, number + 1, _copy(network)
    network.load_state_dict(kept_weights)
    return Probe(kept, before, best)


@torch.no_grad()
def _loss_on(network: torch.nn.Linear, batches: FeatureBatches, loss: Loss) -> float:
    return float(loss(network(batches.features), batches.targets.to(batches.features.device)))


def _copy(network: torch.nn.Linear) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
