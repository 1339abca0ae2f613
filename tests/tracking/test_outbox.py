"""A store that goes, hangs, refuses and comes back: an embedded one that is told to. test_outage has a real server."""

import errno
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from mammoscope.errors import MammoscopeError
from mammoscope.tracking import run as run_module
from mammoscope.tracking.journal import JOURNAL, outboxes, take_journal
from mammoscope.tracking.liveness import ENDED_BY, running
from mammoscope.tracking.outage import public_address, reason
from mammoscope.tracking.store import TrackingStore, open_store

AWAY = MlflowException("API request to http://u:secret@host/api failed with exception: refused")
GENEROUS_S = 30


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def store(embedded, request, said) -> TrackingStore:
    opened = embedded(request.node.name)
    opened._say = said.append
    return opened


@pytest.fixture
def answer(store: TrackingStore, monkeypatch) -> Callable[[Callable[[], None] | None], None]:
    """answer(act): from now on every write to the store does that first; None: as ever."""
    acts: list[Callable[[], None] | None] = [None]
    for name in ("log_batch", "log_artifact", "log_inputs", "set_terminated"):
        call = getattr(store.client, name)

        def told(*arguments, _call=call, **named):
            if acts[-1] is not None:
                acts[-1]()
            return _call(*arguments, **named)

        monkeypatch.setattr(store.client, name, told)
    return acts.append


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(run_module, "PATIENCE_S", 0.3)
    monkeypatch.setattr(run_module, "LAST_TRY_S", 0.1)


def away() -> None:
    raise AWAY


def fill(file: BinaryIO) -> None:
    while True:
        file.write(b"\0" * 4096)


def curve(store: TrackingStore, run_id: str, key: str = "loss") -> list[tuple[int, float, int]]:
    """Step, value and timestamp in ms, in MLflow's own order."""
    return [(row.step, row.value, row.timestamp) for row in store.client.get_metric_history(run_id, key)]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_told_while_the_store_is_away_comes_later_in_order_with_its_own_time(store, answer, said, tmp_path):
    tracker = store.start_run("a run", {})
    answer(away)
    times = []
    for step in range(100):
        times.append(int(time.time() * 1000))
        tracker.metrics({"loss": 1 / (step + 1)}, step)
    tracker.text("whole", "notes/a.txt")
    tracker.tags({"data": "calc"})
    tracker.dataset("d", "0" * 64, "train", {})
    until(lambda: bool(said))
    assert len(outboxes(tracker.folder)) == 1
    answer(None)
    returned_ms = int(time.time() * 1000)
    tracker.finish("FINISHED")
    rows = curve(store, tracker.run_id)
    assert [(step, value) for step, value, _ in rows] == [(step, 1 / (step + 1)) for step in range(100)]
    assert all(begun <= row[2] <= returned_ms for begun, row in zip(times, rows, strict=True))
    assert max(abs(begun - row[2]) for begun, row in zip(times, rows, strict=True)) < 1000
    assert store.artifact(tracker.run_id, "notes/a.txt").read_text() == "whole"
    run = store.find_run(tracker.run_id)
    assert (run.status, run.tags["data"]) == ("FINISHED", "calc")
    assert [sum(words in line for line in said) for words in ("does not answer", "is back: ")] == [1, 1]
    assert "secret" not in " ".join(said)
    assert not list(tracker.folder.glob("outbox*"))


def test_a_store_that_hangs_stalls_no_step(store, answer, tmp_path):
    tracker = store.start_run("a run", {})
    tracker.flush()
    hangs, goes_on = threading.Event(), threading.Event()
    answer(lambda: (hangs.set(), goes_on.wait(GENEROUS_S)))
    for step in range(100):
        tracker.metrics({"loss": step}, step)
    tracker.text("t", "a.txt")
    assert hangs.wait(GENEROUS_S)
    assert curve(store, tracker.run_id) == []  # all of it was taken while nothing could be sent
    goes_on.set()
    tracker.finish("FINISHED")
    assert [step for step, _, _ in curve(store, tracker.run_id)] == list(range(100))


def test_an_answer_that_is_lost_makes_nothing_double(store, monkeypatch):
    tracker = store.start_run("a run", {})
    calls = []
    log_batch = store.client.log_batch

    def answers_too_late(*arguments, **named):
        log_batch(*arguments, **named)
        calls.append(named)
        if len(calls) % 2:
            raise AWAY

    monkeypatch.setattr(store.client, "log_batch", answers_too_late)
    tracker.params({"lr": 0.1})
    tracker.metrics({"loss": 0.5, "bad": float("nan")}, 1)
    tracker.metrics({"loss": 0.5}, 2)
    tracker.finish("FINISHED")
    assert len(calls) >= 4
    assert [step for step, _, _ in curve(store, tracker.run_id)] == [1, 2]
    assert store.find_run(tracker.run_id).params == {"lr": "0.1"}


def test_a_run_ends_well_without_its_store_and_is_sent_by_whoever_comes_next(store, answer, said, impatient):
    tracker = store.start_run("a run", {})
    tracker.flush()
    answer(away)
    with running(tracker):
        tracker.metrics({"loss": 1.0}, 0)
    ended_ms = int(time.time() * 1000)
    assert said[-1].startswith(f"run {tracker.run_id}: 2 entries wait")
    assert "`mammoscope runs --sync` sends them" in said[-1]
    assert store.find_run(tracker.run_id).status == "RUNNING"
    assert store.reap() == []  # how it ended is known, if not there
    (delivery,) = store.send_left()
    assert (delivery.sent, delivery.left) == (0, 2)
    assert delivery.why_left == "API request to http://host/api failed with exception: refused"
    answer(None)
    (delivery,) = store.send_left()
    assert (delivery.run_id, delivery.sent, delivery.left) == (tracker.run_id, 2, 0)
    run = store.client.get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.end_time <= ended_ms
    assert store.send_left() == []


