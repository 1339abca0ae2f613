"""Where and how precisely a run computes, and its generators."""

import os
import random

import numpy as np
import torch
from lightning_fabric import Fabric as Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from lightning_fabric.plugins.precision import Precision as FabricPrecision

from mammoscope.config import TrainerConfig
from mammoscope.errors import MammoscopeError
from mammoscope.training.processes import share
from mammoscope.vocabulary import Precision

MAX_WORKERS = 8


def find_device(trainer: TrainerConfig) -> torch.device:
    """Raises MammoscopeError for a device that is not there."""
    wanted = trainer.device
    if "TORCHELASTIC_RUN_ID" in os.environ and wanted in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
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
    """fp16 comes with a scaler of the loss, which skips a step whose gradients overflow and scales less after it."""
    plugin = _plugin(device, precision)
    if share().processes > 1:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        machines = share().processes // here
        fabric = Fabric(accelerator=device.type, devices=here, num_nodes=machines, strategy="ddp", plugins=plugin)
        fabric.launch()
        return fabric
    devices = 1 if device.type == "cpu" else [device.index or 0]
    return Fabric(accelerator=device.type, devices=devices, plugins=plugin)


def _plugin(device: torch.device, precision: Precision) -> FabricPrecision | MixedPrecision:
    if precision is Precision.fp32:
        return FabricPrecision()
    if precision is Precision.bf16:
        return MixedPrecision("bf16-mixed", device.type)
    # the scaler by hand: Fabric takes bf16 in place of fp16 on a CPU
    return MixedPrecision("16-mixed", device.type, scaler=torch.amp.GradScaler(device.type))


def safer(precision: Precision, device: torch.device) -> Precision | None:
    """What to go on in where `precision` has overflowed: bf16 has the range of fp32. None: there is nothing safer."""
    if precision is Precision.fp16 and (device.type != "cuda" or torch.cuda.is_bf16_supported()):
        return Precision.bf16
    return None if precision is Precision.fp32 else Precision.fp32


def scaler_state(fabric: Fabric) -> dict[str, float | int]:
    """Of the loss's scaler; empty for precisions that have none."""
    return fabric._precision.state_dict()  # Fabric keeps it there, and saves it in its own format only


def restore_scaler(fabric: Fabric, state: dict[str, float | int]) -> None:
    if state and scaler_state(fabric):
        fabric._precision.load_state_dict(state)


def seed_everything(seed: int) -> None:
    """Initial weights and dropout; order and augmentation have their own generators, seeded by sample."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
