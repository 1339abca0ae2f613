"""Toy searches in processes of their own; from a fork server, which runs no threads of its own.

A fork of pytest itself stands still in GP's first sum once a test before it has trained (OpenMP does not live through
a fork); a fresh interpreter for each of the kills takes minutes in imports.
"""

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess

from tests.fork_server import SERVER
from toy import work

from mammoscope.search.plan import Plan
from mammoscope.search.search import Search
from mammoscope.search.storage import open_storage
from mammoscope.search.trials import Result


def started(job: Callable[..., object], *args: object) -> ForkServerProcess:
    """A child that does the job and nothing else."""
    child = SERVER.Process(target=job, args=args)
    child.start()
    return child


def ended(child: ForkServerProcess) -> int:
    """Its exit code once it has ended; 0 where all was well, -9 where it was killed."""
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def searched(plan: Plan, url: str, killed_after_s: float | None = None) -> None:
    if killed_after_s is not None:
        killer = threading.Timer(killed_after_s, lambda: os.kill(os.getpid(), signal.SIGKILL))
        killer.daemon = True  # a search that ends before is not waited with
        killer.start()
    work(Search(plan, open_storage(url), {}))


def told(url: str, plan: Plan) -> list[tuple[object, ...]]:
    """What is equal in two searches that are: reports too, all but times and owners."""

    def row(result: Result) -> tuple[object, ...]:
        return result.number, result.state, result.values, dict(result.params), dict(result.reports)

    search = Search(plan, open_storage(url), {})
    rows = [row(result) for result in search.results()]
    search.close()
    return rows
