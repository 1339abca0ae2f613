"""The other side of isolated.py: a process that decodes frame after frame, within limits that the kernel holds."""

import os
import resource
import signal
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Final

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.codestream import Codestream
from mammoscope.dicom.frames.decoders import load_decoders
from mammoscope.dicom.frames.decoding import decoded_here
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.errors import DicomError

_LEAKED_BYTES: Final = 128 << 20  # decoders leak where a stream is damaged: a worker that has so much more is the last
_SAID_BYTES: Final = 1 << 20  # of what decoders write to standard error
ENDED_BY: Final = signal.SIGPROF
_COMPLAINTS: Final = (b"corrupt jpeg data", b"premature end")  # libjpeg's, which then goes on


@dataclass(frozen=True, slots=True)
class Task:
    stream: bytes
    facts: ImageFacts
    codestream: Codestream
    path: Path  # which errors name
    memory_bytes: int  # beyond what an idle worker has
    seconds: float  # of computing


def main(file_descriptor: int) -> None:
    connection: Connection[Any, Any] = Connection(file_descriptor)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        _limit(resource.RLIMIT_FSIZE, _SAID_BYTES)
        load_decoders()
        idle_bytes = _address_space()
        connection.send_bytes(b"ready")
        while True:
            try:
                task: Task = connection.recv()
            except (EOFError, OSError):
                return
            if idle_bytes:
                _limit(resource.RLIMIT_AS, idle_bytes + task.memory_bytes)
            signal.setitimer(signal.ITIMER_PROF, task.seconds)
            try:
                _answer(connection, task, said, idle_bytes)
            except OSError:  # nobody listens any more
                return
            signal.setitimer(signal.ITIMER_PROF, 0)
            _limit(resource.RLIMIT_AS, None)  # the next stream may be longer than what this one was allowed


def _limit(of: int, bytes_: int | None) -> None:
    """None: as much as this process may have."""
    _, most = resource.getrlimit(of)
    soft = most if bytes_ is None else bytes_ if most == resource.RLIM_INFINITY else min(bytes_, most)
    resource.setrlimit(of, (soft, most))


def _answer(connection: "Connection[Any, Any]", task: Task, said: BinaryIO, idle_bytes: int) -> None:
    """Code, reason or photometric interpretation, whether this was the last; then the values, where code is empty."""
    try:
        values, photometric = decoded_here(task.stream, task.facts, task.codestream, task.path)
        _check_complaints(said, task.path)
    except DicomError as error:
        connection.send_bytes(_head(error.code, error.reason, idle_bytes))
        return
    finally:
        said.seek(0)
        said.truncate()
    connection.send_bytes(_head("", photometric, idle_bytes))
    connection.send_bytes(values.reshape(-1).view("u1").data)


def _head(code: str, text: str, idle_bytes: int) -> bytes:
    is_last = "last" if _address_space() > idle_bytes + _LEAKED_BYTES else ""
    return f"{code}\0{text.replace(chr(0), ' ')}\0{is_last}".encode(errors="replace")


def _check_complaints(said: BinaryIO, path: Path) -> None:
    """What decoders write about a picture that they make all the same."""
    said.seek(0)
    for line in said.read(_SAID_BYTES).splitlines():
        if any(complaint in line.lower() for complaint in _COMPLAINTS):
            refuse("E-UNDECODABLE", path, f"the decoder warns: {line.decode(errors='replace')}")


def _address_space() -> int:
    """0 where no /proc tells: memory is then without a limit."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
