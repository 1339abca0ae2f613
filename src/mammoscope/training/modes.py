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
    frozen_stages: int
    batch_norm: BatchNorm

    def freeze_stages(self) -> None:
        """Before the optimizer and other processes are told what learns."""
        for parameter in self.classifier.stage_parameters(self.frozen_stages):
            parameter.requires_grad_(False)

    def begin(self, epoch: int) -> None:
        """epoch: counted from 0. To be called after `train()`, which wakes everything."""
        is_frozen = epoch < self.frozen_epochs
        head = {id(parameter) for parameter in self.classifier.head_parameters()}
        for parameter in self.classifier.parameters():
            parameter.requires_grad_(not is_frozen or id(parameter) in head)
        self.freeze_stages()
        for module in self.classifier.modules():
            if isinstance(module, _BatchNorm) and (self.batch_norm is BatchNorm.frozen or _stands_still(module)):
                module.eval()  # statistics that move while the weights stand still would let the features drift


def modes_of(model: ModelConfig, optimizer: OptimizerConfig, classifier: Classifier) -> Modes | None:
    """None where nothing changes from one epoch to the next: all learns, or (trainable=head) none of the classifier."""
    is_plain = optimizer.frozen_epochs == 0 and model.frozen_stages == 0 and model.batch_norm is BatchNorm.train
    if is_plain or model.trainable is Trainable.head:
        return None
    return Modes(classifier, optimizer.frozen_epochs, model.frozen_stages, model.batch_norm)


def _stands_still(module: _BatchNorm) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
