"""train.py as a process: killed, interrupted, started eight times at once, and as Hydra's grid."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

CHECKOUT = Path(__file__).resolve().parents[1]
QUICK = [
    "phantom.patients=60",
    "phantom.height_px=192",
    "phantom.width_px=128",
    "split.validation_fraction=0.4",
    "store.workers=1",
    "model=timm",
    "model.backbone=resnet10t",
    "image.height_px=32",
    "image.width_px=32",
    "trainer.epochs=2",
]


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts train.py with everything in the test's folder. Nothing is there yet: no phantom, store or database."""

    def start(*overrides: str, flags: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        here = [f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", f"store.root={tmp_path}/store"]
        multirun = [f"hydra.{mode}.dir={tmp_path}/hydra/{time.time_ns()}" for mode in ("run", "sweep")]
        return subprocess.Popen(
            [sys.executable, str(CHECKOUT / "train.py"), *flags, *QUICK, *here, *multirun, *overrides],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return line
    raise AssertionError(f"{words!r} was never said:\n{said}")


def runs(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


@pytest.mark.slow
def test_interrupted_terminated_and_killed_runs_end_as_killed(start, tmp_path: Path):
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = start("trainer.epochs=500")
        wait_for(process, "epoch 1/")
        process.send_signal(stop)
        process.communicate(timeout=60)
        assert process.returncode in {signal.SIGINT: {130}, signal.SIGTERM: {143}, signal.SIGKILL: {-9}}[stop]
        status = [run.info.status for run in runs(tmp_path)]
        assert status.count("RUNNING") == (stop is signal.SIGKILL), status
    process = start()
    line = wait_for(process, "left behind")
    assert "marked as KILLED" in line
    process.communicate()
    assert process.returncode == 0
    assert sorted(run.info.status for run in runs(tmp_path)) == ["FINISHED", "KILLED", "KILLED", "KILLED"]


@pytest.mark.slow
def test_preempted_and_interrupted_it_is_gone_on_with_by_the_same_command(start, tmp_path: Path):
    epochs = 40
    for stop, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = start(f"trainer.epochs={epochs}", "resume=auto")
        wait_for(process, "left")  # the first epoch's line
        process.send_signal(stop)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == status, said
        (run,) = runs(tmp_path)
        assert run.info.status == "KILLED"
        assert f"with resume={run.info.run_id} goes on" in said
    process = start(f"trainer.epochs={epochs}", f"resume={run.info.run_id}")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "going on in epoch " in said
    (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"
    assert "ended_by" not in run.data.tags
    history = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_metric_history(run.info.run_id, "epoch/train/loss")
    assert [point.step for point in history] == list(range(epochs))


@pytest.mark.slow
def test_eight_at_once_where_nothing_exists_all_survive(start, tmp_path: Path):
    processes = [start(f"seed={seed}", "trainer.epochs=1", "schedule.warmup_epochs=0") for seed in range(8)]
    said = [process.communicate()[0] for process in processes]
    failed = [text for process, text in zip(processes, said, strict=True) if process.returncode]
    assert not failed, "\n\n".join(failed)
    found = runs(tmp_path)
    assert [run.info.status for run in found] == ["FINISHED"] * 8
    assert len({run.data.tags["certificate"] for run in found}) == 1
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    versions = client.search_model_versions("name = 'phantom-mammoscope-mass-roi-both-malignancy'")
    assert sorted(int(version.version) for version in versions) == list(range(1, 9))
    assert any("waiting" in text for text in said)


@pytest.mark.slow
def test_hydras_own_grid_gives_runs_that_do_not_register(start, tmp_path: Path):
    process = start("data=mass,calc", "seed=0,1", "trainer.epochs=1", "schedule.warmup_epochs=0", flags=("-m",))
    said, _ = process.communicate()
    assert process.returncode == 0, said
    (parent,) = [run for run in runs(tmp_path) if "grid" in run.data.tags]
    found = [run for run in runs(tmp_path) if run.info.run_id != parent.info.run_id]
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}
    assert sorted((run.data.tags["data"], run.data.tags["seed"]) for run in found) == [
        ("calc", "0"),
        ("calc", "1"),
        ("mass", "0"),
        ("mass", "1"),
    ]
    assert not MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_registered_models()
    assert not (tmp_path / "mlruns").exists()
    assert not (tmp_path / "outputs").exists()


def test_wrong_words_end_in_one_line(start):
    process = start("trainer.epoch=3")
    said, _ = process.communicate()
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("error: trainer.epoch: there is no such key")
    assert "Traceback" not in said
