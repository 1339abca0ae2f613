"""A run lives as long as its process: a lock that dies with it, and an end for every way out."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn, final

from filelock import FileLock, Timeout

from mammoscope.errors import public_words
from mammoscope.tracking.privacy import without_paths
from mammoscope.tracking.run import Status, Tracker

ENDED_BY = "ended_by"  # tag: what ended a run before its time
PRUNED = "pruned"  # tag of a run that its search has ended for good
ERROR_LENGTH = 2000  # characters of an error's text that a tag keeps


class Terminated(SystemExit):
    """SIGTERM, raised where the main thread stands. Uncaught it ends the process with the shell's 128 + 15."""


class Pruned(Exception):
    """A search ends a run that is not worth its time. Its text says why."""


@final
class SharedLife:
    """Of a run that several processes have at once: it lives as long as one of them does."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def take_life(folder: Path) -> FileLock | None:
    """The lock of the run whose local folder this is, held; None while a living process holds it.

    It is an flock: the kernel drops it with the process, however that dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


@contextmanager
def running(tracker: Tracker) -> Iterator[None]:
    """Ends the run as FINISHED, KILLED on Ctrl-C, SIGTERM and Pruned, or FAILED on any other exception, which goes on.

    SIGTERM is raised as Terminated inside the block where this is the main thread; its former handler comes back.
    """
    with sigterm_raises():
        try:
            yield
        except (KeyboardInterrupt, Terminated) as stop:
            signal_name = "SIGTERM" if isinstance(stop, Terminated) else "Ctrl-C"
            _end(tracker, "KILLED", signal_name, stop)
            raise
        except Pruned as pruned:
            tracker.tags({PRUNED: "true"})
            _end(tracker, "KILLED", f"pruned: {pruned}", pruned)
            raise
        except BaseException as error:
            _end(tracker, "FAILED", f"{type(error).__name__}: {public_words(error)}", error)
            raise
        with _undisturbed():
            try:
                tracker.flush()
            except Exception as refused:
                _end(tracker, "FAILED", f"{type(refused).__name__}: {public_words(refused)}", refused)
                raise
            tracker.finish("FINISHED")


def _end(tracker: Tracker, status: Status, reason: str, error: BaseException) -> None:
    """Never hides `error` behind what the tracking store refuses as well."""
    tag = {ENDED_BY: without_paths(reason)[:ERROR_LENGTH]}
    with _undisturbed():
        for tell in (lambda: tracker.tags(tag), lambda: tracker.finish(status)):
            try:
                tell()
            except Exception as failed:
                error.add_note(f"run {tracker.run_id} could not be marked as {status}: {failed}")


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """SIGTERM as Terminated, so that `finally` and `except` see it; the former handler comes back."""

    with _handled({signal.SIGTERM: lambda number, frame: _raise(number)}):
        yield


class Stop:
    """Whether Ctrl-C or SIGTERM has come. Final."""

    def __init__(self) -> None:
        self.at_once = False  # raised where the main thread stands, because there is nothing to be kept
        self._asked: int | None = None

    def __bool__(self) -> bool:
        return self._asked is not None

    def note(self, number: int, frame: FrameType | None) -> None:
        """A second one does not wait."""
        if self.at_once or self._asked is not None:
            _raise(number)
        self._asked = number

    def obey(self) -> None:
        """Raises KeyboardInterrupt or Terminated where one has come."""
        if self._asked is not None:
            _raise(self._asked)


@contextmanager
def stopped_between_steps() -> Iterator[Stop]:
    """Ctrl-C and SIGTERM are noted, so that the block ends where its state is whole; it has to call `obey` there."""
    stop = Stop()
    with _handled({signal.SIGINT: stop.note, signal.SIGTERM: stop.note}):
        yield stop
        stop.obey()


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(128 + number)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block is done: one that lands in the last call would leave the run RUNNING."""
    waiting: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        waiting.append(number)

    with _handled({signal.SIGINT: wait, signal.SIGTERM: wait}):
        yield
    if waiting:
        signal.raise_signal(waiting[0])


@contextmanager
def _handled(handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Signal handlers for the length of a block. Python takes them in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in former.items():
            # None: a handler that C code installed, which cannot be put back from here
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
