"""model.head_start=probe: the last layer is fitted on frozen features before all of the network learns.

A head that knows nothing sends large, random gradients into a pretrained backbone, which forgets by them: Kumar et al.
2022, arXiv 2202.10054 (LP-FT).
"""

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

from mammoscope.data.draws import Draws
from mammoscope.models.classifier import Classifier
from mammoscope.training.head import FeatureBatches, FrozenHead
from mammoscope.training.loop import Epochs
from mammoscope.training.losses import Loss

# From strong to weak: a ridge too weak learns the training samples by heart, and validation says which is.
RIDGES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@dataclass(frozen=True, slots=True)
class Probe:
    ridge: float  # the one of RIDGES that was kept
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
    """Leaves the head with the lowest validation loss in the classifier, all of which may learn again.

    train: every sample in its order, as prepared; of these the head is fitted on what `draws` shows in the first epoch.
    """
    classifier.to(fabric.device)
    head = FrozenHead(fabric, classifier, train, validation, draws, batch_size)
    head.network.to(fabric.device)
    probe = _fit(head, loss)
    head.folded(head.network.state_dict())
    classifier.requires_grad_(True)
    return probe


def _fit(head: FrozenHead, loss: Loss) -> Probe:
    network = head.network
    shown = list(head.train.epoch(0))
    features, targets = torch.cat([batch.images for batch in shown]), torch.cat([batch.targets for batch in shown])
    # Penalised are the classifier's own weights, in units of a mean feature. Those of standardised features would let
    # one that hardly varies have a weight of thousands, and as soon as the backbone learns such features move.
    own = head.std.square().mean().sqrt() / head.std
    before = _loss_on(network, head.validation, loss)
    fitted = []
    for ridge in RIDGES:  # each goes on from the one before, which is near
        _minimise(network, features, targets.to(features.device), loss, ridge * own.square())
        weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        fitted.append((_loss_on(network, head.validation, loss), ridge, weights))
    least, ridge, weights = min(fitted, key=lambda each: each[0])
    network.load_state_dict(weights)
    return Probe(ridge, before, least)


def _minimise(
    network: nn.Linear, features: torch.Tensor, targets: torch.Tensor, loss: Loss, ridge: torch.Tensor
) -> None:
    """loss + the sum of ridge / 2 x squared weights (not of the bias), on all features at once: no rate to choose.

    ridge: (features,).
    """
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def value() -> torch.Tensor:
        optimizer.zero_grad()
        total = loss(network(features), targets) + 0.5 * (ridge * network.weight.square()).sum()
        total.backward()
        return total

    optimizer.step(value)


@torch.no_grad()
def _loss_on(network: nn.Linear, batches: FeatureBatches, loss: Loss) -> float:
    return float(loss(network(batches.features), batches.targets.to(batches.features.device)))
