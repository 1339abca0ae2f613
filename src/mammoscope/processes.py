"""Processes that do the heavy work: they keep their memory, and do not outlive whoever started them."""

import ctypes
import os
import sys
import threading
from multiprocessing import parent_process
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


def is_alive(pid: str) -> bool:
    """Whether a process of this host has the number; True for what is no number."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True


def _wait_and_end() -> None:
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
