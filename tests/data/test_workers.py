"""Worker processes: what they hand over, and how they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mammoscope.data.draws import Draws, EpochBatches, Pick
from mammoscope.data.workers import Workers
from mammoscope.errors import MammoscopeError
from mammoscope.processes import is_alive


def fill_with_index(images: np.ndarray, picks: Sequence[Pick]) -> None:
    images[:] = np.array([pick.sample for pick in picks]).reshape(-1, 1, 1)


def refuse(images: np.ndarray, picks: Sequence[Pick]) -> None:
    raise MammoscopeError("prepared store x/ is damaged")


def fill_with_process(images: np.ndarray, picks: Sequence[Pick]) -> None:
    images[:] = os.getpid() % 65536


def test_batches_come_in_order_and_each_slot_is_whole():
    workers = Workers(fill_with_index, EpochBatches(50, 3, Draws([0] * 50, seed=1)), (4, 5), 2)
    for number in (0, 1, 0):
        expected = Draws([0] * 50, seed=1).epoch(number).tolist()
        found = []
        for images, picks in workers.epoch(number):
            assert images.shape == (len(picks), 4, 5)
            assert [int(value) for value in images[:, 3, 4]] == [pick.sample for pick in picks]
            found += [pick.sample for pick in picks]
        assert found == expected


def test_the_same_processes_serve_all_epochs():
    workers = Workers(fill_with_process, EpochBatches(20, 2, None), (1, 1), 2)
    served = [{int(images[0, 0, 0]) for images, _ in workers.epoch(number)} for number in range(3)]
    assert served[0] == served[1] == served[2]
    assert len(served[0]) == 2
    assert os.getpid() % 65536 not in served[0]


def test_what_goes_wrong_in_a_worker_is_raised_here():
    workers = Workers(refuse, EpochBatches(4, 2, None), (1, 1), 1)
    with pytest.raises(MammoscopeError, match="prepared store x/ is damaged"):
        list(workers.epoch(0))


ENDLESS = """
import multiprocessing, time
import numpy as np
from mammoscope.data.draws import EpochBatches
from mammoscope.data.workers import Workers

def fill(images, picks):
    time.sleep(0.01)

workers = Workers(fill, EpochBatches(10**6, 2, None), (1, 1), 2)
for number, _ in enumerate(workers.epoch(0)):
    if number == 5:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.fixture
def endless():
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()
        process.kill()


def wait_until_gone(pids: Sequence[str]) -> None:
    until = time.monotonic() + 30
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < until, f"of {pids}, some still run"
        time.sleep(0.05)


def _runs(pid: str) -> bool:
    """A zombie, which nobody waits for in some containers, has ended."""
    try:
        return is_alive(pid) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_end_with_a_killed_parent(endless):
    process, pids = endless
    assert len(pids) == 2
    process.kill()
    wait_until_gone(pids)


def test_ctrl_c_is_answered_by_the_parent_alone(endless):
    process, pids = endless
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all of them
    _, said = process.communicate(timeout=60)
    assert said.count("Traceback") == 1, said
    assert said.strip().endswith("KeyboardInterrupt")
    wait_until_gone(pids)
