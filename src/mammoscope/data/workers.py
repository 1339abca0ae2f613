"""Processes that fill batches, which they share with the training process in place of sending them.

A batch that a DataLoader sends is written into fresh shared memory and mapped anew by whoever receives it: 8 MB take
longer so than they take to be read and cut. Here the memory is there before the processes are.
"""

import atexit
import signal
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from mammoscope.data.draws import EpochBatches, Pick
from mammoscope.processes import end_with_parent, keep_freed_memory

AHEAD = 2  # batches a process may be ahead of the training
Fill = Callable[[np.ndarray, list[Pick]], None]
Task = tuple[int, list[Pick]]  # the slot, and what to fill it with


class Workers:
    """Worker processes of one partition, which persist over the epochs and end with this process. Final."""

    def __init__(self, fill: Fill, batches: EpochBatches, image_shape: tuple[int, ...], workers: int):
        """fill: writes picks into uint16 (picks, *image_shape); it is copied into every process."""
        # all that may be under way, and the one that is being copied from
        shape = (workers * AHEAD + 1, batches.batch_size, *image_shape)
        self._slots = torch.empty(shape, dtype=torch.uint16).share_memory_()
        self._tasks = _Tasks(batches, len(self._slots))
        self._loader = DataLoader(
            _Filling(fill, self._slots),
            sampler=self._tasks,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=workers,
            prefetch_factor=AHEAD,
            persistent_workers=True,
            worker_init_fn=_settle,
            generator=torch.Generator(),  # else it draws from the training's, which then depends on the workers
        )
        atexit.register(_end, weakref.ref(self._loader))  # before multiprocessing's own, which was registered earlier

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[torch.Tensor, list[Pick]]]:
        """Images uint16 (picks, *image_shape), valid until the next is asked for, and their picks."""
        self._tasks.epoch, self._tasks.start = number, start
        for slot, picks in self._loader:
            yield self._slots[slot, : len(picks)], picks


class _Tasks(Sampler[Task]):
    """Batches come back in order and few are under way, so going round the slots never meets one that is in use."""

    def __init__(self, batches: EpochBatches, slots: int):
        self._batches, self._slots, self.epoch, self.start = batches, slots, 0, 0

    def __iter__(self) -> Iterator[Task]:
        for number, picks in enumerate(self._batches.epoch(self.epoch, self.start)):
            yield number % self._slots, picks

    def __len__(self) -> int:
        return len(self._batches) - self.start


class _Filling(Dataset[Task]):
    def __init__(self, fill: Fill, slots: torch.Tensor):
        self._fill, self._slots = fill, slots

    def __getitem__(self, task: Task) -> Task:
        slot, picks = task
        self._fill(self._slots[slot, : len(picks)].numpy(), picks)
        return task


def _end(loader: "weakref.ref[DataLoader[Task]]") -> None:
    """Else multiprocessing kills the workers at exit, and torch, which has not been told, calls that a failure."""
    iterator = getattr(loader(), "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()


def _as_it_is(batch: Any) -> Any:
    return batch


def _settle(worker: int) -> None:
    """Signals are the parent's to answer: it ends its workers. A fork would else run the parent's own answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()  # one that was killed leaves nobody behind who holds the run's lock
    keep_freed_memory()
    cv2.setNumThreads(0)  # its pool of threads does not survive a fork
