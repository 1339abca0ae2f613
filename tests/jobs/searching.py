"""Commands that search, as `python train.py -m ...` runs them, in processes that have torch loaded already."""

import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..fork_server import SERVER
from ..small import small_run


def small(phantom_root: Path, store_root: Path, home: Path, *overrides: str) -> list[str]:
    return ["search=quick", *small_run(phantom_root, store_root, home), *overrides]


def start(overrides: list[str], printed: Path, *, multirun: bool = True) -> BaseProcess:
    process = SERVER.Process(target=_command, args=(["-m"] if multirun else [], overrides, printed))
    process.start()
    return process


def run(overrides: list[str], printed: Path) -> list[str]:
    """The lines that a command prints which ends well."""
    process = start(overrides, printed)
    process.join()
    text = printed.read_text()
    assert process.exitcode == 0, text
    return text.splitlines()


def refused(overrides: list[str], printed: Path) -> str:
    """The last line of a command that is refused."""
    process = start(overrides, printed)
    process.join()
    assert process.exitcode == 1, printed.read_text()
    return printed.read_text().splitlines()[-1]


def killed_after(overrides: list[str], printed: Path, seconds: float) -> bool:
    """Whether it was still at it."""
    process = start(overrides, printed)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _command(flags: list[str], overrides: list[str], printed: Path) -> None:
    with printed.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = [str(Path(__file__).parents[2] / "train.py"), *flags, *overrides]
    from mammoscope.compose import door, run_with_hydra
    from mammoscope.jobs.menu import run as job

    door(lambda: run_with_hydra(job))
