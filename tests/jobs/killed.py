"""Trainings that are killed, from outside or by a planted moment, in processes that have torch loaded already."""

import os
import signal
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from mammoscope.config import TrainConfig

from ..fork_server import SERVER

MOMENTS = {  # what is called then
    "step": ("mammoscope.training.loop", "to_inputs"),
    "state": ("mammoscope.training.state", "save_file"),
    "best weights": ("mammoscope.training.checkpoint", "save_weights"),
    "epoch logged": ("mammoscope.jobs.fit", "_log_epoch"),
    "evidence": ("mammoscope.jobs.train", "log_evidence"),
    "registered": ("mammoscope.jobs.registration", "say"),
    "finished": ("mammoscope.jobs.train", "drop_state"),
}


def train_until(config: TrainConfig, moment: str, count: int) -> None:
    """Trains, and is killed at the count-th call (from 1) of what MOMENTS names. Fails if it never came to that."""
    process = SERVER.Process(target=_train_and_die, args=(config, moment, count))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"{moment} {count}: exit {process.exitcode}"


def train_for(config: TrainConfig, seconds: float) -> bool:
    """Trains, and is killed from outside after so long; whether it was still at it."""
    process = SERVER.Process(target=_train, args=(config,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def timed(config: TrainConfig) -> float:
    """Seconds that a whole training takes in such a process, once there is one that has loaded torch."""
    first = SERVER.Process(target=int)
    first.start()
    first.join()
    started = time.perf_counter()
    assert not train_for(config, 600)
    return time.perf_counter() - started


def _train(config: TrainConfig) -> None:
    from mammoscope.jobs.train import train

    train(config)


def _train_and_die(config: TrainConfig, moment: str, count: int) -> None:
    module, name = MOMENTS[moment]
    whole: Callable[..., Any] = getattr(import_module(module), name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < count:
            return whole(*args, **kwargs)
        if moment in ("state", "best weights"):  # half of the file is there
            path = next(Path(value) for value in args if isinstance(value, str | Path))
            path.with_name(f"{path.name}.half" if moment == "best weights" else path.name).write_bytes(b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(import_module(module), name, dying)
    _train(config)
