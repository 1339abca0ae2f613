"""Processes that do the heavy work: they keep their memory, and do not outlive whoever started them."""

import ctypes
import hashlib
import multiprocessing
import os
import platform
import sys
import threading
from multiprocessing import parent_process
from pathlib import Path
from typing import Final

# mallopt(3): the parameters' numbers, and how much freed memory stays with the process
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_KEPT_BYTES: Final = 256 << 20
_LARGEST_HEAP_BLOCK: Final = 32 << 20  # the most that glibc admits


def end_with_parent() -> None:
    """For a pool's initializer: an idle worker would else wait for ever for work from a parent that was killed."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def keep_freed_memory() -> None:
    """So that arrays of a film's size are not given back and faulted in anew for each film: half the time goes there.

    glibc alone; elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_HEAP_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def leave_joblibs_start_method() -> None:
    """In a process of joblib's, multiprocessing starts others joblib's way, which these then do not know: they die."""
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        multiprocessing.set_start_method(None, force=True)


def is_alive(pid: str) -> bool:
    """Whether a process of this host has the number; True for what is no number."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True


def started_ticks(pid: int) -> int | None:
    """When a process of this host began, in the kernel's ticks since boot (proc(5), field 22 of stat).

    None where there is none or it is a zombie; 0 for a living one where no /proc tells.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0 if sys.platform != "linux" and is_alive(str(pid)) else None
    fields = stat.rpartition(")")[2].split()  # what is before may hold spaces: the program's name
    return None if fields[0] in "ZX" else int(fields[19])


def host_digests() -> frozenset[str]:
    """Names of this host that tell nobody its name: of its node name, and of this boot of its kernel.

    A container gets a new node name at every start; its kernel's boot is what it shares with the containers before it.
    """
    names = [platform.node()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        names.append(boot.read_text().strip())
    return frozenset(hashlib.sha256(f"mammoscope host {name}".encode()).hexdigest()[:16] for name in names)


def _wait_and_end() -> None:
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
