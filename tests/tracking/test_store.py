import os
import socket
import time
from pathlib import Path

import mlflow
import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.tracking import embedded as embedded_module
from mammoscope.tracking.origin import LIBRARIES
from mammoscope.tracking.store import TrackingStore, open_store

from .conftest import Open, said


def test_everything_lies_beside_the_database_and_nothing_in_the_working_directory(tmp_path: Path, monkeypatch):
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = tmp_path / "a b" / "deep"
    folder.mkdir(parents=True)
    (folder / "mlflow.db.new").write_text("left by a process that was killed")
    store = open_store(f"sqlite:///{folder}/mlflow.db", "mine", home=tmp_path / "home")
    tracker = store.start_run("a run", {"data": "calc"}, {"device": "cpu"})
    tracker.finish("FINISHED")
    assert store.folder == folder
    assert tracker.folder == folder / "runs" / tracker.run_id
    assert store.artifact(tracker.run_id, "environment.txt").is_relative_to(folder / "artifacts")
    default = store.client.get_experiment("0")
    assert default.artifact_location.startswith((folder / "artifacts").as_uri())
    assert not list(elsewhere.iterdir())
    assert not (tmp_path / "home").exists()
    assert sorted(p.name for p in folder.iterdir()) == ["artifacts", "mlflow.db", "mlflow.db.lock", "runs"]


def test_no_global_state_of_mlflow_is_touched(store: TrackingStore):
    store.start_run("a run", {}).finish("FINISHED")
    assert mlflow.active_run() is None
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_second_opening_finds_the_first(embedded: Open):
    assert embedded("twice").experiment_id == embedded("twice").experiment_id != embedded("other").experiment_id


def test_eight_processes_where_nothing_exists(actors, tmp_path: Path):
    roles = [f"run{n}" for n in range(8)]
    parent = actors(f"sqlite:///{tmp_path}/new/deep/mlflow.db", "fresh", str(tmp_path), *roles)
    assert parent.wait(240) == 0
    assert said(tmp_path / "codes.json") == dict.fromkeys(roles, 0)
    lines = [said(tmp_path / f"{role}.json") for role in roles]
    assert len({line["run"] for line in lines}) == 8
    assert len({line["experiment"] for line in lines}) == 1
    store = open_store(f"sqlite:///{tmp_path}/new/deep/mlflow.db", "fresh", home=tmp_path)
    for line in lines:
        run = store.find_run(line["run"])
        assert (run.status, run.metrics) == ("FINISHED", {"loss": 0.1, "auc": 0.5})
        assert len(store.client.get_metric_history(run.id, "loss")) == 10


def test_a_process_killed_while_it_makes_the_database_leaves_none(tmp_path: Path, monkeypatch):
    def half_made(uri: str, artifacts: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"SQLite format 3\0")
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded_module, "SqlAlchemyStore", half_made)
    with pytest.raises(KeyboardInterrupt):
        open_store(f"sqlite:///{tmp_path}/mlflow.db", "x", home=tmp_path)
    assert not (tmp_path / "mlflow.db").exists()


def test_a_file_in_the_folders_place(tmp_path: Path):
    (tmp_path / "mlruns").touch()
    with pytest.raises(MammoscopeError, match=r"tracking\.uri=.*the folder .*/mlruns cannot be made"):
        open_store(f"sqlite:///{tmp_path}/mlruns/mlflow.db", "x", home=tmp_path)


def test_a_folder_in_the_locks_place(tmp_path: Path):
    (tmp_path / "mlflow.db.lock").mkdir()
    with pytest.raises(MammoscopeError, match=r"mlflow\.db\.lock cannot be written"):
        open_store(f"sqlite:///{tmp_path}/mlflow.db", "x", home=tmp_path)


