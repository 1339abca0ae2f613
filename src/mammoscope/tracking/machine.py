"""What the machine does while a run lives, under the names by which MLflow's pages know it.

MLflow's own monitor needs psutil, and writes past the outbox; /proc and NVIDIA's library say as much in a few lines.
"""

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

from mammoscope.tracking.nvml import Gpus
from mammoscope.tracking.run import SYSTEM, Tracker

SAMPLED_EVERY_S = 30.0
STOP_S = 2.0
MEGABYTE = 1e6
_PROC = Path("/proc")


@contextmanager
def sampled(tracker: Tracker) -> Iterator[None]:
    """From a thread, every 30 s, and once when the block ends. Nothing that goes wrong here reaches the run."""
    ends = threading.Event()
    thread = threading.Thread(target=_sample, args=(tracker, ends), name="mammoscope-machine", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join(STOP_S)


def _sample(tracker: Tracker, ends: threading.Event) -> None:
    with suppress(Exception):  # a disk that is full, a driver that hangs: the run itself meets what matters
        machine = Machine(tracker.folder)
        while not ends.wait(SAMPLED_EVERY_S):
            tracker.sample(machine.sample())
        tracker.sample(machine.sample())


@final
class Machine:
    """Linux says all of it; elsewhere there are the disk and the GPUs."""

    def __init__(self, folder: Path):
        """folder: on the disk that is told of."""
        self._folder = folder
        self._busy, self._all = _cpu_times()
        self._gpus = Gpus()

    def sample(self) -> dict[str, float]:
        """Percentages are of all cores, all memory, the whole disk; of the CPU since the last sample."""
        values = self._cpu() | _memory() | self._disk() | self._gpus.sample()
        return {f"{SYSTEM}{name}": value for name, value in values.items()}

    def _cpu(self) -> dict[str, float]:
        busy, passed = _cpu_times()
        before_busy, before = self._busy, self._all
        self._busy, self._all = busy, passed
        if passed <= before:
            return {}
        return {"cpu_utilization_percentage": 100 * (busy - before_busy) / (passed - before)}

    def _disk(self) -> dict[str, float]:
        usage = shutil.disk_usage(self._folder)
        return {
            "disk_usage_percentage": 100 * usage.used / usage.total,
            "disk_available_megabytes": usage.free / MEGABYTE,
        }


def _cpu_times() -> tuple[float, float]:
    """Ticks that all cores have been busy, and all ticks, since the machine started; proc(5)."""
    try:
        first = (_PROC / "stat").read_text().splitlines()[0]
    except OSError:
        return 0.0, 0.0
    ticks = [float(word) for word in first.split()[1:9]]  # without those of guests, which user and nice have in them
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # idle, and waiting for a disk


def _memory() -> dict[str, float]:
    try:
        told = _kilobytes(_PROC / "meminfo")
        own = _kilobytes(_PROC / "self/status")
    except OSError:
        return {}
    used = told["MemTotal"] - told["MemAvailable"]
    return {
        "system_memory_usage_megabytes": used * 1024 / MEGABYTE,
        "system_memory_usage_percentage": 100 * used / told["MemTotal"],
        "process_memory_usage_megabytes": own["VmRSS"] * 1024 / MEGABYTE,
    }


def _kilobytes(file: Path) -> Mapping[str, float]:
    rows = (line.partition(":") for line in file.read_text().splitlines())
    return {name: float(value.split()[0]) for name, _, value in rows if value.endswith(" kB")}
