import shutil
from pathlib import Path

import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.config import PhantomConfig
from mammoscope.errors import LeakError, MammoscopeError
from mammoscope.jobs.train import train
from mammoscope.phantom import write_phantom
from mammoscope.tracking.store import open_store


@pytest.fixture
def trained(configure):
    config = configure("tracking.register=never", "trainer.epochs=1", "schedule.warmup_epochs=0")
    store = open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))
    return config, store, train(config)


def evaluate(monkeypatch: pytest.MonkeyPatch, config, *words: str) -> None:
    uri = [f"tracking.uri={config.tracking.uri}", f"tracking.home={config.tracking.home}"]
    monkeypatch.setattr("sys.argv", ["mammoscope", "evaluate", *words, *uri])
    _main()


def test_every_opening_of_the_test_partition_is_counted(trained, monkeypatch, capsys):
    config, store, run_id = trained
    before = store.find_run(run_id)
    for time in (1, 2):
        evaluate(monkeypatch, config, run_id[:8], "--partition", "test")
        assert f"opening {time} of the test partition" in capsys.readouterr().out
    run = store.find_run(run_id)
    assert run.tags["openings.test"] == "2"
    assert run.metrics["test/abnormality/threshold"] == before.metrics["validation/abnormality/threshold"]
    assert run.metrics["test/abnormality/auc_low"] <= run.metrics["test/abnormality/auc"]
    assert store.artifact(run_id, "figures/test_abnormality_confusion.png").is_file()
    assert store.artifact(run_id, "predictions/test.parquet").is_file()
    assert run.tags["test.catalog"] == run.tags["catalog"]
    assert run.status == "FINISHED"


def test_validation_again_gives_the_same_numbers(trained, monkeypatch):
    config, store, run_id = trained
    before = store.find_run(run_id).metrics
    evaluate(monkeypatch, config, run_id)
    after = store.find_run(run_id).metrics
    for key, value in before.items():
        assert after[key] == pytest.approx(value, abs=1e-6), key
    assert "openings.test" not in store.find_run(run_id).tags


def test_patients_that_the_run_has_seen_are_refused_on_another_source(trained, monkeypatch, tmp_path):
    config, store, run_id = trained
    other = tmp_path / "other"
    write_phantom(
        other,
        PhantomConfig(patients=40, seed=2, d_prime=2.5, height_px=256, width_px=176, test_fraction=0.3),
        workers=1,
    )
    with pytest.raises(LeakError, match=r"trained on by this run \(P_"):
        evaluate(monkeypatch, config, run_id, "--partition", "test", f"source.root={other}")
    assert "openings.test" not in store.find_run(run_id).tags


def test_another_source_leaves_the_runs_own_numbers_alone(trained, monkeypatch, tmp_path, capsys):
    config, store, run_id = trained
    evaluate(monkeypatch, config, run_id, "--partition", "test")
    before = store.find_run(run_id)
    other = Path(shutil.copytree(config.source.root, tmp_path / "other"))
    films = (path for path in (other / "CBIS-DDSM").glob("Mass-Test_*") if not path.name[-1].isdigit())
    shutil.rmtree(next(films))
    capsys.readouterr()
    evaluate(monkeypatch, config, run_id, "--partition", "test", f"source.root={other}")
    assert "opening 1 of the test partition" in capsys.readouterr().out  # another one: a film fewer
    after = store.find_run(run_id)
    assert after.metrics.items() >= before.metrics.items()
    assert after.tags["test.catalog"] == before.tags["catalog"]
    elsewhere = {key for key in after.metrics if key.startswith("elsewhere/")}
    (prefix,) = {key.split("/test/")[0] for key in elsewhere}
    assert after.tags[f"{prefix}/test.catalog"].startswith(prefix.removeprefix("elsewhere/"))
    assert after.metrics[f"{prefix}/test/abnormality/n"] < before.metrics["test/abnormality/n"]
    assert store.artifact(run_id, f"{prefix}/predictions/test.parquet").is_file()
    description = after.description
    for title in ("Results on validation", "Results on test", f"Results on {prefix}/test"):
        assert description.count(f"### {title}\n") == 1


def test_a_run_whose_own_source_had_no_test_takes_anothers(configure, monkeypatch, tmp_path):
    config = configure("tracking.register=never", "trainer.epochs=1", "schedule.warmup_epochs=0")
    whole = config.source.root
    partial = Path(shutil.copytree(whole, tmp_path / "partial"))
    for folder in (partial / "CBIS-DDSM").glob("*-Test_*"):
        shutil.rmtree(folder)
    config.source.root = str(partial)
    store = open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))
    run_id = train(config)
    with pytest.raises(MammoscopeError, match="--partition test: it is empty in this source"):
        evaluate(monkeypatch, config, run_id, "--partition", "test")
    evaluate(monkeypatch, config, run_id, "--partition", "test", f"source.root={whole}")
    run = store.find_run(run_id)
    assert run.metrics["test/abnormality/n"] > 0
    assert run.tags["test.catalog"] != run.tags["catalog"]


@pytest.mark.parametrize(
    "override", ["data=calc", "image.context=3", "model=resnet50", "split.seed=4", "trainer.epochs=9"]
)
def test_what_the_run_was_trained_on_cannot_be_changed(configure, monkeypatch, override):
    with pytest.raises(MammoscopeError, match=rf"^{override.split('=')[0]}: cannot be changed in an evaluation"):
        evaluate(monkeypatch, configure(), "any-run", override)


def test_a_run_from_elsewhere_asks_for_its_source(trained, monkeypatch):
    config, store, run_id = trained
    (store.find_run(run_id).folder / "config.yaml").unlink()
    with pytest.raises(MammoscopeError, match=r"give source=phantom source\.root=<folder>"):
        evaluate(monkeypatch, config, run_id)
    evaluate(monkeypatch, config, run_id, f"source.root={config.source.root}", f"store.root={config.store.root}")


def test_an_unknown_run_and_a_lost_checkpoint_are_named(trained, monkeypatch):
    config, store, run_id = trained
    with pytest.raises(MammoscopeError, match="run nothing-like-it: there is none"):
        evaluate(monkeypatch, config, "nothing-like-it")
    (store.find_run(run_id).folder / "best.safetensors").unlink()
    with pytest.raises(MammoscopeError, match=r"best\.safetensors is not there"):
        evaluate(monkeypatch, config, run_id)