def test_a_read_only_place(tmp_path: Path):
    """As whoever may not write there: root may everywhere, so a child gives its rights up."""
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            else:
                tmp_path.chmod(0o555)
            open_store(f"sqlite:///{tmp_path}/mlflow.db", "x", home=tmp_path)
        except MammoscopeError as error:
            status = 0 if "tracking.uri=" in str(error) and "allowed: " in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_server_that_is_not_there_is_said_within_seconds(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(MammoscopeError, match=rf"tracking\.uri=http://127\.0\.0\.1:{port}: cannot be opened"):
        open_store(f"http://127.0.0.1:{port}", "x", home=tmp_path)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("name", ["", "  "])
def test_a_blank_experiment(embedded: Open, name: str):
    with pytest.raises(MammoscopeError, match=r"tracking\.experiment="):
        embedded(name)


def test_a_deleted_experiment(embedded: Open):
    store = embedded("to be deleted")
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(
        MammoscopeError, match=r"tracking\.experiment=to be deleted: deleted in .*mlflow experiments restore"
    ):
        embedded("to be deleted")


def test_an_experiment_that_keeps_its_artifacts_elsewhere(embedded: Open, tmp_path: Path):
    embedded("any").client.create_experiment("moved", artifact_location=tmp_path.as_uri())
    with pytest.raises(MammoscopeError, match=r"tracking\.experiment=moved: keeps its artifacts in .*, not in "):
        embedded("moved")


def test_a_run_says_what_made_it(store: TrackingStore):
    tracker = store.start_run("a run", {"data": "calc"}, {"device": "cpu"})
    tracker.finish("FINISHED")
    tags = store.find_run(tracker.run_id).tags
    assert tags["data"] == "calc"
    assert {"git_commit", "git_dirty", "python", "torch", "host"} <= tags.keys()
    lines = dict(
        line.split(": ") for line in store.artifact(tracker.run_id, "environment.txt").read_text().splitlines()
    )
    assert lines["device"] == "cpu"
    assert {"python", *LIBRARIES} <= lines.keys()


def test_a_run_that_never_began_leaves_nothing(store: TrackingStore):
    tracker = store.start_run("a run", {})
    tracker.params({"a": 1})
    tracker.metrics({"b": 1.0})
    (tracker.folder / "checkpoint").touch()
    store.discard(tracker)
    everything = mlflow.entities.ViewType.ALL
    assert not store.client.search_runs([store.experiment_id], run_view_type=everything)
    assert not [path for path in store.folder.rglob("*") if tracker.run_id in str(path)]


def test_writing_more_into_a_run_leaves_its_status(store: TrackingStore):
    tracker = store.start_run("a run", {})
    tracker.finish("KILLED")
    with store.reopened(tracker.run_id) as more:
        more.metrics({"test/image/auc": 0.7})
    run = store.find_run(tracker.run_id)
    assert (run.status, run.metrics) == ("KILLED", {"test/image/auc": 0.7})


@pytest.mark.parametrize("path", ["nothing.txt", "../environment.txt", "/etc/hostname", "environment.txt/x"])
def test_an_artifact_that_is_not_there(store: TrackingStore, path: str):
    tracker = store.start_run("a run", {})
    tracker.finish("FINISHED")
    with pytest.raises(MammoscopeError, match=f"run {tracker.run_id}: has no artifact {path}"):
        store.artifact(tracker.run_id, path)


def test_openings_of_a_partition_are_counted_by_run_and_by_experiment(store: TrackingStore):
    one, two = (store.start_run(name, {}) for name in ("one", "two"))
    assert store.count_opening(one.run_id, "test", "c1") == 1
    assert store.count_opening(one.run_id, "test", "c1") == 2
    assert store.count_opening(two.run_id, "test", "c1") == 3
    assert store.count_opening(two.run_id, "test", "c2") == 1
    assert store.find_run(one.run_id).tags["openings.test"] == "2"
    assert store.find_run(two.run_id).tags["openings.test"] == "2"
    tags = store.client.get_experiment(store.experiment_id).tags
    assert (tags["openings.test.c1"], tags["openings.test.c2"]) == ("3", "1")
    for tracker in (one, two):
        tracker.finish("FINISHED")
