"""A real `mlflow server`, with artifacts behind it, that is killed, frozen and started again while a run lives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mammoscope.tracking.store import TrackingStore, open_store

from ..mlflow_server import GENEROUS_S, Server, until
from .conftest import SOURCE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.signal(signal.SIGKILL)


@pytest.fixture(autouse=True)
def short_calls(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


def history(store: TrackingStore, run_id: str) -> list[tuple[int, float, int]]:
    return [(row.step, row.value, row.timestamp) for row in store.client.get_metric_history(run_id, "loss")]


def test_a_server_that_is_killed_and_comes_back_has_everything(server: Server, tmp_path: Path):
    said: list[str] = []
    store = open_store(server.url, "killed", home=tmp_path, say=said.append)
    tracker = store.start_run("a run", {})
    times = []
    for step in range(60):
        if step == 20:
            server.signal(signal.SIGKILL)
        times.append(int(time.time() * 1000))
        tracker.metrics({"loss": step / 7}, step)
        if step % 10 == 0:
            tracker.text(str(step), f"notes/{step}.txt")
    until(lambda: bool(said))
    time.sleep(1)  # so that a time of sending could be told from the time of telling
    came_back_ms = int(time.time() * 1000)
    server.start()
    tracker.finish("FINISHED")
    rows = history(store, tracker.run_id)
    assert [row[:2] for row in rows] == [(step, step / 7) for step in range(60)]
    assert all(told_ms <= row[2] < came_back_ms for told_ms, row in zip(times, rows, strict=True))
    for step in range(0, 60, 10):
        assert store.artifact(tracker.run_id, f"notes/{step}.txt").read_text() == str(step)
    assert store.find_run(tracker.run_id).status == "FINISHED"
    assert [sum(words in line for line in said) for words in ("does not answer", "is back: ")] == [1, 1]
    assert not (tracker.folder / "outbox").exists()


def test_a_server_that_is_frozen_stalls_no_step(server: Server, tmp_path: Path):
    store = open_store(server.url, "frozen", home=tmp_path)
    tracker = store.start_run("a run", {})
    tracker.flush()
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        for step in range(100):
            tracker.metrics({"loss": float(step)}, step)
        took_s = time.monotonic() - started
    finally:
        server.signal(signal.SIGCONT)
    assert took_s < GENEROUS_S  # each would have waited for 2 s
    tracker.finish("FINISHED")
    assert [step for step, _, _ in history(store, tracker.run_id)] == list(range(100))


DYING = """
import os, signal, sys
from pathlib import Path
from mammoscope.tracking.store import open_store
store = open_store(sys.argv[1], "died", home=Path(sys.argv[2]))
tracker = store.start_run("a run", {})
tracker.flush()
print(tracker.run_id, flush=True)
sys.stdin.readline()  # until the server is gone
for step in range(30):
    tracker.metrics({"loss": step / 7}, step)
tracker.text("whole", "notes/a.txt")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_dies_without_its_server_is_sent_by_runs_sync(server: Server, tmp_path: Path):
    command = [sys.executable, "-c", DYING, server.url, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    server.signal(signal.SIGKILL)
    process.communicate("gone\n", timeout=GENEROUS_S)
    assert process.returncode == -signal.SIGKILL
    sync = [sys.executable, "-m", "mammoscope.cli.__main__", "runs", "--sync", f"tracking.uri={server.url}"]
    sync += [f"tracking.home={tmp_path}"]
    without = subprocess.run(sync, env=environment, capture_output=True, text=True)
    assert without.returncode == 1
    assert without.stderr.startswith(f"error: tracking.uri={server.url}: cannot be opened")
    server.start()
    both = [subprocess.Popen(sync, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines = "".join(process.communicate(timeout=GENEROUS_S)[0] for process in both).splitlines()
    assert lines.count(f"run {run_id}: 31 entries sent") == 1
    store = open_store(server.url, "died", home=tmp_path)
    assert [row[:2] for row in history(store, run_id)] == [(step, step / 7) for step in range(30)]
    assert store.artifact(run_id, "notes/a.txt").read_text() == "whole"
    assert store.find_run(run_id).status == "KILLED"
    assert "nothing waits to be sent" in subprocess.run(sync, env=environment, capture_output=True, text=True).stdout
