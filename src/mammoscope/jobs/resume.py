"""resume=<run> and resume=auto: which run is gone on with, and whether this command may."""

import json

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import config_hash, public_config
from mammoscope.jobs.provenance import Provenance
from mammoscope.reporting.console import say
from mammoscope.tracking.liveness import PRUNED
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore

AUTO = "auto"


def find_resumed(config: TrainConfig, store: TrackingStore, provenance: Provenance) -> RunInfo | None:
    """The run that `resume` names, finished or not; None where a new one is to begin.

    Raises MammoscopeError where there is no such run, or it is of another config, seed or data, or was pruned.
    """
    if config.resume is None:
        return None
    alike = {
        "config_hash": config_hash(config, provenance.weights.tag),
        "seed": str(config.seed),
        "certificate": provenance.data.certificate.digest,
    }
    if config.resume == AUTO:
        run = store.latest(alike, without=PRUNED)
        if run is None:
            say("resume=auto: there is no unfinished run of this config, seed and data; a new one begins")
            return None
        return run
    run = store.find_run(config.resume)
    if PRUNED in run.tags:
        raise MammoscopeError(
            f"resume={config.resume}: run {run.id} was pruned by its search; allowed: unfinished runs"
        )
    differing = [
        f"{key} {value} (the run: {run.tags.get(key)})" for key, value in alike.items() if run.tags.get(key) != value
    ]
    if differing:
        raise MammoscopeError(
            f"resume={config.resume}: run {run.id} is of another {' and '.join(d.split()[0] for d in differing)}: "
            f"{_differences(config, run) or ', '.join(differing)}; allowed: the command that began it"
        )
    return run


def _differences(config: TrainConfig, run: RunInfo) -> str:
    """Settings that the run was begun with and that are others now; as MLflow keeps them, as text."""
    now = {key: _as_logged(value) for key, value in public_config(config).items()}
    others = [key for key, value in now.items() if key in run.params and run.params[key] != value]
    return ", ".join(f"{key}={now[key]} (the run: {run.params[key]})" for key in others)


def _as_logged(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
