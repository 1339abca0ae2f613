"""Images of a size that a network cannot take are refused before hours of preparing."""

import contextlib
import copy

import torch
from torch import nn

from mammoscope.config import ImageConfig, ModelConfig
from mammoscope.errors import MammoscopeError

_taken: set[tuple[str, int, int]] = set()  # architecture, height, width: what has been tried in this process


def check_patches(backbone: nn.Module, model: ModelConfig, image: ImageConfig) -> None:
    """Raises MammoscopeError where a transformer's patches do not cover the image."""
    patch = getattr(getattr(backbone, "patch_embed", None), "patch_size", None)
    if patch is None:
        return
    for key, size, multiple in (("height_px", image.height_px, patch[0]), ("width_px", image.width_px, patch[1])):
        if size % multiple:
            raise MammoscopeError(
                f"image.{key}={size}: {model.backbone} cuts patches, so a multiple of {multiple} is needed"
            )


def check_size(network: nn.Module, architecture: str, views: int, model: ModelConfig, image: ImageConfig) -> None:
    """One blank image goes through; architecture: all that its shapes depend on, for which that is done once.

    First on the meta device, which reckons shapes without numbers. Some networks cannot go there at all, so a refusal
    there is not believed before the real thing.

    Raises MammoscopeError where the layers cannot take it.
    """
    what = (architecture, image.height_px, image.width_px)
    if what in _taken:
        return
    blank = torch.zeros(1, views, image.height_px, image.width_px)
    try:
        _pass(network, blank)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise MammoscopeError(
            f"image.height_px={image.height_px} image.width_px={image.width_px}: {model.backbone} cannot take images "
            f"of this size ({error}); allowed: larger ones, or another model"
        ) from error
    _taken.add(what)


@torch.inference_mode()
def _pass(network: nn.Module, blank: torch.Tensor) -> None:
    """Through copies, so that the network stays where and as it is."""
    with contextlib.suppress(Exception):
        copy.deepcopy(network).eval().to("meta")(blank.to("meta"))
        return
    copy.deepcopy(network).eval()(blank)
