"""Hydra's own grid (`-m model=a,b`): its jobs' runs have a parent, which ends with them, however they end.

Hydra makes the callback at every start, `--help` included: MLflow is imported late.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from mammoscope.config import TrackingConfig
from mammoscope.fingerprint import LOCAL_PLACES

if TYPE_CHECKING:
    from mammoscope.tracking.run import MlflowTracker, Status
    from mammoscope.tracking.store import TrackingStore

GRID = "grid"  # tag of the parent and of the jobs' runs


@dataclass(slots=True)
class _Open:
    """Of this process: the grid that it works on, and its parent run while it holds it."""

    id: str | None = None
    name: str = ""
    tracking: TrackingConfig | None = None  # in the process of the command alone
    tracker: "MlflowTracker | None" = None


_open = _Open()


@final
class GridRun(Callback):
    """What conf/train.yaml gives to Hydra. Travels with the jobs into other processes."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        if "mammoscope_sweeper" in str(config.hydra.sweeper._target_):
            return  # a search has its own
        asked = [str(override) for override in config.hydra.overrides.task]
        self.id, self.name = secrets.token_hex(8), grid_name(asked)
        tracking = OmegaConf.to_object(config.tracking)
        assert isinstance(tracking, TrackingConfig), "the schema says so"
        _open.tracking, _open.id = tracking, self.id

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        _open.id, _open.name = self.id, self.name

    def on_job_end(self, config: DictConfig, job_return: Any, **_: Any) -> None:
        if _open.tracking is None and _open.tracker is not None:  # in a process that a launcher started
            _open.tracker.close()
            _open.tracker = None


def grid_name(asked: Sequence[str]) -> str:
    """Of the parent run: the overrides that have several values, which are told but for places on this machine.

    A path may hold a comma that parts no values.
    """
    drawn = [override for override in asked if "," in override or "(" in override]
    told = (_told(*override.partition("=")) for override in drawn or asked)
    return f"grid {' '.join(told)}"[:200]


def _told(key: str, sign: str, value: str) -> str:
    key = key.lstrip("+~")
    return f"{key}{sign}{'<path>' if key in LOCAL_PLACES or (key == 'model.weights' and '/' in value) else value}"


def grid_tags(store: "TrackingStore") -> dict[str, str]:
    """Of a run that is a grid's job; the parent is begun by the first of them. Empty for any other run."""
    from mammoscope.tracking.store import PARENT_ID

    if _open.id is None:
        return {}
    if _open.tracker is None:
        _open.tracker = store.join_run(_open.name, {}, {GRID: _open.id}, {})
    return {PARENT_ID: _open.tracker.run_id}


def end_grid(status: "Status") -> None:
    """The command's own end: FINISHED where all jobs came to theirs. Nothing for a command that was no grid."""
    tracker = _open.tracker
    if tracker is None and _open.tracking is not None and _open.id is not None:
        tracker = _of_other_processes(_open.tracking, _open.id)
    _open.tracker, _open.tracking, _open.id = None, None, None
    if tracker is not None:
        tracker.finish(status)


def _of_other_processes(tracking: TrackingConfig, grid: str) -> "MlflowTracker | None":
    from mammoscope.reporting.console import say
    from mammoscope.tracking.store import open_store

    store = open_store(tracking.uri, tracking.experiment, home=Path(tracking.home), say=say)
    run = store.latest({GRID: grid})
    return None if run is None else store.join_run(run.name, {}, {GRID: grid}, {})
