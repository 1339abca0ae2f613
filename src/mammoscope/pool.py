"""Processes that work through a stream of tasks, a few ahead at a time."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

from mammoscope.errors import MammoscopeError
from mammoscope.processes import end_with_parent

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

AHEAD: Final = 2  # tasks a process has before it: more would pile up results where whoever takes them is slow


class Pool:
    """Of processes, or of none: then this process does the work. Made by open_pool."""

    def __init__(self, executor: ProcessPoolExecutor | None, workers: int):
        self._executor, self.workers = executor, workers

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, at_once: int = 1) -> Iterator[_Result]:
        """Results in the order of the tasks, which are asked for as they are needed.

        work: a function of a module, or a partial of one. at_once: tasks that a process is given at a time: sending
        one and its result costs some tenths of a millisecond.

        Raises: what the work raises; MammoscopeError where a process was killed.
        """
        if self._executor is None:
            yield from map(work, tasks)
            return
        under_way: deque[Future[list[_Result]]] = deque()
        rest = iter(tasks)
        try:
            while some := list(islice(rest, at_once)):
                under_way.append(self._executor.submit(_each, work, some))
                if len(under_way) > self.workers * AHEAD:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        except BrokenProcessPool as error:
            raise MammoscopeError(
                "a process was killed while it worked, mostly for want of memory; allowed: the same command with fewer "
                "--workers"
            ) from error


ALONE: Final = Pool(None, 1)


def _each(work: Callable[[_Task], _Result], tasks: Sequence[_Task]) -> list[_Result]:
    return [work(task) for task in tasks]


def can_fork() -> bool:
    """On Linux, and where there is no other thread, which may hold a lock that a fork would copy."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def open_pool(workers: int, *, is_worth_it: bool = True, uses_cv2: bool = False) -> Iterator[Pool]:
    """workers: 0: as many as there are cores. is_worth_it: else this process works alone.

    uses_cv2: whether the work does: each process then has one thread of it.

    Processes are forked, at once, where that is safe, see can_fork; of OpenCV nobody can tell whether it has started
    threads, which a fork would wait for without end. Else they are spawned, which takes a second or two, with the first
    tasks. Ctrl-C is the caller's to answer, and they end with it.
    """
    workers = workers or len(os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1))
    if workers == 1 or not is_worth_it:
        yield ALONE
        return
    forks = can_fork() and not uses_cv2
    context = multiprocessing.get_context("fork" if forks else "spawn")
    executor = ProcessPoolExecutor(workers, context, initializer=_settle, initargs=(uses_cv2,))
    try:
        if forks:
            executor.submit(os.getpid).result()  # the first task starts all of them
        yield Pool(executor, workers)
    finally:  # Ctrl-C too, and whoever takes no more: what nobody has begun is left
        executor.shutdown(cancel_futures=True)


def _settle(uses_cv2: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent, too: no traceback but its own
    end_with_parent()
    if uses_cv2:
        import cv2

        cv2.setNumThreads(1)
