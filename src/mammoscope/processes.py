"""Worker processes that do not outlive whoever started them."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """For a pool's initializer: an idle worker would else wait for ever for work from a parent that was killed."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


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
