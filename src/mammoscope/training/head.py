"""model.trainable=head: the backbone is frozen, its features are computed once, only the last linear layer learns."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from lightning_fabric import Fabric
from torch import nn

from mammoscope.data.batches import Batch, to_inputs
from mammoscope.data.draws import Draws
from mammoscope.models.classifier import Classifier
from mammoscope.training.loop import Epochs


class FeatureBatches:
    """A partition's features in place of its images; the loop does not notice. Final."""

    def __init__(self, features: torch.Tensor, targets: torch.Tensor, draws: Draws | None, batch_size: int):
        """draws: what each epoch shows; None: every sample in its order."""
        self.features, self.targets = features, targets  # float32 (samples, features), (samples,)
        self._draws, self._batch_size = draws, batch_size

    def __len__(self) -> int:
        return -(-len(self.features) // self._batch_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        in_order = torch.arange(len(self.features))
        shown = in_order if self._draws is None else torch.from_numpy(self._draws.epoch(number))
        for picks in shown.split(self._batch_size)[start:]:
            yield Batch(self.features[picks], self.targets[picks], picks)


@torch.inference_mode()
def _features(fabric: Fabric, classifier: Classifier, batches: Iterable[Batch]) -> tuple[torch.Tensor, torch.Tensor]:
    classifier.eval()
    parts, targets = [], []
    for batch in batches:
        with fabric.autocast():
            parts.append(classifier.features(to_inputs(batch.images, fabric.device)).float())
        targets.append(batch.targets)
    return torch.cat(parts).clone(), torch.cat(targets).clone()


class FrozenHead:
    """The head of a classifier, trained on standardised features, and put back where it belongs. Final.

    Standardising (mean and deviation of the training features) only makes the problem well conditioned: it is folded
    into the linear layer by `folded`, so that the classifier gives the same logits from images.
    """

    def __init__(
        self,
        fabric: Fabric,
        classifier: Classifier,
        train: Epochs,
        validation: Epochs,
        draws: Draws,
        batch_size: int,
    ):
        """train: every sample in its order, of which `draws` then says what an epoch shows."""
        self._classifier = classifier.requires_grad_(False)
        features, targets = _features(fabric, classifier, train.epoch(0))
        self._mean, self.std = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
        self.train = FeatureBatches(self._standard(features), targets, draws, batch_size)
        features, targets = _features(fabric, classifier, validation.epoch(0))
        self.validation = FeatureBatches(self._standard(features), targets, None, batch_size)
        self.network = nn.Linear(features.shape[1], classifier.head.out_features)
        nn.init.zeros_(self.network.weight)
        nn.init.zeros_(self.network.bias)

    def _standard(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self._mean) / self.std

    @torch.no_grad()
    def folded(self, learnt: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The classifier's weights, with what `network` has learnt as its own head."""
        head = self._classifier.head
        weight = learnt["weight"] / self.std
        head.weight.copy_(weight)
        if head.bias is not None:
            head.bias.copy_(learnt["bias"] - weight @ self._mean)
        return self._classifier.state_dict()
