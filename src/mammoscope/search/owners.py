"""Who works on a trial, and whether that process still lives."""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import final

from mammoscope.processes import host_digests, started_ticks

BEAT_S = 20.0
SILENT_S = 180.0  # several beats: a store may be slow


@dataclass(frozen=True, slots=True)
class Owner:
    hosts: str  # digests of node name and boot, joined by +
    names: str  # of the space that its pid counts in: containers on one host have one each
    pid: int
    ticks: int  # when it started, in the kernel's ticks since boot: pids come again
    token: str  # of this claimant: a process may be several, one after the other

    def as_text(self) -> str:
        return json.dumps(asdict(self))


def this_process() -> Owner:
    pid = os.getpid()
    return Owner("+".join(sorted(host_digests())), _pid_space(), pid, started_ticks(pid) or 0, secrets.token_hex(8))


def owner_from(text: str | None) -> Owner | None:
    """None for what no version of this has written."""
    try:
        return Owner(**json.loads(text or ""))
    except (ValueError, TypeError):
        return None


def is_gone(owner: Owner) -> bool | None:
    """Whether its process has ended; None where this one cannot see it."""
    if set(owner.hosts.split("+")).isdisjoint(host_digests()) or owner.names != _pid_space():
        return None
    if set(owner.hosts.split("+")) != host_digests():
        return True  # the host has been started anew since
    return started_ticks(owner.pid) != owner.ticks


def _pid_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


@final
class Silence:
    """Which owners elsewhere have fallen silent: by this process's own clock, as two hosts' clocks may disagree."""

    def __init__(self, after_s: float = SILENT_S, clock: Callable[[], float] = time.monotonic):
        self._after_s, self._clock = after_s, clock
        self._heard: dict[int, tuple[str, float]] = {}

    def is_silent(self, trial: int, beat: str) -> bool:
        """beat: what the trial's owner has written last. Silent once it has not changed for a while of looking on."""
        now = self._clock()
        last, since = self._heard.get(trial, (None, now))
        if last != beat:
            self._heard[trial] = (beat, now)
            return False
        return now - since > self._after_s


@final
class Pulse:
    """A thread that calls `beat` every so often while the block lives; what the call raises waits for the next one."""

    def __init__(self, beat: Callable[[], None], every_s: float = BEAT_S):
        self._beat, self._every_s = beat, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="pulse of a trial")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self._beat()
            except Exception:  # the store is away: the next beat may come through, and silence is judged elsewhere
                continue
