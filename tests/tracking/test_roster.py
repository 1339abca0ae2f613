"""Which runs are alive: by a lock on this host, by a heartbeat elsewhere."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from mammoscope.tracking import sender as sender_module
from mammoscope.tracking.heartbeat import HEARTBEAT, SILENT_S, age_s
from mammoscope.tracking.liveness import running
from mammoscope.tracking.roster import Life, Seen, roster
from mammoscope.tracking.store import HOST, TrackingStore

from ..mlflow_server import until


def seen(store: TrackingStore, run_id: str, ended: int | None = None) -> Seen:
    return next(row for row in roster(store, ended=ended) if row.run.id == run_id)


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def test_a_living_run_says_how_far_it_is(store: TrackingStore):
    tracker = store.start_run("a run", {})
    with running(tracker):
        for epoch in range(3):
            tracker.metrics({"step/train/loss": 0.5}, step=50 * (epoch + 1))
            tracker.metrics({"epoch/train/loss": 0.5}, step=epoch)
        tracker.flush()
        row = seen(store, tracker.run_id)
        assert (row.life, row.is_here, row.epochs, row.steps) == (Life.running, True, 3, 150)
        assert row.experiment == store.experiment
        assert row.heartbeat_age_s < 30
        assert row.run.ended is None
    row = seen(store, tracker.run_id)
    assert (row.life, row.run.status) == (Life.ended, "FINISHED")
    assert row.run.ended >= row.run.started


def test_a_run_whose_lock_is_free_is_dead_whatever_its_heartbeat_says(store: TrackingStore):
    tracker = store.start_run("a run", {})
    tracker.flush()
    tracker.let_go()
    assert seen(store, tracker.run_id).life is Life.dead
    assert [run.id for run in store.reap()] == [tracker.run_id]
    assert seen(store, tracker.run_id).run.status == "KILLED"


@pytest.mark.parametrize(
    ("beat_s_ago", "life"),
    [(0, Life.running), (SILENT_S - 60, Life.running), (SILENT_S + 5, Life.silent), (None, Life.silent)],
)
def test_a_run_of_another_host_is_judged_by_its_heartbeat_and_never_ended_from_here(
    store: TrackingStore, beat_s_ago, life
):
    tracker = store.start_run("a run", {})
    tracker.let_go()
    store.client.set_tag(tracker.run_id, HOST, "0123456789abcdef")
    store.client.set_tag(tracker.run_id, HEARTBEAT, "?" if beat_s_ago is None else ago(beat_s_ago))
    row = seen(store, tracker.run_id)
    assert (row.life, row.is_here) == (life, False)
    assert not store.reap()
    assert seen(store, tracker.run_id).run.status == "RUNNING"


def test_a_run_of_another_home_on_this_host_is_judged_by_its_heartbeat(store: TrackingStore):
    tracker = store.start_run("a run", {})
    tracker.let_go()
    shutil.rmtree(tracker.folder)
    assert seen(store, tracker.run_id).life is Life.running
    store.client.set_tag(tracker.run_id, HEARTBEAT, ago(SILENT_S + 5))
    assert seen(store, tracker.run_id).life is Life.silent
    assert not tracker.folder.exists()
    store.client.set_terminated(tracker.run_id, "KILLED")


def test_those_that_ended_last_come_after_those_that_run(store: TrackingStore):
    ended = []
    for number in range(3):
        tracker = store.start_run(f"run {number}", {})
        tracker.finish("FINISHED")
        ended.append(tracker.run_id)
    alive = store.start_run("alive", {})
    mine = [row.run.id for row in roster(store, ended=2) if row.experiment == store.experiment]
    assert mine == [alive.run_id, ended[2], ended[1]]
    assert not [row for row in roster(store, ended=0) if row.life is Life.ended]
    assert {*ended, alive.run_id} <= {row.run.id for row in roster(store, ended=None)}
    alive.finish("KILLED")


def test_the_sender_beats_while_the_run_has_nothing_to_tell(store: TrackingStore, monkeypatch):
    monkeypatch.setattr(sender_module, "BEAT_EVERY_S", 0.1)
    tracker = store.start_run("a run", {})
    store.client.set_tag(tracker.run_id, HEARTBEAT, ago(1000))
    until(lambda: age_s(store.find_run(tracker.run_id).tags) < 100)
    tracker.finish("FINISHED")
    with store.reopened(tracker.run_id) as again:
        store.client.set_tag(tracker.run_id, HEARTBEAT, ago(1000))
        again.metrics({"more": 1.0})
        again.flush()
    assert age_s(store.find_run(tracker.run_id).tags) > 900


def test_a_beat_that_fails_ends_nothing_and_is_not_said(store: TrackingStore, monkeypatch):
    said, tried = [], []
    store._say = said.append
    monkeypatch.setattr(sender_module, "BEAT_EVERY_S", 0.05)

    def refuse(*told: str) -> None:
        tried.append(told)
        raise ConnectionError("connection refused")

    monkeypatch.setattr("mammoscope.tracking.store.tell_heartbeat", refuse)
    tracker = store.start_run("a run", {})
    until(lambda: len(tried) > 2)
    tracker.metrics({"loss": 1.0})
    tracker.finish("FINISHED")
    run = store.find_run(tracker.run_id)
    assert (run.status, run.metrics["loss"], said) == ("FINISHED", 1.0, [])


def test_a_run_that_is_gone_on_with_beats_at_once(store: TrackingStore):
    tracker = store.start_run("a run", {})
    store.client.set_tag(tracker.run_id, HEARTBEAT, ago(1000))
    tracker.finish("KILLED")
    again = store.continue_run(store.find_run(tracker.run_id))
    assert age_s(store.find_run(tracker.run_id).tags) < 100
    again.finish("FINISHED")
