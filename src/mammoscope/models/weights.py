"""Where pretrained weights come from: an installed package, this machine's cache, the hub once, or a file."""

import functools
import hashlib
import importlib
import importlib.metadata
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from mammoscope.config import ModelConfig
from mammoscope.errors import MammoscopeError
from mammoscope.models.lite import LITE_PACKAGES, timm_names

HUB_FILE = "model.safetensors"
HUB_PATIENCE_S = 3.0
OURS, FUSION = "backbone.", "fusion."


@dataclass(frozen=True, slots=True)
class Weights:
    """`origin` is what a person reads: `random`, or a name and the first digits of the file's SHA-256."""

    origin: str
    file: Path | None = None
    sha256: str | None = None
    from_package: bool = False
    from_user: bool = False

    def overlay(self) -> dict[str, object] | None:
        """timm's pretrained_cfg_overlay that loads exactly these weights, or None for random ones."""
        if self.file is None:
            return None
        return {"state_dict": self.state()}

    def state(self) -> dict[str, torch.Tensor]:
        """The tensors under timm's names. A checkpoint of ours calls the timm network `backbone`."""
        assert self.file is not None, "random weights have no file"
        if self.from_package:
            return timm_names(torch.load(self.file, map_location="cpu", weights_only=True))
        # what fused two views is no part of the timm network
        tensors = {name: t for name, t in load_file(self.file).items() if not name.startswith(FUSION)}
        ours = all(name.startswith(OURS) for name in tensors)
        return {name.removeprefix(OURS): tensor for name, tensor in tensors.items()} if ours else tensors

    @property
    def tag(self) -> str:
        return self.origin if self.sha256 is None else f"{self.origin.split(' ')[0]}:{self.sha256[:12]}"


RANDOM = Weights("random")


def find_weights(model: ModelConfig) -> Weights:
    """Raises MammoscopeError where `imagenet`, or a file, is asked for and cannot be had."""
    if model.weights == "none":
        return RANDOM
    if model.weights in ("auto", "imagenet"):
        found = _from_package(model.backbone) or _from_cache(model.backbone) or _from_hub(model.backbone)
        if found is None and model.weights == "imagenet":
            raise MammoscopeError(
                f"model.weights=imagenet: no ImageNet weights for {model.backbone} in an installed package or in the "
                "local cache, and the hub does not answer; allowed: auto, none, a .safetensors file, or one of "
                f"{', '.join(LITE_PACKAGES)}, whose weights come by pip"
            )
        return found or RANDOM
    return _from_file(Path(model.weights))


def _from_package(backbone: str) -> Weights | None:
    if backbone not in LITE_PACKAGES:
        return None
    package, reader = LITE_PACKAGES[backbone]
    try:
        file = Path(getattr(importlib.import_module(package.replace("-", "_")), reader).get_model_file_path())
    except ImportError:
        return None
    version = importlib.metadata.version(package)
    return _described(f"{package}-{version}", file, from_package=True)


def _from_cache(backbone: str) -> Weights | None:
    hub_id = _hub_id(backbone)
    if hub_id is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(hub_id, HUB_FILE)
    return _described(hub_id, Path(cached)) if isinstance(cached, str) else None


def _from_hub(backbone: str) -> Weights | None:
    hub_id = _hub_id(backbone)
    if hub_id is None or not _hub_answers():
        return None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return _described(hub_id, Path(hf_hub_download(hub_id, HUB_FILE, etag_timeout=HUB_PATIENCE_S)))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError, ValueError):
        return None


@functools.cache
def _hub_answers() -> bool:
    """Asked once a process: a sweep of many trials must not wait many times."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    endpoint = urlparse(constants.ENDPOINT)
    try:
        with socket.create_connection((endpoint.hostname or "", endpoint.port or 443), timeout=HUB_PATIENCE_S):
            return True
    except OSError:
        return False


def _hub_id(backbone: str) -> str | None:
    settings = timm.get_pretrained_cfg(backbone)
    return settings.hf_hub_id if settings is not None and settings.has_weights else None


def _from_file(file: Path) -> Weights:
    allowed = "allowed: auto, imagenet, none, or a .safetensors file"
    if file.suffix != ".safetensors":
        raise MammoscopeError(f"model.weights={file}: {allowed}")
    if not file.is_file():
        raise MammoscopeError(f"model.weights={file}: there is no such file; {allowed}")
    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise MammoscopeError(f"model.weights={file}: not a readable safetensors file ({error})") from error
    return _described(file.name, file, from_user=True)


def _described(origin: str, file: Path, *, from_package: bool = False, from_user: bool = False) -> Weights:
    with open(file, "rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return Weights(f"{origin} (sha256 {digest[:12]})", file, digest, from_package, from_user)