def test_what_a_killed_process_left_is_sent_once(store, answer):
    tracker = store.start_run("a run", {})
    tracker.flush()
    answer(away)
    tracker.metrics({"loss": 1.0}, 0)
    tracker.text("t", "a.txt")
    tracker.metrics({"loss": 0.5}, 1)
    tracker.let_go()  # as if its process had died
    (outbox,) = outboxes(tracker.folder)
    with (outbox / JOURNAL).open("a") as file:
        file.write('{"kind": "bat')  # over its last line
    answer(None)
    other = take_journal(outbox)
    assert take_journal(outbox) is None  # of two at once, one sends
    assert store.send_left() == []
    other._lock.release()
    (delivery,) = store.send_left()
    assert (delivery.sent, delivery.left) == (3, 0)
    assert [step for step, _, _ in curve(store, tracker.run_id)] == [0, 1]
    assert store.artifact(tracker.run_id, "a.txt").read_text() == "t"
    assert [run.id for run in store.reap()] == [tracker.run_id]


def test_a_store_that_does_not_know_the_run_is_not_sent_to(store, answer, tmp_path):
    tracker = store.start_run("a run", {})
    tracker.flush()
    answer(away)
    tracker.metrics({"loss": 1.0}, 0)
    tracker.let_go()
    other = open_store(f"sqlite:///{tmp_path}/mlflow.db", "other", home=tmp_path)
    shutil.copytree(tracker.folder, other.folder / "runs" / tracker.run_id)
    (delivery,) = other.send_left()
    assert (delivery.sent, delivery.left, delivery.why_left) == (0, 1, "it has no such run")
    assert delivery.address.endswith("mlflow.db")
    answer(None)
    assert [delivery.sent for delivery in store.send_left()] == [1]
    store.reap()


def test_what_the_store_refuses_for_good_ends_the_run_as_failed_and_the_rest_is_sent(store, monkeypatch):
    tracker = store.start_run("a run", {})
    tracker.flush()
    log_batch, blocked = store.client.log_batch, threading.Event()

    def refuses_one(*arguments, **named):
        blocked.wait(GENEROUS_S)  # so that all the metrics come in one call
        if any(row.key == "wrong" for row in named["metrics"]):
            raise MlflowException("wrong is not to my liking", INVALID_PARAMETER_VALUE)
        log_batch(*arguments, **named)

    monkeypatch.setattr(store.client, "log_batch", refuses_one)
    refused = pytest.raises(MammoscopeError, match="refused what the run told it: metric wrong: wrong is not")
    with refused, running(tracker):
        for step, key in enumerate(["loss", "wrong", "loss", "loss"]):
            tracker.metrics({key: 1.0}, step)
        blocked.set()
    run = store.find_run(tracker.run_id)
    assert run.status == "FAILED"
    assert "metric wrong" in run.tags[ENDED_BY]
    assert [step for step, _, _ in curve(store, tracker.run_id)] == [0, 2, 3]
    (kept,) = tracker.folder.glob("refused/*/refused.jsonl")
    assert "not to my liking" in kept.read_text()


def test_ctrl_c_while_the_store_is_away(store, answer, impatient):
    tracker = store.start_run("a run", {})
    tracker.flush()
    answer(away)
    with pytest.raises(KeyboardInterrupt), running(tracker):
        raise KeyboardInterrupt
    answer(None)
    store.send_left()
    run = store.find_run(tracker.run_id)
    assert (run.status, run.tags[ENDED_BY]) == ("KILLED", "Ctrl-C")


def test_a_full_disk_in_mid_run_is_said_and_leaves_no_half_line(store, monkeypatch):
    tracker = store.start_run("a run", {})
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
    with pytest.raises(OSError, match="No space left on device"):
        tracker.metrics({"loss": 1.0}, 0)
    monkeypatch.setattr(os, "write", write)
    tracker.metrics({"loss": 0.5}, 1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            tracker.text("t", "a.txt")
    tracker.finish("FAILED")
    assert [step for step, _, _ in curve(store, tracker.run_id)] == [1]


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_or_read_only_mlruns_is_said_before_a_run_begins(small_disk: Path):
    uri = f"sqlite:///{small_disk}/mlruns/mlflow.db"
    store = open_store(uri, "x", home=small_disk)
    store.start_run("a run", {}).finish("FINISHED")
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError, match="No space left"):
        fill(ballast)
    with pytest.raises(MammoscopeError, match=r"tracking\.uri=sqlite.*a run cannot be begun: .*full"):
        open_store(uri, "x", home=small_disk).start_run("a run", {})
    subprocess.run(["mount", "--bind", str(small_disk), str(small_disk)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(small_disk)], check=True)
    try:
        with pytest.raises(MammoscopeError, match=r"tracking\.uri=sqlite.*Read-only file system"):
            open_store(uri, "x", home=small_disk)
    finally:
        subprocess.run(["umount", "-l", str(small_disk)], check=True)


def test_no_password_is_said():
    assert public_address("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert public_address("sqlite:///a/b.db") == "sqlite:///a/b.db"
    assert "secret" not in reason(AWAY)


def test_telling_costs_little(store):
    """Under one percent of a 10 s epoch; 2 ms an epoch is the rule."""
    tracker = store.start_run("a run", {})
    numbers = {f"epoch/validation/{n}": 0.5 for n in range(10)}
    took_s = []
    for step in range(100):
        started = time.perf_counter()
        tracker.metrics(numbers, step)
        took_s.append(time.perf_counter() - started)
    tracker.finish("FINISHED")
    assert sorted(took_s)[50] < 0.1
