"""Tasks handed to several processes: the order, how many wait, and what becomes of them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.pool import AHEAD, ALONE, open_pool
from mammoscope.processes import is_alive

PARENT = os.getpid()  # another number where this module is imported anew, as by a spawned process


def slow_if_even(task: int) -> int:
    time.sleep(0.02 * (task % 2 == 0))
    return task


def started(task: int) -> str:
    return {os.getppid(): "forked", os.getpid(): "anew"}[PARENT] if parent_process() else "alone"


def threads_of_cv2(task: int) -> tuple[str, int]:
    import cv2

    return started(task), cv2.getNumThreads()


def end(task: int) -> None:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def refuse(task: int) -> None:
    raise ValueError(task)


@contextmanager
def another_thread() -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_results_in_order_and_few_tasks_asked_for():
    asked: list[int] = []
    with open_pool(2) as pool:
        results = pool.map(slow_if_even, (asked.append(n) or n for n in range(100)))  # type: ignore[func-returns-value]
        assert next(results) == 0
        assert len(asked) == 2 * AHEAD + 1
        assert list(results) == list(range(1, 100))


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_several_tasks_at_once_are_given_back_one_by_one(at_once: int):
    asked: list[int] = []
    with open_pool(2) as pool:
        tasks = (asked.append(n) or n for n in range(50))  # type: ignore[func-returns-value]
        results = pool.map(slow_if_even, tasks, at_once=at_once)
        assert next(results) == 0
        assert len(asked) == min(50, at_once * (2 * AHEAD + 1))
        assert list(results) == list(range(1, 50))


def test_forked_where_there_is_no_other_thread_else_spawned():
    with open_pool(2) as pool:
        assert set(pool.map(started, range(4))) == {"forked"}
    with another_thread(), open_pool(2) as pool:
        assert set(pool.map(started, range(4))) == {"anew"}


def test_opencv_has_one_thread_in_a_process_of_its_own():
    with open_pool(2, uses_cv2=True) as pool:
        assert set(pool.map(threads_of_cv2, range(4))) == {("anew", 1)}


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2, "is_worth_it": False}])
def test_alone_it_starts_nobody(options: dict[str, int]):
    with open_pool(**options) as pool:
        assert pool is ALONE
        assert set(pool.map(started, range(3))) == {"alone"}


@pytest.mark.parametrize(("work", "raised"), [(end, MammoscopeError), (refuse, ValueError)])
def test_what_goes_wrong_in_a_process_is_raised(work: Callable[[int], None], raised: type[Exception]):
    with pytest.raises(raised), open_pool(2) as pool:
        list(pool.map(work, range(9)))


_ENDLESS = """
import itertools, os, threading, time
from mammoscope.pool import open_pool

def work(task):
    time.sleep(0.01)
    return os.getpid()

with open_pool(2) as pool:
    for done, pid in enumerate(pool.map(work, itertools.count())):
        if done < 20:
            print(pid, flush=True)
"""


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL])
def test_nobody_is_left_when_it_is_interrupted_or_killed(ended_by: signal.Signals, tmp_path: Path):
    (tmp_path / "endless.py").write_text(_ENDLESS)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "endless.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    pids = {process.stdout.readline().strip() for _ in range(20)}
    if ended_by == signal.SIGINT:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    else:
        process.kill()
    _, said = process.communicate(timeout=20)
    assert said.count("Traceback") == (ended_by == signal.SIGINT)  # of the parent alone
    until = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(is_alive(pid) for pid in pids)
