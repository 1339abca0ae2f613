"""Compressed frames are decoded in a process with a memory limit: what crashes, hangs or wants gigabytes is an error.

One process, which lives as long as this one and is replaced when it had to be ended. It is no child of multiprocessing:
workers of a pool may have none, and it must not import what the program that runs has imported.
"""

import atexit
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.codestream import Codestream
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.isolated_worker import ENDED_BY, Task

LEAST_BYTES: Final = 448 << 20  # of memory, beyond what an idle worker has: enough for any film
_BYTES_A_BYTE: Final = 16  # for a byte of a frame: OpenJPEG needs 7
_UNFOLDED: Final = 200  # but not more than this for a byte of its stream
_LEAST_SECONDS: Final = 1.5  # of computing
_BYTES_A_SECOND: Final = 1 << 22  # of a frame: the slowest decoder makes ten times as many
_START_SECONDS: Final = 60.0
_WAITED: Final = 20  # times as long as it may compute: the machine may be busy
_COMMAND: Final = "import sys; from mammoscope.dicom.frames.isolated_worker import main; main(int(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"


_lock = threading.Lock()
_worker: _Worker | None = None


def allowed_seconds(facts: ImageFacts) -> float:
    return _LEAST_SECONDS + facts.frame_bytes / _BYTES_A_SECOND


def allowed_bytes(stream: bytes, facts: ImageFacts) -> int:
    """Grows with what the file brings: two kilobytes that promise gigabytes get no more than the least."""
    return max(LEAST_BYTES, min(_BYTES_A_BYTE * facts.frame_bytes, _UNFOLDED * len(stream)))


def decoded_in_worker(stream: bytes, facts: ImageFacts, said: Codestream, path: Path) -> tuple[np.ndarray, str]:
    """As decoding.decoded_here. Raises: DicomError as that does, and E-TIMEOUT."""
    seconds = allowed_seconds(facts)
    task = Task(stream, facts, said, path, allowed_bytes(stream, facts), seconds)
    with _lock:
        worker = _started(path)
        try:
            worker.connection.send(task)
            if not worker.connection.poll(_WAITED * seconds):
                raise TimeoutError
            code, reason, is_last = worker.connection.recv_bytes().decode().split("\0")
            values = None if code else _received(worker, facts)
            if is_last:
                _end()
        except TimeoutError:
            _end()
            _refuse_late(seconds, path)
        except (EOFError, OSError):
            _end()
            _refuse_ended(worker.process.returncode, seconds, path)
        except BaseException:  # Ctrl-C: what is under way would be taken for the next frame's
            _end()
            raise
    if values is not None:
        return values, reason
    if code == "E-UNDECODABLE":  # decoders do not say that it was for want of memory
        reason += f" (in a process that was allowed {task.memory_bytes >> 20} MB of memory)"
    refuse(code, path, reason)


def _received(worker: _Worker, facts: ImageFacts) -> np.ndarray:
    dtype = np.dtype(f"{'i' if facts.is_signed else 'u'}{facts.bits_allocated // 8}")
    shape = (facts.rows_px, facts.columns_px, 3)[: 3 if facts.samples_per_pixel > 1 else 2]
    values = np.empty(shape, dtype)
    received = worker.connection.recv_bytes_into(values.reshape(-1).view(np.uint8).data)
    assert received == values.nbytes, received
    return values


def _refuse_late(seconds: float, path: Path) -> NoReturn:
    refuse("E-TIMEOUT", path, f"decoding took longer than the {seconds:.1f} s that are allowed")


def _refuse_ended(status: int, seconds: float, path: Path) -> NoReturn:
    if status == -ENDED_BY:
        _refuse_late(seconds, path)
    refuse("E-UNDECODABLE", path, f"the decoder ended its process, with status {status}")


def _started(path: Path) -> _Worker:
    global _worker
    if _worker is not None and _worker.process.poll() is not None:  # somebody has ended it while it was idle
        _end()
    if _worker is None:
        here, there = Pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(there.fileno())],
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process to answer: it may want to end the frame first
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "1"},
        )
        there.close()
        _worker = _Worker(process, here)
        try:
            is_ready = here.poll(_START_SECONDS) and here.recv_bytes() == b"ready"
        except (EOFError, OSError):
            is_ready = False
        if not is_ready:
            _end()
            refuse("E-UNDECODABLE", path, f"the process that decodes did not start: status {process.returncode}")
    return _worker


def _end() -> None:
    """Whatever it does. A worker that has ended of itself keeps its status."""
    global _worker
    if _worker is not None:
        _worker.connection.close()
        if _worker.process.poll() is None:
            _wait_or_kill(_worker.process)
        _worker = None


def _wait_or_kill(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=0.2)  # it ends by itself when nobody listens, unless it is busy
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _forget() -> None:
    """In a fork: two processes must not speak with one worker, which is its parent's."""
    global _lock, _worker
    if _worker is not None:
        _worker.connection.close()
        _worker.process.returncode = 0  # not ours to wait for
        _worker = None
    _lock = threading.Lock()


atexit.register(_end)
os.register_at_fork(after_in_child=_forget)
