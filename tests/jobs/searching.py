"""Commands that search, as `python train.py -m ...` runs them, in processes that have torch loaded already."""

import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..fork_server import SERVER

SMALL = (  # trials of a second
    "store.workers=1",
    "split.validation_fraction=0.4",
    "model=timm",
    "model.backbone=resnet10t",
    "image.height_px=32",
    "image.width_px=32",
    "trainer.epochs=2",
    "trainer.batch_size=16",
    "trainer.device=cpu",
)


def small(phantom_root: Path, store_root: Path, home: Path, *overrides: str) -> list[str]:
    places = (
        f"source.root={phantom_root}",
        f"store.root={store_root}",
        f"tracking.uri=sqlite:///{home}/mlflow.db",
        f"tracking.home={home}",
    )
    return ["search=quick", *places, *SMALL, *overrides]


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
