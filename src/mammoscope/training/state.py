"""All that the rest of a training depends on, as one file: what was learnt, how far it is, and the generators.

Safetensors: tensors by number, and the tree that they hang in as JSON in the header. Nothing in it runs.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import safe_open
from safetensors.torch import save_file

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.training.device import restore_scaler, scaler_state
from mammoscope.training.loop import Learner
from mammoscope.training.processes import everyone, share
from mammoscope.training.readings import Progress

STATE = "state.safetensors"
FORMAT = 1
Tree = Any  # nested mappings (keys: text or whole numbers), lists and tuples of tensors, numbers, text, booleans, None


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training changes as it goes."""

    fabric: Fabric
    learner: Learner
    progress: Progress

    def tree(self) -> dict[str, Tree]:
        learner = self.learner
        return {
            "network": learner.network.state_dict(),
            "average": None if learner.average is None else learner.average.module.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "schedule": learner.schedule.state_dict(),
            "scaler": scaler_state(self.fabric),
            "progress": asdict(self.progress),
            "generators": everyone(generators(self.fabric.device)),
        }

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Puts back what `tree` gave, the generators last. A scaler of another precision is left out."""
        learner = self.learner
        learner.network.load_state_dict(tree["network"])
        if learner.average is not None:
            learner.average.module.load_state_dict(tree["average"])
        learner.optimizer.load_state_dict(tree["optimizer"])
        self._as_the_weights_lie()
        learner.schedule.load_state_dict(tree["schedule"])
        restore_scaler(self.fabric, tree["scaler"])
        for name, value in tree["progress"].items():
            setattr(self.progress, name, value)
        if len(tree["generators"]) == share().processes:  # else dropout draws anew, and nothing else does
            restore_generators(tree["generators"][share().rank], self.fabric.device)

    def is_finite(self) -> bool:
        """Whether all weights are: a step may spoil them after a loss that was still finite. Waits for the device."""
        weights = [tensor for tensor in self.learner.network.state_dict().values() if tensor.is_floating_point()]
        return bool(torch.stack([tensor.isfinite().all() for tensor in weights]).all())

    def _as_the_weights_lie(self) -> None:
        """Moments that lie otherwise in memory than their weights (channels_last) would take the slow way."""
        for weight, state in self.learner.optimizer.state.items():
            for name, moment in state.items():
                if isinstance(moment, torch.Tensor) and moment.shape == weight.shape:
                    state[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)


def generators(device: torch.device) -> dict[str, Tree]:
    """The states of all generators that a step may draw from."""
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict), "legacy=False"
    key = torch.from_numpy(numpy_state["state"]["key"].astype(np.int64))
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {"key": key, "pos": int(numpy_state["state"]["pos"])}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_generators(tree: Mapping[str, Tree], device: torch.device) -> None:
    random.setstate(tree["python"])
    key = tree["numpy"]["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**tree["numpy"], "state": {**tree["numpy"]["state"], "key": key}})
    torch.set_rng_state(tree["torch"])
    if device.type == "cuda" and tree["cuda"] is not None:
        torch.cuda.set_rng_state(tree["cuda"], device)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree taken at one moment: what changes afterwards does not change it."""

    tensors: dict[str, torch.Tensor]
    shape: str  # JSON


def take_snapshot(tree: Tree) -> Snapshot:
    tensors: dict[str, torch.Tensor] = {}
    return Snapshot(tensors, json.dumps({"format": FORMAT, "tree": _pack(tree, tensors)}))


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Atomic. Raises MammoscopeError where it cannot be written."""
    try:
        with written_whole(path) as temporary:
            save_file(snapshot.tensors, temporary, metadata={"mammoscope": snapshot.shape})
    except OSError as error:
        raise MammoscopeError(f"cannot write checkpoint {path}: {error.strerror or error}") from error


def read_snapshot(path: Path) -> Tree:
    """Raises MammoscopeError for a file that is no snapshot, or one of another version."""
    try:
        with safe_open(path, "pt") as file:
            shape = json.loads(file.metadata()["mammoscope"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own, OSError, or KeyError where there is no metadata
        raise MammoscopeError(f"checkpoint {path}: cannot be read ({error}); allowed: a new run") from error
    if shape.get("format") != FORMAT:
        raise MammoscopeError(f"checkpoint {path}: has format {shape.get('format')}; allowed: {FORMAT}, or a new run")
    return _unpack(shape["tree"], tensors)


def _pack(node: Tree, tensors: dict[str, torch.Tensor]) -> Tree:
    if isinstance(node, torch.Tensor):
        name = f"{len(tensors):06d}"
        tensors[name] = node.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(node, Mapping):
        return {"map": [[key, _pack(value, tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return {type(node).__name__: [_pack(value, tensors) for value in node]}
    assert node is None or isinstance(node, bool | int | float | str), f"{type(node)} in a training's state"
    return {"value": node}


def _unpack(node: Tree, tensors: Mapping[str, torch.Tensor]) -> Tree:
    [(kind, content)] = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "map":
        return {key: _unpack(value, tensors) for key, value in content}
    if kind == "value":
        return content
    values = [_unpack(value, tensors) for value in content]
    return tuple(values) if kind == "tuple" else values
