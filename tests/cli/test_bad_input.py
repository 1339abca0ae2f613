"""What a user can do wrong: the last line says key or file, value and what is allowed; no traceback, no run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from mlflow import MlflowClient

from mammoscope.cli.__main__ import main
from mammoscope.config import PhantomConfig
from mammoscope.phantom import write_phantom


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("source") / "phantom"
    config = PhantomConfig(patients=24, seed=3, d_prime=2.0, height_px=192, width_px=128, test_fraction=0.3)
    write_phantom(root, config, workers=1)
    return root


@pytest.fixture
def run(tmp_path: Path, monkeypatch, capfd) -> Callable[..., str]:
    """Runs `mammoscope ...` where everything lies in the test's folder; returns the last line of an exit with 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CBIS_DDSM_ROOT", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")

    def run(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["mammoscope", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 1
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return (captured.out + captured.err).strip().splitlines()[-1]

    yield run
    if (tmp_path / "mlflow.db").exists():
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        assert not client.search_runs(ids)


SETTINGS = [
    ("model.backbone=resnet19 model=timm", "error: model.backbone=resnet19: timm"),
    ("model=resnet19", "error: model=resnet19: there is no such option; allowed: convnext_small"),
    ("modle=resnet18", "error: modle: there is no such key (did you mean model?)"),
    ("trainer.epochs=-1", "error: trainer.epochs=-1: allowed: 1 or more"),
    ("trainer.epochs=many", "error: trainer.epochs: 'many' is not allowed; allowed: a whole number"),
    ("image=full image.context=2", "error: image.context=2.0: image=full shows whole breasts"),
    ("source.root=/nowhere", "error: source.root=/nowhere: there is no such folder; `mammoscope data phantom DEST`"),
    ("source=cbis_ddsm", "error: source.root is not set"),
    ("source=cbis_ddsm source.root=/nowhere", "error: source.root=/nowhere: there is no such folder"),
    ("optimizer.name=adamx", "error: optimizer.name=adamx: timm has no such optimizer; allowed: "),
    ("schedule.name=linear", "error: schedule.name: 'linear' is not allowed; allowed: cosine, constant"),
    ("trainer.device=tpu", "error: trainer.device=tpu: not on this machine; allowed: auto, cpu"),
    ("tracking.uri=ftp://x", "error: tracking.uri=ftp://x"),
]


@pytest.mark.parametrize(("words", "said"), SETTINGS, ids=[words for words, _ in SETTINGS])
def test_a_wrong_setting_is_named(run, words: str, said: str):
    assert run("train", *words.split()).startswith(said)


def on(root: Path, *more: str) -> list[str]:
    sizes = ["image.height_px=32", "image.width_px=32", "split.validation_fraction=0.4", "store.workers=1"]
    return [
        "train",
        "source=cbis_ddsm",
        f"source.root={root}",
        "trainer.epochs=1",
        "schedule.warmup_epochs=0",
        *sizes,
        *more,
    ]


def a_copy(phantom: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantom, tmp_path / "copy"))


def masks(root: Path) -> list[Path]:
    files = sorted((root / "CBIS-DDSM").rglob("*.dcm"))
    return [f for f in files if pydicom.dcmread(f, stop_before_pixels=True).BitsAllocated == 8]


def test_an_empty_tree_is_named(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert f"source.root={tmp_path / 'empty'}" in run(*on(tmp_path / "empty"))


def test_a_phantom_is_not_regenerated_nor_taken_from_an_unmarked_tree(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    (root / "PHANTOM.json").unlink()
    said = run("train", f"source.root={root}")
    assert said.startswith(f"error: source.root={root}: not a phantom")
    assert "mammoscope data phantom DEST" in said
    assert not (root / "PHANTOM.json").exists()


def test_a_tree_without_masks_has_no_rois(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    for mask in masks(root):
        mask.unlink()
    assert run(*on(root)).startswith(
        "error: data=mass view=both: the source has no usable mass in CC view with an ROI mask"
    )


def test_truncated_and_foreign_files_are_not_silently_used(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    for file in sorted((root / "CBIS-DDSM").rglob("*.dcm")):
        if "full mammogram" in str(file.parent) and "Mass-" in str(file):
            file.write_bytes(file.read_bytes()[:2000])
    said = run(*on(root))
    assert "the source has no usable mass in CC view" in said


def test_files_that_are_no_mammography_are_refused(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    for file in sorted((root / "CBIS-DDSM").rglob("*.dcm")):
        dataset = pydicom.dcmread(file)
        dataset.Modality = "CT"
        dataset.save_as(file)
    assert "source" in run(*on(root))


def test_a_kind_that_the_source_lacks_is_named(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    for name in ("train", "test"):
        (root / f"calc_case_description_{name}_set.csv").unlink()
    assert run(*on(root, "data=calc")).startswith("error: data: no calc in this source")


def test_the_merged_official_split_is_refused_with_the_patients(run, phantom):
    said = run(*on(phantom, "data=all", "split=official"))
    assert "patients stand in train and in test (P_" in said
    assert "split=official_strict" in said


def test_too_few_patients_of_a_class_are_refused_with_the_counts(run, phantom):
    said = run(*on(phantom, "split.validation_fraction=0.02"))
    assert "too few patients of a class in validation" in said
    assert "train: " in said


def test_a_store_that_cannot_be_written_is_named(run, phantom, tmp_path):
    (tmp_path / "in-the-way").write_text("")
    assert "store.root" in run(*on(phantom, f"store.root={tmp_path / 'in-the-way'}"))


def test_weights_that_are_not_there_are_named(run, phantom):
    assert run(*on(phantom, "model.weights=/no/such.safetensors")).startswith(
        "error: model.weights=/no/such.safetensors: there is no such file"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data", "phantom", "x", "--patients", "3"], "error: phantom.patients=3: allowed: at least 12"),
        (["data", "index", "/nowhere"], "error: source.root=/nowhere does not exist"),
        (["evaluate", "no-such-run"], "error: run no-such-run: there is none"),
        (["evaluate", "r", "data=calc"], "error: data: cannot be changed in an evaluation"),
        (["prepare", "image=roi", "image.context=0"], "error: image.context=0.0: allowed: 1"),
        (["runs", "-n", "-1"], "error: -n -1: allowed: 0 or more"),
        (["runs", "--sync", "data=calc"], "error: data=calc: means nothing here; overrides: tracking.uri"),
        (["runs", "--sync", "tracking.uri=ftp://h"], "error: tracking.uri=ftp://h: not a place"),
        (["ui", "--port", "99999"], "error: port=99999: allowed: 1 to 65535"),
    ],
)
def test_the_other_commands_say_it_too(run, words, said):
    assert run(*words).startswith(said)


def test_weights_and_sizes_are_refused_before_anything_is_prepared(run, phantom, tmp_path):
    for wrong in (["model.weights=/no/such.safetensors"], ["model=timm", "model.backbone=inception_v3"]):
        run(*on(phantom, "model.weights=none", *wrong))
        assert not (tmp_path / "mlruns" / "store").exists()
    said = run(*on(phantom, "model=timm", "model.backbone=inception_v3", "model.weights=none"))
    assert said.startswith("error: image.height_px=32 image.width_px=32: inception_v3 cannot take images of this size")


def test_a_source_is_not_written_to_by_any_command(run, phantom, tmp_path):
    root = a_copy(phantom, tmp_path)
    before = sorted(root.rglob("*"))
    assert "never written to" in run("data", "index", str(root), "-o", str(root / "tables"))
    assert "never written to" in run("data", "phantom", str(root / "another"))
    assert "never written to" in run(*on(root, f"store.root={root}/store"))
    assert sorted(root.rglob("*")) == before


def test_files_in_the_way_of_a_run_end_in_one_line(run, phantom, tmp_path):
    (tmp_path / "runs").write_text("")
    assert run(*on(phantom, "model=timm", "model.backbone=resnet10t")).startswith("error: tracking.uri=sqlite:///")


def test_flags_that_nobody_knows_are_named(run):
    assert run("prepare", "--epochs", "3").startswith("error: --epochs: not understood")
