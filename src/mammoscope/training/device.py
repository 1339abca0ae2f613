"""Where and how precisely a run computes, and its generators."""

import os
import random

import numpy as np
import torch
from lightning_fabric import Fabric as Fabric

from mammoscope.config import TrainerConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import Precision

MAX_WORKERS = 8


def find_device(trainer: TrainerConfig) -> torch.device:
    """Raises MammoscopeError for a device that is not there."""
    wanted = trainer.device
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    allowed = ["auto", "cpu", *(f"cuda:{n}" for n in range(torch.cuda.device_count()))]
    if (wanted != "cuda" or not torch.cuda.is_available()) and wanted not in allowed:
        raise MammoscopeError(f"trainer.device={wanted}: not on this machine; allowed: {', '.join(allowed)}")
    return torch.device(wanted)


def find_precision(trainer: TrainerConfig, device: torch.device) -> Precision:
    """auto: bf16 on a GPU that has it, else fp32 (bf16 is slower than fp32 on most CPUs)."""
    if trainer.precision is not Precision.auto:
        return trainer.precision
    return Precision.bf16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else Precision.fp32


def find_workers(trainer: TrainerConfig, device: torch.device) -> int:
    """null: none on a CPU, where they would compete with the training for its cores."""
    if trainer.workers is not None:
        return trainer.workers
    return 0 if device.type == "cpu" else max(1, min(MAX_WORKERS, len(os.sched_getaffinity(0)) - 1))


def build_fabric(device: torch.device, precision: Precision) -> Fabric:
    names = {Precision.fp32: "32-true", Precision.bf16: "bf16-mixed"}
    devices = 1 if device.type == "cpu" else [device.index or 0]
    return Fabric(accelerator=device.type, devices=devices, precision=names[precision])  # type: ignore[arg-type]


def seed_everything(seed: int) -> None:
    """Initial weights and dropout; order and augmentation have their own generators, seeded by sample."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
