import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import timm

from mammoscope.errors import MammoscopeError
from mammoscope.inference.package import PackageFacts, write_package
from mammoscope.registry.versions import model_name, register
from mammoscope.tracking.store import open_store

WORKER = """
import sys, json
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_versions import a_package
from mammoscope.registry.versions import register
from mammoscope.tracking.store import open_store
home = Path({home!r})
store = open_store(f"sqlite:///{{home}}/mlflow.db", "test", home=home)
tracker = store.start_run("a run", {{}}, {{}})
package = a_package(home / f"package{{sys.argv[1]}}")
print(json.dumps(register(store, tracker.run_id, package, "phantom-m", {{}}, "", is_phantom=True)))
"""


def a_package(folder: Path) -> Path:
    facts = PackageFacts(
        backbone="resnet10t",
        model_kwargs={},
        num_classes=1,
        classes=("benign", "malignant"),
        malignant=("malignant",),
        mean=0.5,
        std=0.25,
        height_px=32,
        width_px=32,
        loss="bce",
        threshold=0.5,
        threshold_level="image",
        preprocessing="p",
        certificate="c",
        run_id="r",
        data="mass",
        image="full",
        view="both",
        target="malignancy",
        is_phantom=True,
    )
    network = timm.create_model("resnet10t", in_chans=1, num_classes=1)
    return write_package(folder, network.state_dict(), facts, np.zeros((1, 32, 32), np.uint16))


def test_names_say_what_a_model_is_for():
    variant = ("calc", "roi", "both", "malignancy")
    assert model_name(*variant, is_phantom=False) == "mammoscope-calc-roi-both-malignancy"
    assert model_name(*variant, is_phantom=True) == "phantom-mammoscope-calc-roi-both-malignancy"


def test_a_version_carries_what_it_was_made_of_and_loads_by_its_name(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "test", home=tmp_path)
    tracker = store.start_run("a run", {}, {})
    name = "phantom-mammoscope-mass-full-both-malignancy"
    tags = {"run": tracker.run_id, "certificate": "c" * 64, "preprocessing": "p"}
    number = register(store, tracker.run_id, a_package(tmp_path / "package"), name, tags, "a sentence", is_phantom=True)
    version = store.client.get_model_version(name, str(number))
    assert version.run_id == tracker.run_id
    assert version.description == "a sentence"
    assert tags.items() <= version.tags.items()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    table = mlflow.pyfunc.load_model(f"models:/{name}/{number}").predict(np.zeros((2, 32, 32), np.uint16))
    assert list(table.columns) == ["malignancy", "called_malignant"]
    outputs = store.client.get_run(tracker.run_id).outputs.model_outputs
    assert [f"models:/{output.model_id}" for output in outputs] == [version.source]
    model = store.client.get_logged_model(outputs[0].model_id)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": name, "version": number}]


@pytest.mark.parametrize(("name", "is_phantom"), [("mammoscope-m", True), ("phantom-mammoscope-m", False)])
def test_a_phantoms_model_takes_a_phantoms_name_only(tmp_path: Path, name: str, is_phantom: bool):
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "test", home=tmp_path)
    with pytest.raises(MammoscopeError, match=f"model name {name}"):
        register(store, "r", tmp_path, name, {}, "", is_phantom=is_phantom)
    assert not store.client.search_registered_models()


@pytest.mark.slow
def test_eight_processes_register_under_one_name(tmp_path: Path):
    script = WORKER.format(tests=str(Path(__file__).parent), home=str(tmp_path))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", script, str(n)], **pipes) for n in range(8)]
    outcomes = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outcomes
    versions = sorted(json.loads(out.strip().splitlines()[-1]) for out, _ in outcomes)
    assert versions == list(range(1, 9))
