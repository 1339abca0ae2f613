"""What the head knows before all of the network learns."""

from pathlib import Path

from mammoscope.config import TrainConfig
from mammoscope.data.batches import plain_batches
from mammoscope.data.draws import Draws
from mammoscope.jobs.provenance import Provenance
from mammoscope.models.classifier import Classifier
from mammoscope.reporting.console import say
from mammoscope.training.device import build_fabric
from mammoscope.training.losses import build_loss
from mammoscope.training.probe import start_from_probe
from mammoscope.training.state import STATE
from mammoscope.vocabulary import CLASSES, HeadStart, Partition


def start_head(config: TrainConfig, folder: Path, classifier: Classifier, provenance: Provenance, draws: Draws) -> None:
    """Fits it with `model.head_start=probe`; not where the run's `folder` has a state, which has its head already."""
    if config.model.head_start is not HeadStart.probe or (folder / STATE).exists():
        return
    data, size = provenance.data, config.trainer.batch_size
    pin = provenance.device.type == "cuda"
    # features are computed once, so nothing is augmented; all of them here, whatever other processes share
    images, validation = (
        plain_batches(data.samples[partition], data.stores, batch_size=size, pin=pin)
        for partition in (Partition.train, Partition.validation)
    )
    targets = [sample.target for sample in data.samples[Partition.train]]
    probe = start_from_probe(
        build_fabric(provenance.device, provenance.precision),
        classifier,
        images,
        validation,
        draws,
        build_loss(config.loss, targets, draws.share(), len(CLASSES[config.target.name])),
        size,
    )
    say(
        f"the head starts from a probe of frozen features, ridge {probe.ridge:g}: validation loss "
        f"{probe.loss_before:.4f} before, {probe.loss:.4f} now"
    )
