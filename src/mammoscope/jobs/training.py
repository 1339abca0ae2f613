"""What a run trains and from what, put together once, and anew where it has to go on in another precision."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import final

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batches, plain_batches, train_batches
from mammoscope.data.draws import Draws, build_draws
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.provenance import Provenance
from mammoscope.models.classifier import Classifier, build_classifier
from mammoscope.models.weights import Weights
from mammoscope.tracking.run import Tracker
from mammoscope.training.device import build_fabric, find_workers
from mammoscope.training.learner import build_learner
from mammoscope.training.processes import share
from mammoscope.training.readings import Progress
from mammoscope.training.state import Trained
from mammoscope.vocabulary import CLASSES, Level, Partition, Precision, Trainable


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
    is_trial: bool = False  # little follows its last step: the state at the end of its last epoch is not worth a write
    after_epoch: Callable[[int, Mapping[Level, float]], None] = lambda epoch, aucs: None  # validation's AUCs; may raise

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


def build_network(config: TrainConfig) -> tuple[Classifier, Weights]:
    classifier, weights = build_classifier(config.model, config.image, config.loss, config.target, view=config.view)
    if weights.file is None and config.optimizer.frozen_epochs > 0:
        raise MammoscopeError(
            f"optimizer.frozen_epochs={config.optimizer.frozen_epochs}: no pretrained weights for "
            f"{config.model.backbone} can be had here, and a head learns nothing on a frozen random backbone; use "
            "optimizer.frozen_epochs=0"
        )
    return classifier, weights


@final
class Loaders:
    """Batches of the training before, for one that wants the same: processes that augment stay warm."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._kept: tuple[Batches, Batches, Draws] | None = None
        self._in_use = False

    def get(self, key: str, build: Callable[[], tuple[Batches, Batches, Draws]]) -> tuple[Batches, Batches, Draws]:
        if self._kept is None or key != self._key or self._in_use:  # one that was left within an epoch is not whole
            self._kept = None
            self._kept, self._key = build(), key
        self._in_use = True
        return self._kept

    def rest(self) -> None:
        """The training that had them has ended between two epochs."""
        self._in_use = False

    def drop_unless_at_rest(self) -> None:
        if self._in_use:
            self._kept = None


def training_of(
    config: TrainConfig,
    tracker: Tracker,
    classifier: Classifier,
    provenance: Provenance,
    *,
    loaders: Loaders | None = None,
) -> Training:
    """loaders: of the process, where it trains several times."""

    def build() -> tuple[Batches, Batches, Draws]:
        draws = build_draws(provenance.data.samples[Partition.train], config.trainer.sampling, config.seed)
        return *_batches(config, provenance, draws), draws

    data = provenance.data
    what = (config.trainer.batch_size, asdict(config.augment), config.seed, str(config.trainer.sampling))
    key = repr((id(data), *what, str(config.model.trainable), config.trainer.workers, str(provenance.device)))
    images, validation, draws = build() if loaders is None else loaders.get(key, build)
    return Training(
        config=config,
        tracker=tracker,
        classifier=classifier,
        provenance=provenance,
        images=images,
        validation=validation,
        draws=draws,
    )


def _batches(config: TrainConfig, provenance: Provenance, draws: Draws) -> tuple[Batches, Batches]:
    data = provenance.data
    size, pin = config.trainer.batch_size, provenance.device.type == "cuda"
    if config.model.trainable is Trainable.head:  # features are computed once, so every epoch must see the same images
        images = plain_batches(data.samples[Partition.train], data.stores, batch_size=size, pin=pin)
    else:
        images = train_batches(
            data.samples[Partition.train],
            data.stores,
            config.augment,
            draws,
            batch_size=size,
            workers=find_workers(config.trainer, provenance.device),
            seed=config.seed,
            pin=pin,
            share=share(),
        )
    validation = data.samples[Partition.validation]
    return images, plain_batches(validation, data.stores, batch_size=size, pin=pin, share=share())
