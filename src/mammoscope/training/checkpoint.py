"""Weights on disk: safetensors, which hold numbers and nothing that runs."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole

BEST, LAST = "best.safetensors", "last.safetensors"


def save_weights(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Atomic: a reader finds the file before or the file after."""
    try:
        with written_whole(path) as temporary:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, temporary)
    except OSError as error:
        raise MammoscopeError(f"cannot write checkpoint {path}: {error.strerror or error}") from error


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise MammoscopeError(f"checkpoint {path} is not there")
    return load_file(path)
