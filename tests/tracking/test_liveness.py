import os
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from mammoscope.errors import CellError, DicomError
from mammoscope.tracking.liveness import ENDED_BY, Terminated, running
from mammoscope.tracking.run import NullTracker
from mammoscope.tracking.store import TrackingStore

from .conftest import Open, said


def ended(store: TrackingStore, error: BaseException | None) -> tuple[str, str | None]:
    """Status and reason of a run whose block raises `error`."""
    tracker = store.start_run("a run", {})
    expected = nullcontext() if error is None else pytest.raises(type(error))
    with expected as raised, running(tracker):
        if error is not None:
            raise error
    assert raised is None or raised.value is error
    run = store.find_run(tracker.run_id)
    return run.status, run.tags.get(ENDED_BY)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (None, "FINISHED", None),
        (KeyboardInterrupt(), "KILLED", "Ctrl-C"),
        (Terminated(143), "KILLED", "SIGTERM"),
        (ValueError("lr=-1"), "FAILED", "ValueError: lr=-1"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (CellError("line 2: 'Jane Doe'; allowed: left", "line 2: not left"), "FAILED", "CellError: line 2: not left"),
        (DicomError("E-GREY", "Jane/1.dcm", "no number: 'Jane'"), "FAILED", "DicomError: E-GREY"),
        (OSError("cannot read /home/Jane Doe/films/1.dcm: gone"), "FAILED", "OSError: cannot read <path>: gone"),
    ],
)
def test_every_way_out_has_its_status(store: TrackingStore, error, status, reason):
    assert ended(store, error) == (status, reason)


def test_sigterm_is_raised_in_the_block_and_its_handler_comes_back(tmp_path: Path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated) as stop, running(NullTracker(tmp_path)):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    assert stop.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_during_the_last_call_waits_for_it(store: TrackingStore, monkeypatch):
    tracker = store.start_run("a run", {})
    finish = tracker.finish

    def interrupted(status):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        finish(status)

    monkeypatch.setattr(tracker, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt), running(tracker):
        pass
    assert store.find_run(tracker.run_id).status == "FINISHED"


def test_an_error_is_not_hidden_by_a_server_that_is_gone(tmp_path: Path, monkeypatch):
    tracker = NullTracker(tmp_path)
    monkeypatch.setattr(tracker, "finish", lambda status: (_ for _ in ()).throw(ConnectionError("server gone")))
    with pytest.raises(ValueError, match="the cause") as caught, running(tracker):
        raise ValueError("the cause")
    assert "could not be marked as FAILED: server gone" in caught.value.__notes__[0]


def test_a_run_in_another_thread_ends_too(store: TrackingStore):
    found = []
    thread = threading.Thread(target=lambda: found.append(ended(store, ValueError("x"))))
    thread.start()
    thread.join()
    assert found == [("FAILED", "ValueError: x")]


def test_a_living_run_is_not_reaped(store: TrackingStore):
    tracker = store.start_run("a run", {})
    assert store.reap() == []
    tracker.finish("FINISHED")


def test_real_processes_under_real_signals(embedded: Open, store: TrackingStore, actors, tmp_path: Path):
    roles = ("wait-int", "wait-term", "wait-kill", "wait-live", "error")
    parent = actors(store.uri, store.experiment, str(tmp_path), *roles)
    line = {role: said(tmp_path / f"{role}.json") for role in roles}
    os.kill(line["wait-int"]["pid"], signal.SIGINT)
    os.kill(line["wait-term"]["pid"], signal.SIGTERM)
    os.kill(line["wait-kill"]["pid"], signal.SIGKILL)
    _until(
        lambda: {status_of(store, line[r]["run"]) for r in ("wait-int", "wait-term", "error")} == {"KILLED", "FAILED"}
    )
    assert status_of(store, line["wait-kill"]["run"]) == "RUNNING"
    store.send_left()  # what the killed one had on its way
    assert [run.id for run in store.reap()] == [line["wait-kill"]["run"]]
    assert store.reap() == []
    assert status_of(store, line["wait-live"]["run"]) == "RUNNING"
    os.kill(line["wait-live"]["pid"], signal.SIGTERM)
    parent.wait(60)
    codes = said(tmp_path / "codes.json")
    assert codes == {"wait-int": 130, "wait-term": 143, "wait-kill": -9, "wait-live": 143, "error": 1}
    reasons = {role: store.find_run(line[role]["run"]).tags[ENDED_BY] for role in roles}
    assert (reasons["wait-int"], reasons["wait-term"]) == ("Ctrl-C", "SIGTERM")
    assert "without a word" in reasons["wait-kill"]
    assert reasons["error"] == "FileNotFoundError: [Errno 2] No such file: <path>"


def status_of(store: TrackingStore, run_id: str) -> str:
    return store.find_run(run_id).status


def _until(holds, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_runs_of_another_host_are_left_alone(store: TrackingStore):
    run = store.client.create_run(store.experiment_id, run_name="elsewhere", tags={"host": "0123456789abcdef"})
    stranger = store.client.create_run(store.experiment_id, run_name="of another program")
    assert store.reap() == []
    for left in (run, stranger):
        store.client.set_terminated(left.info.run_id)
