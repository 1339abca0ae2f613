import json
from enum import StrEnum
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from mlflow.store.tracking.dbmodels.models import SqlDataset
from sqlalchemy import event

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.liveness import running
from mammoscope.tracking.run import MlflowTracker, NullTracker, Tracker
from mammoscope.tracking.store import TrackingStore


@pytest.fixture
def tracker(store: TrackingStore):
    tracker = store.start_run("a run", {})
    yield tracker
    tracker.finish("FINISHED")


def test_params_read_as_in_yaml(store: TrackingStore, tracker: MlflowTracker):
    word = StrEnum("word", {"roi": "roi"}).roi
    tracker.params(
        {"n": None, "yes": True, "lr": 1e-4, "size": [1, 2], "text": "", "word": word, "image.height_px": 96}
    )
    tracker.flush()
    params = store.find_run(tracker.run_id).params
    assert params == {"n": "null", "yes": "true", "lr": "0.0001", "size": "[1, 2]", "text": "", "word": "roi"} | {
        "image.height_px": "96"
    }


def test_more_params_than_one_call_takes(store: TrackingStore, tracker: MlflowTracker):
    tracker.params({f"p{n}": n for n in range(250)})
    tracker.flush()
    assert len(store.find_run(tracker.run_id).params) == 250


def test_a_long_param_is_whole_in_an_artifact(store: TrackingStore, tracker: MlflowTracker):
    tracker.params({"fits": "x" * 6000, "long": "y" * 6001})
    tracker.flush()
    params = store.find_run(tracker.run_id).params
    assert params["fits"] == "x" * 6000
    assert params["long"].startswith("in the artifact params/long.txt: 6001 characters, SHA-256 ")
    assert store.artifact(tracker.run_id, "params/long.txt").read_text() == "y" * 6001


@pytest.mark.parametrize("key", ["k" * 251, "a%b", "../a", ""])
def test_a_key_that_cannot_be_held_is_refused(tracker: MlflowTracker, key: str):
    with pytest.raises(MammoscopeError, match="param "):
        tracker.params({key: 1})


def test_a_param_does_not_change(tracker: MlflowTracker):
    tracker.params({"lr": 1})
    tracker.params({"lr": 1})
    with pytest.raises(MammoscopeError, match="param lr: was 1 before, and cannot become 2"):
        tracker.params({"lr": 2})


def test_a_tag_that_mlflow_would_cut_is_refused(store: TrackingStore, tracker: MlflowTracker):
    tracker.tags({"fits": "x" * 8000})
    with pytest.raises(MammoscopeError, match="tag long: 8001 characters; allowed: at most 8000"):
        tracker.tags({"long": "x" * 8001})
    with pytest.raises(MammoscopeError, match=r"tag mlflow\.note\.content"):
        tracker.describe("x" * 8001)
    tracker.flush()
    assert store.find_run(tracker.run_id).tags["fits"] == "x" * 8000


def test_metrics_that_are_not_finite_leave_a_hole_and_a_note(store: TrackingStore, tracker: MlflowTracker):
    tracker.metrics({"auc": 0.5, "loss": 2.0}, 0)
    tracker.metrics({"auc": float("nan"), "loss": float("inf")}, 1)
    tracker.metrics({"auc": float("nan"), "loss": 1.0}, 2)
    tracker.flush()
    run = store.find_run(tracker.run_id)
    assert run.metrics == {"auc": 0.5, "loss": 1.0}
    assert [row.step for row in store.client.get_metric_history(run.id, "loss")] == [0, 2]
    assert run.tags["not_finite.auc"] == "first nan at step 1, last nan at step 2"
    assert run.tags["not_finite.loss"] == "inf at step 1"


def test_one_call_for_an_epoch_and_two_for_more_than_a_thousand(
    store: TrackingStore, tracker: MlflowTracker, monkeypatch
):
    calls = []
    log_batch = store.client.log_batch
    monkeypatch.setattr(store.client, "log_batch", lambda *a, **k: (calls.append(k), log_batch(*a, **k)))
    tracker.metrics({f"m{n}": n for n in range(40)} | {"bad": float("nan")}, 1)
    tracker.flush()
    assert len(calls) == 1
    tracker.metrics({f"m{n}": n for n in range(1500)}, 2)
    tracker.flush()
    assert len(calls) == 3
    assert len(store.find_run(tracker.run_id).metrics) == 1500


