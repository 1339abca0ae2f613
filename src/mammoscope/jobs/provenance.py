"""Who a run is: its name, its tags, and everything that must be known to trust or repeat it."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import yaml

from mammoscope.config import TrainConfig
from mammoscope.data.preprocess import preprocessing_hash
from mammoscope.files import written_whole
from mammoscope.fingerprint import config_hash, nested, public_config
from mammoscope.jobs.gather import GatheredData
from mammoscope.models.weights import Weights
from mammoscope.records import Sample
from mammoscope.tracking.run import Tracker
from mammoscope.training.processes import share
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Partition, Precision, SourceName, TargetPolicy, Trainable

CONFIG_FILE = "config.yaml"
WEIGHTS_DIGEST = "weights_digest"  # tag: of best.safetensors
_TARGET_IN_NAMES = {TargetPolicy.malignancy: "", TargetPolicy.malignancy_without_bwc: "-nobwc"}


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is settled when a run begins, besides its config."""

    data: GatheredData
    weights: Weights
    device: torch.device
    precision: Precision

    def environment(self) -> dict[str, str]:
        """The hardware; library versions and the commit are the tracking store's to add."""
        return environment_of(self.device, self.precision)


def environment_of(device: torch.device, precision: Precision) -> dict[str, str]:
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "none"
    return {
        "device": str(device),
        "gpu": gpu,
        "cpu": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": str(precision),
        "processes": str(share().processes),
        "system": f"{platform.system()} {platform.release()}",
    }


def run_name(config: TrainConfig) -> str:
    """What differs first, because the UI cuts names after some 18 characters: resnet50-calc-roi-both-s0."""
    head = "-head" if config.model.trainable is Trainable.head else ""
    target = _TARGET_IN_NAMES.get(config.target.name, f"-{config.target.name}")
    variant = f"{config.data.name}-{config.image.name}-{config.view.name}"
    fold = "" if config.split.fold is None else f"-fold{config.split.fold}"
    return f"{config.model.name}{head}-{variant}{target}{fold}-s{config.seed}"


def run_tags(config: TrainConfig, provenance: Provenance) -> dict[str, str]:
    fold = {} if config.split.fold is None else {"fold": str(config.split.fold)}
    return fold | {
        "data": config.data.name,
        "image": str(config.image.name),
        "view": config.view.name,
        **({} if config.view.fusion is None else {"fusion": str(config.view.fusion)}),
        "target": str(config.target.name),
        "source": str(config.source.name),
        "split": str(config.split.name),
        "model": config.model.name,
        "weights": provenance.weights.tag,
        "trainable": str(config.model.trainable),
        "seed": str(config.seed),
        "precision": str(provenance.precision),
        "phantom": str(provenance.data.is_phantom).lower(),
        "config_hash": config_hash(config, provenance.weights.tag),
        "preprocessing": preprocessing_hash(config.image),
        "certificate": provenance.data.certificate.digest,
        "catalog": provenance.data.catalog.digest,
        "intended_use": RESEARCH_USE_ONLY,
    }


def log_provenance(tracker: Tracker, config: TrainConfig, provenance: Provenance) -> None:
    """Config as parameters and artifact, certificate, one dataset input a partition that the run learns from."""
    log_config(tracker, config)
    log_data(tracker, config, provenance)


def log_config(tracker: Tracker, config: TrainConfig) -> None:
    shown = public_config(config)
    tracker.params(shown)
    tracker.text(_yaml(nested(shown)), CONFIG_FILE)


def log_data(tracker: Tracker, config: TrainConfig, provenance: Provenance) -> None:
    tracker.text(provenance.data.certificate.to_json(), "certificate.json")
    for partition in (Partition.train, Partition.validation):
        log_dataset(tracker, config, provenance.data, provenance.data.samples[partition], partition)


def log_dataset(
    tracker: Tracker, config: TrainConfig, data: GatheredData, samples: Sequence[Sample], partition: Partition
) -> None:
    """One row of the run's Datasets column: which samples, by digest, in which partition."""
    counts = {"samples": str(len(samples)), "malignant": str(sum(s.malignant for s in samples))}
    source = SourceName.phantom if data.is_phantom else config.source.name
    name = f"{source}-{config.data.name}-{config.image.name}-{config.view.name}"
    tracker.dataset(name, samples_digest(samples), str(partition), counts)


def samples_digest(samples: Sequence[Sample]) -> str:
    """Of ids, films and targets, whatever their order: 32 hexadecimal digits."""
    rows = sorted((sample.id, *sample.films, sample.target) for sample in samples)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]


def write_local_config(config: TrainConfig, folder: Path) -> None:
    """The whole config, paths included, stays on this disk."""
    with written_whole(folder / CONFIG_FILE) as temporary:
        temporary.write_text(_yaml(asdict(config)))


def _yaml(tree: object) -> str:
    return yaml.safe_dump(
        json.loads(json.dumps(tree)), sort_keys=False
    )  # through JSON: YAML would tag our enumerations
