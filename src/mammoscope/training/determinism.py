"""Whether the same command gives the same bits, and what it takes that it does."""

import os
from dataclasses import dataclass
from enum import StrEnum

import torch

from mammoscope.config import TrainConfig
from mammoscope.training.processes import share


class Repeats(StrEnum):
    """What the same command on the same machine with the same libraries comes to."""

    bit_equal = "bit-equal"
    tolerance = "tolerance"  # nearly the same


@dataclass(frozen=True, slots=True)
class Determinism:
    repeats: Repeats
    reasons: tuple[str, ...]  # of bit-equal: what has to stay as it is; of tolerance: what may round otherwise

    def tags(self) -> dict[str, str]:
        return {"determinism": str(self.repeats), "determinism.reasons": "; ".join(self.reasons)}


def settle_determinism(deterministic: bool) -> None:
    """For this process, before CUDA starts: cuBLAS reads its variable once.

    trainer.deterministic=true has torch refuse an operation that it can only compute in an order of chance.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False  # which would choose by the clock
    torch.use_deterministic_algorithms(deterministic)


def find_determinism(config: TrainConfig, device: torch.device) -> Determinism:
    """As this process is set up now.

    A CPU computes in a fixed order for its instructions and its number of threads; how many processes augment, and how
    often a run was resumed, changes nothing anywhere.
    """
    reasons = []
    if device.type != "cpu" and not torch.are_deterministic_algorithms_enabled():
        reasons.append(f"{device.type}: sums in an order of chance (trainer.deterministic=true forbids them)")
    if device.type == "cuda" and torch.backends.cudnn.benchmark:
        reasons.append("cudnn.benchmark: kernels are chosen by the clock")
    if config.model.compile:
        reasons.append("model.compile: kernels are made anew")
    if share().processes > 1:
        reasons.append(f"{share().processes} processes: their sums come in the order of the network")
    if reasons:
        return Determinism(Repeats.tolerance, tuple(reasons))
    return Determinism(Repeats.bit_equal, (_machine(device),))


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"on this GPU: {torch.cuda.get_device_name(device)}"
    return f"on this CPU: {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
