"""Which weights learn in which epoch, and what batch norm goes by: told by the epoch's number, not by what came before.

So a training that is gone on with in another process agrees with one that never stopped.
"""

from dataclasses import dataclass

from torch.nn.modules.batchnorm import _BatchNorm

from mammoscope.config import ModelConfig, OptimizerConfig
from mammoscope.models.classifier import Classifier
from mammoscope.vocabulary import BatchNorm, Trainable


@dataclass(frozen=True, slots=True)
class Modes:
    classifier: Classifier
    frozen_epochs: int
    batch_norm: BatchNorm

    def begin(self, epoch: int) -> None:
        """epoch: counted from 0. To be called after `train()`, which wakes everything."""
        is_frozen = epoch < self.frozen_epochs
        head = {id(parameter) for parameter in self.classifier.head_parameters()}
        for parameter in self.classifier.parameters():
            parameter.requires_grad_(not is_frozen or id(parameter) in head)
        if is_frozen or self.batch_norm is BatchNorm.frozen:
            # the statistics of a backbone that stands still must stand still too, or its features would drift
            for module in self.classifier.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()


def modes_of(model: ModelConfig, optimizer: OptimizerConfig, classifier: Classifier) -> Modes | None:
    """None where nothing changes from one epoch to the next: all learns, or (trainable=head) none of the classifier."""
    is_plain = optimizer.frozen_epochs == 0 and model.batch_norm is BatchNorm.train
    if is_plain or model.trainable is Trainable.head:
        return None
    return Modes(classifier, optimizer.frozen_epochs, model.batch_norm)
