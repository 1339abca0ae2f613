"""What of a config names a run: its hash, its flat parameters, and its form without this machine's paths."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mammoscope.config import TrainConfig
from mammoscope.vocabulary import SourceName

# These cannot change a run's numbers; where data come from is told by the certificate instead.
_NOT_HASHED = (
    "seed",
    "resume",
    "search",
    "search.",
    "debug",
    "debug.",
    "tracking.",
    "store.",
    "prepare.",
    "source.root",
    "source.csv",
    "source.recipe.",
    "split.allow",
    "trainer.device",
    "trainer.workers",
    "trainer.checkpoint_every_s",
)
LOCAL = "local:"  # what public configs, and stores of a user's own images, hold in place of a path
Setting = str | int | float | bool | None | Sequence[str] | Sequence[float]

LOCAL_PLACES = (
    "source.root",
    "source.csv",
    "split.allow",
    "store.root",
    "tracking.uri",
    "tracking.home",
)


def flat_config(config: TrainConfig) -> dict[str, Setting]:
    """`{"trainer.epochs": 8, ...}`, in the config's order; lists stay lists."""
    return dict(_flatten("", asdict(config)))


def _flatten(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Setting]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(f"{prefix}{key}.", value)
        else:
            yield prefix + key, value


def hashed_config(config: TrainConfig) -> dict[str, Setting]:
    """What of the flat config can change a run's numbers."""
    ignored = _NOT_HASHED if config.source.name is SourceName.phantom else (*_NOT_HASHED, "phantom.")
    return {
        key: value
        for key, value in flat_config(config).items()
        if not any(key == name or (name.endswith(".") and key.startswith(name)) for name in ignored)
    }


def config_hash(config: TrainConfig, weights: str) -> str:
    """Equal for runs that may differ in their seed only: SHA-256 over whatever else can change the numbers.

    weights: which they turned out to be (Weights.tag), a file's by its content; a path, or `auto`, says nothing.
    """
    kept = {**hashed_config(config), "model.weights": weights}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def public_config(config: TrainConfig) -> dict[str, Setting]:
    """The flat config as it may leave this machine: local paths are replaced by a digest of themselves.

    Without `resume`, `search` and `debug`, which are about a process and not about the run.
    """
    flat = {key: value for key, value in flat_config(config).items() if key not in ("resume", "search", "debug")}
    return {key: _public(key, value) for key, value in flat.items()}


def nested(flat: Mapping[str, object]) -> dict[str, object]:
    """The tree that `flat_config` was made of."""
    tree: dict[str, object] = {}
    for key, value in flat.items():
        *groups, leaf = key.split(".")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})  # type: ignore[assignment]
        node[leaf] = value
    return tree


def _public(key: str, value: Setting) -> Setting:
    # a bare name may tell as much as a path; of weights imagenet is one, and a file's is in the run's tags as well
    is_place = key in LOCAL_PLACES or (key == "model.weights" and "/" in str(value))
    return local_name(value) if is_place and isinstance(value, str) else value


def local_name(path: str) -> str:
    """What tells one place on this machine from another, and not where it is."""
    return f"{LOCAL}{hashlib.sha256(path.encode()).hexdigest()[:12]}"
