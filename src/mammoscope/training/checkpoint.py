"""What a run keeps of its weights on this disk: safetensors, which hold numbers and nothing that runs."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from safetensors.torch import load_file, save_file

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.training.processes import from_first, is_first
from mammoscope.training.state import STATE, Tree, read_snapshot, take_snapshot, write_snapshot

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


class Checkpoints:
    """Of one run: where its training stands, and the best weights so far. Final.

    Only the copy out of the network holds the training up; a thread writes, in the order of the calls, so that whatever
    a state on the disk speaks of lies there already. What the thread could not write, the next call raises. Of several
    processes the first one writes, and all load.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.shutdown(wait=True)
        if error is None:
            self._raise_what_failed()

    def load(self) -> Tree | None:
        """The latest state; None where none was kept. Raises MammoscopeError for one that cannot be read."""
        self._raise_what_failed()
        from_first(None)  # who writes it
        path = self._folder / STATE
        return read_snapshot(path) if path.exists() else None

    def keep(self, state: Tree, best_epoch: int | None) -> None:
        """best_epoch: whose weights `state` speaks of; all others' are dropped once it is written."""
        self._raise_what_failed()
        if is_first():
            self._last = self._writer.submit(self._keep, take_snapshot(state), best_epoch)

    def keep_best(self, weights: Mapping[str, torch.Tensor], epoch: int) -> None:
        self._raise_what_failed()
        if not is_first():
            return
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}
        self._last = self._writer.submit(save_weights, copies, self._best(epoch))

    def best(self, epoch: int) -> dict[str, torch.Tensor]:
        """What keep_best was given for the epoch, in this process or in one before."""
        self._raise_what_failed()
        return load_weights(self._best(epoch))

    def conclude(self, weights: Mapping[str, torch.Tensor] | None, best_epoch: int) -> None:
        """Leaves best.safetensors and, of the last epoch's `weights`, last.safetensors. drop_state drops the rest."""
        self._raise_what_failed()
        if not is_first():
            return
        if weights is not None:
            save_weights(weights, self._folder / LAST)
        with written_whole(self._folder / BEST) as temporary:
            _link_or_copy(self._best(best_epoch), temporary)

    def _keep(self, snapshot: object, best_epoch: int | None) -> None:
        write_snapshot(snapshot, self._folder / STATE)  # type: ignore[arg-type]
        for path in self._folder.glob("best-*.safetensors"):
            if best_epoch is None or path != self._best(best_epoch):
                path.unlink(missing_ok=True)

    def _best(self, epoch: int) -> Path:
        return self._folder / f"best-{epoch:05d}.safetensors"

    def _raise_what_failed(self) -> None:
        if self._last is not None:
            self._last.result()


def _link_or_copy(source: Path, destination: Path) -> None:
    """A second name for the same file, where the file system has such."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copyfile(source, destination)


def drop_state(folder: Path) -> None:
    """Of a run that has finished: three times its weights on the disk, for nothing."""
    for path in (folder / STATE, *folder.glob("best-*.safetensors")):
        path.unlink(missing_ok=True)
