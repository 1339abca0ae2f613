"""The same path on real CBIS-DDSM material: reduced films in the true layout, and the full-size pair."""

import subprocess
import sys
from pathlib import Path

import pytest

from mammoscope.compose import compose_config
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.prepare import prepare
from mammoscope.jobs.train import train
from mammoscope.tracking.store import open_store


def build(shared: Path, dest: Path, *more: str) -> Path:
    subprocess.run([sys.executable, str(shared / "tools/build_cbis_tree.py"), str(dest), *more], check=True)
    return dest


def configured(root: Path, home: Path, *overrides: str):
    where = [f"store.root={home}/store", f"tracking.uri=sqlite:///{home}/mlflow.db", f"tracking.home={home}"]
    return compose_config(["source=cbis_ddsm", f"source.root={root}", *where, "store.workers=1", *overrides])


@pytest.mark.slow
def test_training_on_a_partial_real_download(shared, tmp_path, capsys):
    root = build(shared, tmp_path / "tree", "--limit", "160")
    config = configured(
        root,
        tmp_path,
        "model=efficientnet_lite0",
        "image.height_px=64",
        "image.width_px=64",
        "trainer.epochs=2",
        "schedule.warmup_epochs=0",
    )
    run_id = train(config)
    said = capsys.readouterr().out
    assert "partial download: 160 of 3103 mammograms" in said
    assert "the test partition is empty" in said
    assert "enlarged to reach 64 x 64 px" in said
    store = open_store(config.tracking.uri, config.tracking.experiment, home=tmp_path)
    run = store.find_run(run_id)
    assert run.status == "FINISHED"
    assert run.tags["phantom"] == "false"
    assert "validation/abnormality/ideal_auc" not in run.metrics
    assert store.client.get_model_version("mammoscope-mass-roi-both-malignancy", "1").run_id == run_id
    # the exported example must not be a patient's image
    example = next((store.folder / "artifacts").rglob("input_example.json")).read_text()
    assert set(example) <= set('{}[]",: 0inputs')


def test_the_full_size_pair_is_prepared_but_is_no_training_set(shared, tmp_path, capsys):
    root = build(shared, tmp_path / "tree", "--set", "fullsize")
    for image in ("roi", "full"):
        with pytest.raises(MammoscopeError, match=r"too few patients of a class in train.*test: "):
            prepare(configured(root, tmp_path, f"image={image}", "view=cc" if image == "full" else "view=both"))
    stores = list((tmp_path / "store").glob("*/mass-*/index.parquet"))
    assert len(stores) == 3
