"""`mammoscope runs`: a row a run, in a pipe as at a terminal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.reporting.console import console
from mammoscope.tracking.heartbeat import HEARTBEAT
from mammoscope.tracking.store import HOST, open_store


@pytest.fixture
def listed(tmp_path: Path, monkeypatch, capsys):
    """listed("-n", "3") -> the lines of `mammoscope runs -n 3`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")

    def run(*words: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["mammoscope", "runs", *words])
        capsys.readouterr()
        _main()
        return capsys.readouterr().out.splitlines()

    return run


def test_what_runs_what_ended_and_what_is_silent(listed, tmp_path: Path):
    assert listed() == [f"no runs in sqlite:///{tmp_path}/mlflow.db"]
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    alive = store.start_run("resnet18-mass-roi-both-s0", {})
    alive.params({"trainer.epochs": 20})
    alive.metrics({"epoch/train/loss": 0.5, "epoch/validation/breast/auc": 0.7512}, step=2)
    alive.metrics({"step/train/loss": 0.5}, step=150)
    alive.flush()
    for number in range(3):
        store.start_run(f"ended {number}", {}).finish("FINISHED")
    there = store.start_run("elsewhere", {})
    there.flush()
    there.let_go()
    store.client.set_tag(there.run_id, HOST, "0123456789abcdef")
    store.client.set_tag(there.run_id, HEARTBEAT, "2020-01-01T00:00:00+00:00")

    lines = listed("-n", "2")
    row = next(line for line in lines if alive.run_id[:8] in line).split()
    assert row[:2] == ["running", alive.run_id[:8]]
    assert "3/20 150 0.751 breast" in " ".join(row)
    assert row[-3:] == ["ago", "this", "resnet18-mass-roi-both-s0"]
    silent = next(line for line in lines if there.run_id[:8] in line)
    assert silent.split()[0] == "silent"
    assert "another" in silent
    assert [line.split()[-1] for line in lines if "FINISHED" in line] == ["2", "1"]
    assert lines[-1].startswith("silent: on another host")
    assert sum("FINISHED" in line for line in listed("--all")) == 3
    alive.finish("KILLED")


def test_one_whose_process_is_gone_is_marked(listed, tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    dead = store.start_run("gone", {})
    dead.flush()
    dead.let_go()
    lines = listed()
    assert any("was left behind by a process that is gone: marked as KILLED" in line for line in lines)
    row = next(line for line in lines if dead.run_id[:8] in line and "marked" not in line).split()
    assert row[0] == "KILLED"
    assert row[-1] == "gone", "all are of this host and of one experiment, which goes without saying"


def test_one_whose_process_is_gone_ended_when_it_was_last_heard_of(listed, tmp_path: Path):
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    dead = store.start_run("gone", {})
    dead.flush()
    dead.let_go()
    told = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=90)
    store.client.set_tag(dead.run_id, HEARTBEAT, told.isoformat())
    listed()
    assert store.find_run(dead.run_id).ended == told


def test_a_narrow_terminal_cuts_names_alone(listed, tmp_path: Path, monkeypatch):
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    run = store.start_run("efficientnet_lite0-head-mass-roi-both-fold0-s0", {})
    run.finish("FINISHED")
    monkeypatch.setattr(console, "width", 100)
    row = next(line for line in listed() if "FINISHED" in line)
    assert row.split()[1] == run.run_id[:8]
    assert row.rstrip().endswith("…")
