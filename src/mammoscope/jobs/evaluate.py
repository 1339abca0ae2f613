"""`mammoscope evaluate RUN`: the one door through which the test partition is opened, and every opening is counted."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from mammoscope.catalog.certificate import Certificate, check_against
from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batches, plain_batches
from mammoscope.data.preprocess import preprocessing_hash
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.evaluate_sliding import can_slide, check_slidable, evaluate_sliding
from mammoscope.jobs.evidence import Report, log_evidence, predictions_of, show_results
from mammoscope.jobs.gather import GatheredData, gather
from mammoscope.jobs.provenance import log_dataset
from mammoscope.jobs.table import settle_table
from mammoscope.models.classifier import build_classifier
from mammoscope.reporting.console import say
from mammoscope.reporting.description import with_section
from mammoscope.reporting.tables import results_markdown
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore
from mammoscope.training.checkpoint import BEST, load_weights
from mammoscope.training.device import build_fabric, find_device, find_precision
from mammoscope.training.loop import score, score_images
from mammoscope.vocabulary import Level, Partition, Trainable

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ELSEWHERE = "elsewhere"  # prefix of results on another source, so that the run's own numbers stay what they were


def evaluate(config: TrainConfig, store: TrackingStore, run: RunInfo, partition: Partition) -> Report:
    """Scores a partition with what the run kept, and writes the results into the run itself.

    config: the run's own, but for where the mammograms lie and what computes.

    Raises MammoscopeError: no checkpoint, another preprocessing, an empty partition; LeakError for a patient or film
    that the run has seen.
    """
    config = settle_table(config)
    _check_preprocessing(config, run)
    weights = load_weights(run.folder / BEST)
    certificate = Certificate.from_json(store.artifact(run.id, "certificate.json").read_text())
    thresholds = _thresholds(run)
    data = gather(config, needed=[partition])
    samples = data.samples[partition]
    if not samples:
        raise MammoscopeError(
            f"--partition {partition}: it is empty in this source ({data.root}); allowed: one with files"
        )
    check_against(certificate, samples, partition)
    prefix = _prefix(run, certificate, data.catalog.digest, partition)
    if can_slide(config.target.name):
        check_slidable(run, data.catalog.digest, partition)
    say(f"run {run.id}")
    if partition is Partition.test:
        sealed = data.certificate.members_digest(partition)
        count = store.count_opening(run.id, partition, sealed)
        say(f"opening {count} of the test partition {sealed[:12]} ({len(samples)} samples)")
    fabric, network = _network(config, weights)
    probabilities = score(fabric, network, _batches(config, data, fabric.device, partition))
    predictions = predictions_of(samples, probabilities, partition, config.image.name, config.target.name)
    with store.reopened(run.id) as tracker:
        log_dataset(tracker, config, data, samples, partition)
        tracker.tags({f"{prefix}{partition}.catalog": data.catalog.digest})
        report = log_evidence(tracker, predictions, samples, data, thresholds=thresholds, prefix=prefix)
        title = f"Results on {prefix}{partition}"
        results = results_markdown(report.evidence, report.classes, title=title, references=report.references)
        description = with_section(run.description, title, results)
        tracker.describe(description)
        show_results(report)
        if can_slide(config.target.name):
            ask = partial(score_images, fabric, network)
            slid = evaluate_sliding(config, tracker, run, data, partition, ask, prefix=prefix)
            title = f"Results on {prefix}{partition}, whole mammograms"
            tracker.describe(with_section(description, title, slid.markdown(title)))
            slid.show()
    say(f"run {run.id}")
    return report


def _prefix(run: RunInfo, certificate: Certificate, catalog: str, partition: Partition) -> str:
    """Before the keys of results on a source that is not the run's own; a run whose source has no test has no own."""
    is_own = catalog == run.tags.get("catalog")
    has_own = partition is not Partition.test or bool(certificate.members[Partition.test].patients)
    return f"{ELSEWHERE}/{catalog[:8]}/" if has_own and not is_own else ""


def _check_preprocessing(config: TrainConfig, run: RunInfo) -> None:
    ours, theirs = preprocessing_hash(config.image), run.tags.get("preprocessing")
    if ours != theirs:
        raise MammoscopeError(
            f"run {run.id}: trained on images of preprocessing {theirs}, this version of mammoscope prepares {ours}; "
            "evaluate it with the version that trained it (tag git_commit)"
        )


def _thresholds(run: RunInfo) -> Mapping[Level, float]:
    found = {level: run.metrics.get(f"{Partition.validation}/{level}/threshold") for level in Level}
    thresholds = {level: value for level, value in found.items() if value is not None}
    if not thresholds:
        raise MammoscopeError(
            f"run {run.id} ({run.status}): it chose no threshold on validation, so it did not finish training"
        )
    return thresholds


def _network(config: TrainConfig, weights: Mapping[str, torch.Tensor]) -> "tuple[Fabric, nn.Module]":
    device = find_device(config.trainer)
    architecture = replace(config.model, weights="none", trainable=Trainable.all)
    classifier, _ = build_classifier(architecture, config.image, config.loss, config.target, view=config.view)
    classifier.load_state_dict(weights)
    fabric = build_fabric(device, find_precision(config.trainer, device))
    return fabric, fabric.setup(classifier)


def _batches(config: TrainConfig, data: GatheredData, device: torch.device, partition: Partition) -> Batches:
    pin = device.type == "cuda"
    return plain_batches(data.samples[partition], data.stores, batch_size=config.trainer.batch_size, pin=pin)
