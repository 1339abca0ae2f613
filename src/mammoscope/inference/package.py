"""A trained network -> an MLflow model folder without a pickle and without a path of this machine."""

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import torch
import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from safetensors.torch import save_file

from mammoscope.vocabulary import RESEARCH_USE_ONLY

CODE = Path(__file__).with_name("packaged_model.py")
REQUIRED = ("mlflow", "numpy", "pandas", "safetensors", "timm", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """What the code file needs, and what whoever loads the model should know. JSON-able."""

    backbone: str
    model_kwargs: Mapping[str, Any]
    num_classes: int  # 1: sigmoid; more: softmax
    classes: tuple[str, ...]  # in the order of the outputs; what the loss told apart
    malignant: tuple[str, ...]  # those of them whose probabilities add up to the score
    views: tuple[str, ...] = ()  # what is fused, in the input's order; (): one image a row
    fusion: str | None = None  # of views or scales: concatenation, mean or attention
    scales: tuple[float, ...] = ()  # what is looked at of an image, as fractions of its sides around the centre
    average_flips: bool = False  # of an image and its mirror image, top to bottom, the mean logits
    mean: float  # of images in [0, 1]
    std: float
    height_px: int
    width_px: int
    loss: str
    threshold: float
    threshold_level: str
    preprocessing: str
    certificate: str
    run_id: str
    data: str
    image: str
    view: str
    target: str
    is_phantom: bool
    intended_use: str = field(default=RESEARCH_USE_ONLY)


def write_package(folder: Path, state: Mapping[str, torch.Tensor], facts: PackageFacts, example: np.ndarray) -> Path:
    """Writes the model to `folder`, which must not exist, and returns it.

    state: the timm network's own and, of several views, `fusion.*`; example: uint16 as the model takes it, shown to
    whoever loads it.
    """
    with tempfile.TemporaryDirectory() as work:
        weights, described = Path(work) / "weights.safetensors", Path(work) / "facts.json"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, weights)
        weights.chmod(0o644)  # whoever may read the model's folder may load it
        described.write_text(json.dumps(asdict(facts), indent=1))
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(CODE),
            artifacts={"weights": str(weights), "facts": str(described)},
            signature=_signature(facts),
            input_example=example,
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in REQUIRED],
            metadata={"intended_use": facts.intended_use, "preprocessing": facts.preprocessing},
        )
    _forget_paths(folder)
    return folder


def _signature(facts: PackageFacts) -> ModelSignature:
    views = (len(facts.views),) if facts.views else ()
    images = TensorSpec(np.dtype(np.uint16), (-1, *views, facts.height_px, facts.width_px))
    columns: list[ColSpec | TensorSpec] = [ColSpec("double", "malignancy"), ColSpec("boolean", "called_malignant")]
    if len(facts.classes) > 2:
        columns += [ColSpec("double", f"probability_{name}") for name in facts.classes]
    return ModelSignature(inputs=Schema([images]), outputs=Schema(columns))


def _forget_paths(folder: Path) -> None:
    """MLmodel notes the absolute path that the code file came from; loading needs its name only."""
    file = folder / "MLmodel"
    model = yaml.safe_load(file.read_text())
    flavor = model["flavors"]["python_function"]
    for holder in (model, flavor):
        if "model_code_path" in holder:
            holder["model_code_path"] = Path(holder["model_code_path"]).name
    for artifact in flavor.get("artifacts", {}).values():
        artifact["uri"] = Path(artifact["uri"]).name
    file.write_text(yaml.safe_dump(model, sort_keys=False))
