"""Hydra's own grid: its runs have a parent in MLflow, which ends as the command does."""

from pathlib import Path

import pytest

from mammoscope.jobs.grid import grid_name
from mammoscope.tracking.store import open_store

from . import searching


def grid(home: Path, phantom_root: Path, store_root: Path, *overrides: str) -> list[str]:
    command = searching.small(phantom_root, store_root, home, "trainer.epochs=1", *overrides)
    return [override for override in command if override != "search=quick"]


@pytest.mark.parametrize(("second", "status", "exit_code"), [("0.002", "FINISHED", 0), ("-1", "FAILED", 1)])
def test_the_parent_is_closed_as_the_jobs_ended(
    phantom_root: Path, store_root: Path, tmp_path: Path, second: str, status: str, exit_code: int
):
    command = grid(tmp_path, phantom_root, store_root, f"optimizer.lr=0.001,{second}")
    process = searching.start(command, tmp_path / "printed")
    process.join()
    assert process.exitcode == exit_code, (tmp_path / "printed").read_text()
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    runs = list(store.client.search_runs([store.experiment_id]))
    (parent,) = [run for run in runs if "grid" in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert parent.info.status == status
    assert parent.info.run_name == f"grid optimizer.lr=0.001,{second}"
    assert [run.data.tags["mlflow.parentRunId"] for run in children] == [parent.info.run_id] * (2 - exit_code)
    assert {run.info.status for run in children} == {"FINISHED"}


def test_its_name_tells_no_place():
    assert grid_name(["seed=1,2", "source.csv=/films/images.csv"]) == "grid seed=1,2"
    place = "source.csv='/films/Doe, Jane/images.csv'"
    assert grid_name(["seed=1,2", place, "model.weights=/w/a.safetensors,none"]) == (
        "grid seed=1,2 source.csv=<path> model.weights=<path>"
    )
    assert grid_name(["model.weights=imagenet,none"]) == "grid model.weights=imagenet,none"


def test_a_single_run_has_no_parent(phantom_root: Path, store_root: Path, tmp_path: Path):
    process = searching.start(grid(tmp_path, phantom_root, store_root), tmp_path / "printed", multirun=False)
    process.join()
    assert process.exitcode == 0, (tmp_path / "printed").read_text()
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "mammoscope", home=tmp_path)
    (run,) = store.client.search_runs([store.experiment_id])
    assert "mlflow.parentRunId" not in run.data.tags
