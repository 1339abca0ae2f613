"""A run's config as text for whatever version of mammoscope ran it: only what is local to a machine is replaced."""

from collections.abc import Sequence
from typing import Any

import yaml

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import LOCAL, flat_config
from mammoscope.jobs.provenance import CONFIG_FILE
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore
from mammoscope.vocabulary import Register


def rebuilt_config(store: TrackingStore, run: RunInfo, given: TrainConfig, keys: Sequence[str]) -> str:
    """YAML, of a new run that is not registered, in the run's own experiment.

    It is read from the run's folder, which knows all paths; elsewhere from the run's artifacts, which know none.

    keys: overrides, whose values are taken from `given`.

    Raises MammoscopeError where a path is not known here and is not given.
    """
    whole = run.folder / CONFIG_FILE
    text = (whole if whole.is_file() else store.artifact(run.id, CONFIG_FILE)).read_text()
    tree: dict[str, Any] = yaml.safe_load(text)
    values = flat_config(given)
    for key in ("tracking.uri", "tracking.home", *(["store.root"] if _is_local(tree["store"]["root"]) else ())):
        _put(tree, key, values[key])
    for key in _leaves(keys, list(values)):
        _put(tree, key, values[key])
    _put(tree, "tracking.experiment", store.experiment_of(run))
    _put(tree, "tracking.register", str(Register.never))
    tree.pop("resume", None)
    if lacking := [key for key in values if _is_local(_get(tree, key))]:
        words = " ".join(f"{key}=<path>" for key in lacking)
        raise MammoscopeError(f"run {run.id}: this machine does not know where its files lie; give {words}")
    return yaml.safe_dump(tree, sort_keys=False)


def _leaves(keys: Sequence[str], known: Sequence[str]) -> list[str]:
    """source -> source.name, source.root, ...; source.root -> itself."""
    return [leaf for leaf in known if any(leaf == key or leaf.startswith(f"{key}.") for key in keys)]


def _put(tree: dict[str, Any], key: str, value: object) -> None:
    *groups, leaf = key.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
    tree[leaf] = list(value) if isinstance(value, list | tuple) else str(value) if isinstance(value, str) else value


def _get(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _is_local(value: object) -> bool:
    return isinstance(value, str) and value.startswith(LOCAL)
