"""What a run trains and from what, put together once, and anew where it has to go on in another precision."""

from dataclasses import dataclass

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batches
from mammoscope.data.draws import Draws
from mammoscope.jobs.provenance import Provenance
from mammoscope.models.classifier import Classifier
from mammoscope.tracking.run import Tracker
from mammoscope.training.device import build_fabric
from mammoscope.training.learner import build_learner
from mammoscope.training.readings import Progress
from mammoscope.training.state import Trained
from mammoscope.vocabulary import CLASSES, Partition, Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a run trains, and from what."""

    config: TrainConfig
    tracker: Tracker
    classifier: Classifier
    provenance: Provenance
    images: Batches
    validation: Batches
    draws: Draws

    def begin(self, precision: Precision) -> Trained:
        """Before its first step, in a precision that need not be the run's own."""
        config = self.config
        fabric = build_fabric(self.provenance.device, precision)
        learner = build_learner(
            fabric,
            self.classifier,
            self.images,
            self.validation,
            self.draws,
            model=config.model,
            train_targets=[sample.target for sample in self.provenance.data.samples[Partition.train]],
            classes=len(CLASSES[config.target.name]),
            loss=config.loss,
            optimizer=config.optimizer,
            schedule=config.schedule,
            trainer=config.trainer,
            mixup_alpha=config.augment.mixup_alpha,
            seed=config.seed,
        )
        return Trained(fabric, learner, Progress())
