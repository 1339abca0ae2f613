"""torchrun: two processes learn what one does, and leave one run behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.torch import load_file

from mammoscope.reporting.predictions import read_predictions

pytestmark = pytest.mark.slow  # every command starts three processes, each of which imports torch

CHECKOUT = Path(__file__).resolve().parents[1]
QUICK = [
    "phantom.patients=60",
    "phantom.height_px=192",
    "phantom.width_px=128",
    "split.validation_fraction=0.4",
    "store.workers=1",
    "model=timm",
    "model.backbone=convnext_atto",  # layer norm, where batch norm would see a half of the batch
    "image.height_px=32",
    "image.width_px=32",
    "trainer.epochs=2",
    "trainer.batch_size=13",  # does not divide by two, nor does the last batch
    "trainer.device=cpu",
]


def trained(folder: Path, processes: int, *overrides: str) -> tuple[str, subprocess.CompletedProcess[str]]:
    """The folder of the run's files, and how it went."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    here = [f"tracking.uri=sqlite:///{folder}/{processes}/mlflow.db", f"store.root={folder}/store"]
    hydra = [f"hydra.run.dir={folder}/hydra"]
    return f"{folder}/{processes}", subprocess.run(
        [sys.executable, *launcher, str(CHECKOUT / "train.py"), *QUICK, *here, *hydra, *overrides],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("torchrun")
    ended = [trained(folder, processes) for processes in (2, 1)]  # two first: they have to prepare the store
    for _, process in ended:
        assert process.returncode == 0, process.stdout + process.stderr
    found = []
    for home, process in ended:
        client = MlflowClient(f"sqlite:///{home}/mlflow.db")
        (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
        (folder,) = Path(home, "runs").iterdir()
        found.append((client, run, folder, process.stdout))
    return found


def test_two_processes_learn_what_one_learns(both):
    (_, two, two_folder, _), (_, one, one_folder, _) = both
    for name in ("last.safetensors", "best.safetensors"):
        weights, expected = load_file(two_folder / name), load_file(one_folder / name)
        assert weights.keys() == expected.keys()
        for key, value in weights.items():
            np.testing.assert_allclose(value, expected[key], atol=1e-5, err_msg=key)
    moved = load_file(one_folder / "last.safetensors")["backbone.stem.0.weight"]
    assert not np.allclose(moved, 0)
    for key in ("epoch/train/loss", "epoch/validation/image/auc", "validation/abnormality/auc"):
        assert two.data.metrics[key] == pytest.approx(one.data.metrics[key], abs=1e-5)


def test_each_sample_is_scored_once_and_in_its_place(both):
    scores = []
    for client, run, _, _ in both:
        artifact = client.download_artifacts(run.info.run_id, "predictions/validation.parquet")
        scores.append(read_predictions(Path(artifact)))
    two, one = scores
    assert list(two.ids) == list(one.ids)
    np.testing.assert_allclose(two.scores, one.scores, atol=1e-5)


def test_there_is_one_run_and_one_voice(both):
    (client, two, _, said), _ = both
    assert two.info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(two.info.run_id, "epoch/train/loss")] == [0, 1]
    assert len(client.search_model_versions(f"run_id = '{two.info.run_id}'")) == 1
    assert said.count("epoch 2/2") == 1
    environment = Path(client.download_artifacts(two.info.run_id, "environment.txt")).read_text()
    assert "processes: 2" in environment


def test_what_processes_cannot_share_is_refused(tmp_path: Path):
    _, process = trained(tmp_path, 2, "trainer.batch_size=3")
    assert process.returncode != 0
    said = process.stderr + process.stdout
    assert "error: trainer.batch_size=3: is shared by 2 processes; allowed: 4 or more" in said
