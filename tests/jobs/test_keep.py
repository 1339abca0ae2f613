"""mammoscope keep: what it writes composes to the run's config hash and names no place of this machine."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mammoscope.compose import compose_config, compose_recipe
from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import config_hash
from mammoscope.jobs.keep import keep
from mammoscope.jobs.recipe import recipe_of, source_overrides
from mammoscope.jobs.train import train
from mammoscope.refusals import conf_folder, groups, options
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore, open_store

OPTIONS = {group: options(group) for group in groups()}
ROOT = "/data/secret"

RECIPES = [
    ([], []),
    (["data=calc"], ["/data"]),
    (["model=timm", "model.backbone=resnet10t"], ["/model"]),
    (["target=tissue"], ["/target"]),
    (["target=tissue", "image.window_px=64"], ["/target"]),
    (["image=full", "view=pair", "view.fusion=mean"], ["/image", "/view"]),
    (["split=cv5", "split.fold=3"], ["/split"]),
    (["loss=focal", "loss.gamma=1.5", "optimizer=sgd", "augment=none"], ["/augment", "/loss", "/optimizer"]),
    (["source=cbis_ddsm", f"source.root={ROOT}", "trainer.epochs=3", "split.allow=/data/secret/reviewed.csv"], []),
    (["model.weights=/data/secret/w.safetensors", "optimizer.layer_decay=0.75", "seed=4"], []),
    (["phantom.patients=40", "phantom.d_prime=2.5", "trainer.patience_epochs=3", "trainer.clip_norm=null"], []),
    (["experiment=mass_roi"], ["/model"]),
    (["experiment=mass_roi_256"], ["/model"]),
]


@pytest.mark.parametrize(("overrides", "chosen"), RECIPES, ids=[" ".join(o)[:40] for o, _ in RECIPES])
def test_a_recipe_composes_to_the_config_that_it_was_made_of(overrides: list[str], chosen: list[str]):
    config = compose_config(overrides)
    body = recipe_of(config, OPTIONS, compose_config)
    tree = yaml.safe_load(body) or {}
    assert sorted(key.split()[1] for each in tree.get("defaults", []) for key in each) == chosen
    assert "secret" not in body
    composed = compose_recipe("again", f"# @package _global_\n{body}", source_overrides(config))
    assert config_hash(composed, "w") == config_hash(config, "w")


def test_only_what_differs_is_in_it():
    config = compose_config(["optimizer.lr=0.001", "trainer.device=cpu", "seed=3", "model.scales=[1,0.5]"])
    body = recipe_of(config, OPTIONS, compose_config)
    assert yaml.safe_load(body) == {"optimizer": {"lr": 0.001}, "model": {"scales": [1.0, 0.5]}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in) -> tuple[TrainConfig, TrackingStore, RunInfo]:
    home = tmp_path_factory.mktemp("kept")
    config = configure_in(home, "trainer.epochs=1", "schedule.warmup_epochs=0", "tracking.register=never", "data=calc")
    run = train(config)
    store = open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))
    return config, store, store.find_run(run)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of which only what is written matters."""
    shutil.copytree(conf_folder() / "experiment", tmp_path / "conf" / "experiment")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "README.md").write_text("# Leaderboard\n\n| recipe |\n|---|\n| one |\n\nAfterword.\n")
    return tmp_path


def kept(store: TrackingStore, run: RunInfo, name: str, checkout: Path) -> Path:
    def verify(name: str, text: str, config: TrainConfig) -> TrainConfig:
        return compose_recipe(name, text, source_overrides(config))

    from mammoscope.compose import config_from_yaml

    return keep(
        store, run, name, checkout, options=OPTIONS, compose=compose_config, parse=config_from_yaml, verify=verify
    )


def test_a_run_becomes_a_recipe_and_a_row(finished, checkout):
    config, store, run = finished
    path = kept(store, run, "small_calc", checkout)
    text, page = path.read_text(), (checkout / "experiments" / "README.md").read_text()
    auc = "{:.3f} ({:.3f}-{:.3f})".format(
        *(run.metrics[f"validation/abnormality/auc{end}"] for end in ("", "_low", "_high"))
    )
    assert text.startswith("# @package _global_\n")
    for said in (
        f"validation abnormality AUC {auc}",
        "python train.py experiment=small_calc source.root=<tree>",
        run.id[:8],
    ):
        assert said in text
    assert run.tags["git_commit"][:10] in text
    rows = page.splitlines()
    assert rows[4] == "| one |"
    assert rows[5].startswith("| small_calc: calc, roi 32 x 32 px")
    assert auc in rows[5]
    assert rows[6:] == ["", "Afterword."]
    for local in (config.source.root, config.store.root, config.tracking.home):
        assert local not in text + page
    composed = compose_recipe("small_calc", text, source_overrides(config))
    assert config_hash(composed, run.tags["weights"]) == run.tags["config_hash"]


def test_what_was_run_with_uncommitted_code_says_so(finished, checkout, capsys):
    _, store, run = finished
    dirty = replace(run, tags={**run.tags, "git_dirty": "true"})
    assert "+ uncommitted changes" in kept(store, dirty, "dirty", checkout).read_text()
    assert "note: the run's code had changes that no commit has" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"status": "RUNNING"}, "new", r"is RUNNING: it has no result to keep"),
        ({}, "demo", r"--name=demo: .*demo\.yaml is there already"),
        ({}, "../demo", r"--name=\.\./demo: allowed: letters"),
        ({"tags": {"config_hash": "0" * 16, "weights": "random"}}, "new", r"not to the run's 0000000000000000"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(finished, checkout, change, name, said):
    _, store, run = finished
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    with pytest.raises(MammoscopeError, match=said):
        kept(store, replace(run, **change), name, checkout)
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before


def test_away_from_a_checkout_it_is_refused(finished, tmp_path):
    _, store, run = finished
    with pytest.raises(MammoscopeError, match="recipes are kept in a checkout"):
        kept(store, run, "new", tmp_path)


def test_the_verifying_composition_takes_any_folder(tmp_path):
    def overrides(words: Sequence[str]) -> int:
        return compose_recipe("x", "# @package _global_\ntrainer:\n  epochs: 3\n", words).trainer.epochs

    assert overrides([]) == 3
    assert not (conf_folder() / "experiment" / "x.yaml").exists()
