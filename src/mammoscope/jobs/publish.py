"""A trained classifier -> a package that runs without this project, under a name that says what it is for."""

import tempfile
from pathlib import Path

import numpy as np

from mammoscope.config import TrainConfig
from mammoscope.data.preprocess import preprocessing_hash
from mammoscope.fingerprint import config_hash
from mammoscope.inference.package import PackageFacts, write_package
from mammoscope.jobs.evidence import Report
from mammoscope.jobs.provenance import Provenance
from mammoscope.jobs.registration import Registration, register_or_keep
from mammoscope.models.classifier import Classifier
from mammoscope.registry.versions import model_name
from mammoscope.reporting.wording import interval_text
from mammoscope.tracking.run import Tracker
from mammoscope.tracking.store import TrackingStore
from mammoscope.vocabulary import CLASSES, MALIGNANT_CLASSES, RESEARCH_USE_ONLY, Register


def publish(
    config: TrainConfig,
    store: TrackingStore,
    tracker: Tracker,
    classifier: Classifier,
    provenance: Provenance,
    report: Report,
    *,
    is_version: bool = True,
) -> None:
    """Registers what the run kept, unless it is told not to. `auto` is settled at the door: trials do not register.

    is_version: else the package is logged to the run only, as those of a search's second and third are.

    Where the tracking store does not answer, the package waits in the run's folder for `mammoscope runs --sync`.

    Raises MammoscopeError for what the store refused of the run so far.
    """
    if config.tracking.register is Register.never:
        return
    data = provenance.data
    variant = (config.data.name, str(config.image.name), config.view.name, str(config.target.name))
    name = model_name(*variant, is_phantom=data.is_phantom)
    facts = _facts(config, tracker, classifier, provenance, report)
    state = {key.removeprefix("backbone."): tensor for key, tensor in classifier.state_dict().items()}  # fusion.* stays
    with tempfile.TemporaryDirectory() as folder:
        package = write_package(Path(folder) / "model", state, facts, _blank(config))
        tags = {
            "run": tracker.run_id,
            "certificate": data.certificate.digest,
            "preprocessing": preprocessing_hash(config.image),
            "config_hash": config_hash(config, provenance.weights.tag),
            "phantom": str(data.is_phantom).lower(),
        }
        registration = Registration(name, tags, _about(config, provenance, report), data.is_phantom, is_version)
        register_or_keep(store, tracker, package, registration)


def _facts(
    config: TrainConfig, tracker: Tracker, classifier: Classifier, provenance: Provenance, report: Report
) -> PackageFacts:
    architecture = classifier.architecture
    level = report.predictions.finest
    return PackageFacts(
        backbone=architecture.backbone,
        model_kwargs=architecture.arguments,
        num_classes=architecture.outputs,
        classes=CLASSES[config.target.name],
        malignant=tuple(name for name in CLASSES[config.target.name] if name in MALIGNANT_CLASSES),
        views=tuple(config.view.views) if config.view.fusion is not None else (),
        fusion=architecture.fusion,
        scales=architecture.scales,
        average_flips=architecture.average_flips,
        mean=architecture.mean,
        std=architecture.std,
        height_px=config.image.height_px,
        width_px=config.image.width_px,
        loss=str(config.loss.name),
        threshold=dict(report.evidence.thresholds)[level],
        threshold_level=str(level),
        preprocessing=preprocessing_hash(config.image),
        certificate=provenance.data.certificate.digest,
        run_id=tracker.run_id,
        data=config.data.name,
        image=str(config.image.name),
        view=config.view.name,
        target=str(config.target.name),
        is_phantom=provenance.data.is_phantom,
    )


def _blank(config: TrainConfig) -> np.ndarray:
    """The model's example: a picture of a patient must not go with it, and any other fills megabytes of digits."""
    size = (config.image.height_px, config.image.width_px)
    if config.view.fusion is not None:  # where a blank view would be a missing one
        return np.ones((1, len(config.view.views), *size), np.uint16)
    return np.zeros((1, *size), np.uint16)


def _about(config: TrainConfig, provenance: Provenance, report: Report) -> str:
    """What the registry says of a version, in a sentence or two."""
    level = report.predictions.finest
    auc = report.evidence.result(level, "auc")
    phantom = " Trained on a phantom: no patient is behind it." if provenance.data.is_phantom else ""
    return (
        f"{config.model.name}: validation AUC {interval_text(auc)} at {level} level, "
        f"{auc.n} rows of {auc.patients} patients.{phantom} {RESEARCH_USE_ONLY}"
    )