def test_a_metric_of_a_name_that_mlflow_refuses(tracker: MlflowTracker):
    with pytest.raises(MammoscopeError, match=r"metric 'sensitivity@0\.9': allowed: letters"):
        tracker.metrics({"sensitivity@0.9": 1.0})


def test_a_dataset_keeps_its_whole_digest(store: TrackingStore, tracker: MlflowTracker):
    digest = "0123456789abcdef" * 4
    tracker.dataset("phantom-mass", digest, "train", {"patients": "12"})
    tracker.dataset("phantom-mass", "short", "validation", {})
    tracker.flush()
    inputs = store.client.get_run(tracker.run_id).inputs.dataset_inputs
    found = {entry.dataset.digest: {tag.key: tag.value for tag in entry.tags} for entry in inputs}
    assert found == {
        digest[:32]: {"mlflow.data.context": "train", "patients": "12", "digest": digest},
        "short": {"mlflow.data.context": "validation"},
    }
    with pytest.raises(MammoscopeError, match="dataset tag long: 501 characters"):
        tracker.dataset("d", "x", "train", {"long": "x" * 501})


def test_two_runs_that_log_the_same_dataset_at_once(store: TrackingStore, tracker: MlflowTracker):
    other = store.start_run("another run", {})

    def overtake(*_: object) -> None:  # between MLflow's look whether the dataset is there and its adding it
        event.remove(SqlDataset, "before_insert", overtake)
        other.dataset("d", "0" * 32, "train", {})
        other.flush()

    event.listen(SqlDataset, "before_insert", overtake)
    tracker.dataset("d", "0" * 32, "train", {})
    tracker.flush()
    other.finish("FINISHED")
    for run in (tracker, other):
        (logged,) = store.client.get_run(run.run_id).inputs.dataset_inputs
        assert (logged.dataset.name, logged.dataset.digest) == ("d", "0" * 32)


def test_files_texts_and_pictures(store: TrackingStore, tracker: MlflowTracker, tmp_path: Path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    tracker.figure(figure, "figures/roc.png")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    tracker.file(tmp_path / "predictions.parquet", "predictions")
    tracker.file(tmp_path / "predictions.parquet")
    tracker.text("schön", "notes/a.md")
    tracker.flush()
    assert store.artifact(tracker.run_id, "figures/roc.png").read_bytes().startswith(b"\x89PNG")
    assert store.artifact(tracker.run_id, "predictions/predictions.parquet").read_bytes() == b"PAR1"
    assert store.artifact(tracker.run_id, "predictions.parquet").is_file()
    assert store.artifact(tracker.run_id, "notes/a.md").read_text(encoding="utf-8") == "schön"


def use_all(tracker: Tracker, folder: Path) -> None:
    figure = Figure()
    figure.subplots().set_title("ROC")
    (folder / "config.json").write_text("{}")
    tracker.params({"lr": 0.1, "long": "x" * 7000})
    tracker.tags({"data": "calc"})
    tracker.metrics({"auc": 0.5, "bad": float("nan")}, 1)
    tracker.figure(figure, "figures/roc.png")
    tracker.file(folder / "config.json", "config")
    tracker.text("text", "a.txt")
    tracker.dataset("d", "0" * 64, "train", {"n": "1"})
    tracker.describe("# run")


def test_nothing_that_a_run_logs_names_a_place_on_this_disk(store: TrackingStore, tmp_path: Path):
    tracker = store.start_run("a run", {"data": "calc"}, {"device": "cpu"})
    with pytest.raises(OSError, match="lost"), running(tracker):  # noqa: PT012
        use_all(tracker, tmp_path)
        raise OSError(f"{tmp_path / 'films'}: lost")
    run = store.client.get_run(tracker.run_id)
    told = json.dumps([run.data.to_dictionary(), run.inputs.to_dictionary()])
    artifacts = [path for path in store.artifact(tracker.run_id, ".").rglob("*") if path.is_file()]
    artifacts = [path for path in artifacts if path.name != "code.diff"]  # of a checkout with changes
    assert len(artifacts) == 5
    for place in (tmp_path, store.folder, Path.cwd(), Path.home()):
        assert str(place) not in told
        assert not [path for path in artifacts if str(place).encode() in path.read_bytes()]


def test_the_silent_double_takes_everything_and_keeps_nothing(tmp_path: Path):
    silent: Tracker = NullTracker(tmp_path / "run")
    with running(silent):
        use_all(silent, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
