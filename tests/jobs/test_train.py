"""One run from end to end, on a phantom: what it logs, what it registers, and that it can be repeated."""

import dataclasses
import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mammoscope.catalog.certificate import Certificate
from mammoscope.compose import config_from_yaml
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.train import train
from mammoscope.metrics.evidence import gather_evidence
from mammoscope.reporting.predictions import read_predictions
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.vocabulary import Level, Partition


def opened(config) -> TrackingStore:
    return open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in):
    """One run that several tests look at."""
    config = configure_in(tmp_path_factory.mktemp("finished"))
    run_id = train(config)
    store = opened(config)
    return config, store, store.find_run(run_id)


def test_it_ends_finished_with_a_name_and_tags_that_tell_runs_apart(finished):
    _, _, run = finished
    assert run.status == "FINISHED"
    assert run.name == "resnet10t-mass-roi-both-s0"
    expected = {
        "data": "mass",
        "image": "roi",
        "view": "both",
        "target": "malignancy",
        "source": "phantom",
        "split": "official_strict",
        "weights": "random",
        "phantom": "true",
    }
    assert expected.items() <= run.tags.items()


def test_numbers_by_epoch_and_once_with_intervals(finished):
    _, store, run = finished
    for level in Level:
        history = store.client.get_metric_history(run.id, f"epoch/validation/{level}/auc")
        assert [point.step for point in history] == [0, 1]
        value, low, high = (run.metrics[f"validation/{level}/auc{end}"] for end in ("", "_low", "_high"))
        assert low <= value <= high
        assert run.metrics[f"validation/{level}/n"] >= run.metrics[f"validation/{level}/patients"]
        assert 0 <= run.metrics[f"validation/{level}/ideal_auc"] <= 1
    assert len(store.client.get_metric_history(run.id, "epoch/train/loss")) == 2
    assert not [key for key in run.metrics if key.startswith("test/")]


def test_numbers_by_step(finished):
    config, store, run = finished
    steps = max(m.step for m in store.client.get_metric_history(run.id, "step/train/loss"))
    by_epoch = [m.value for m in store.client.get_metric_history(run.id, "epoch/train/loss")]
    assert steps % config.trainer.epochs == 0
    assert run.metrics["step/train/loss"] == pytest.approx(sum(by_epoch) / len(by_epoch), rel=1e-6)
    assert run.metrics["step/train/lr"] == run.metrics["epoch/train/lr"]


def test_the_numbers_are_those_of_the_logged_predictions(finished):
    _, store, run = finished
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    evidence = gather_evidence(predictions, thresholds=None, rng=np.random.default_rng(0))
    for key, value in evidence.flat().items():
        assert run.metrics[key] == pytest.approx(value, abs=1e-12)


def test_pictures_certificate_and_config_are_artifacts(finished):
    _, store, run = finished
    pictures = {path.name for path in store.artifact(run.id, "figures").glob("*.png")}
    expected = {
        f"validation_{level}_{what}.png" for level in Level for what in ("confusion", "roc", "precision_recall")
    }
    assert pictures == expected | {"train_batch.png", "validation_batch.png"}
    certificate = Certificate.from_json(store.artifact(run.id, "certificate.json").read_text())
    assert certificate.digest == run.tags["certificate"]
    assert not set(certificate.members[Partition.train].patients) & set(certificate.members[Partition.test].patients)
    assert yaml.safe_load(store.artifact(run.id, "config.yaml").read_text())["trainer"]["epochs"] == 2
    assert run.params["trainer.epochs"] == "2"


def test_nothing_that_is_logged_holds_a_path_or_a_pickle(finished):
    config, store, run = finished
    local = [config.source.root, config.store.root, config.tracking.home]
    logged = store.client.get_run(run.id)
    texts = [*logged.data.params.values(), *logged.data.tags.values()]
    texts += [json.dumps(i.dataset.to_dictionary()) for i in logged.inputs.dataset_inputs]
    artifacts = [path for path in (store.folder / "artifacts").rglob("*") if path.is_file()]
    assert len(artifacts) > 20
    for path in local:
        assert not [text for text in texts if path in text]
        assert not [file for file in artifacts if path.encode() in file.read_bytes()]
    assert not [file for file in artifacts if file.suffix in (".pkl", ".pickle", ".pt", ".pth")]


def test_the_whole_config_stays_in_the_runs_folder(finished):
    config, _, run = finished
    assert config_from_yaml((run.folder / "config.yaml").read_text()) == config


def test_inputs_carry_digests_and_partitions(finished):
    _, store, run = finished
    inputs = store.client.get_run(run.id).inputs.dataset_inputs
    contexts = {tag.value for i in inputs for tag in i.tags if tag.key == "mlflow.data.context"}
    assert contexts == {"train", "validation"}
    assert len({i.dataset.digest for i in inputs}) == 2


def test_the_registered_model_scores_as_the_run_did(finished, monkeypatch):
    config, store, run = finished
    name = "phantom-mammoscope-mass-roi-both-malignancy"
    version = store.client.get_model_version(name, "1")
    assert version.run_id == run.id
    assert version.tags["certificate"] == run.tags["certificate"]
    assert version.tags["preprocessing"] == run.tags["preprocessing"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    model = mlflow.pyfunc.load_model(f"models:/{name}/1")
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    from mammoscope.jobs.gather import gather

    samples = gather(config).samples[Partition.validation]
    stores = gather(config).stores
    assert [sample.id for sample in samples] == predictions.ids.tolist()
    images = np.stack([stores[image.store].image(image.row) for sample in samples for image in sample.images])
    np.testing.assert_allclose(model.predict(images)["malignancy"], predictions.scores, atol=1e-5)


def test_the_description_is_written_for_a_person(finished):
    _, _, run = finished
    note = run.tags["mlflow.note.content"]
    assert "Research use only" in note
    assert "ideal observer" in note
    assert run.tags["certificate"][:12] in note


def test_the_same_seed_gives_the_same_weights_and_another_shares_the_split(configure):
    config = configure("tracking.register=never")
    store = opened(config)
    first, second = (store.find_run(train(config)) for _ in range(2))
    other = store.find_run(train(configure("tracking.register=never", "seed=1")))
    weights = [load_file(run.folder / "best.safetensors") for run in (first, second, other)]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert not all(torch.equal(tensor, weights[2][name]) for name, tensor in weights[0].items())
    for tag in ("certificate", "config_hash"):
        assert len({run.tags[tag] for run in (first, second, other)}) == 1
    assert not store.client.search_registered_models()


def test_balanced_sampling_is_logged_and_needs_no_certain_number_of_loader_processes(configure):
    config = configure("trainer.sampling=by_target", "trainer.epochs=1", "schedule.warmup_epochs=0")
    runs = []
    for workers in (0, 2):
        config.trainer.workers = workers
        runs.append(opened(config).client.get_run(train(config)))
    assert runs[0].data.metrics["epoch/train/loss"] == runs[1].data.metrics["epoch/train/loss"]
    assert runs[0].data.tags["config_hash"] == runs[1].data.tags["config_hash"]
    assert {run.data.params["trainer.sampling"] for run in runs} == {"by_target"}


def test_a_frozen_backbone_trains_its_head_only(configure):
    config = configure(
        "model.backbone=tf_efficientnet_lite0",
        "model.trainable=head",
        "image.height_px=64",
        "image.width_px=64",
        "trainer.epochs=5",
    )
    run = opened(config).find_run(train(config))
    assert run.name == "tf_efficientnet_lite0-head-mass-roi-both-s0"
    from mammoscope.config import ModelConfig
    from mammoscope.models.weights import find_weights

    pretrained = find_weights(ModelConfig(name="l", backbone="tf_efficientnet_lite0")).state()
    kept = load_file(run.folder / "best.safetensors")
    torch.testing.assert_close(kept["backbone.blocks.3.0.conv_pw.weight"], pretrained["blocks.3.0.conv_pw.weight"])
    assert run.metrics["validation/abnormality/auc"] > 0.5


def test_a_fine_tuned_run_is_shown_beside_the_frozen_head_on_the_same_rows(configure, capsys):
    lite = ["model.backbone=tf_efficientnet_lite0", "image.height_px=64", "image.width_px=64", "trainer.epochs=1"]
    lite += ["schedule.warmup_epochs=0", "tracking.register=never"]
    train(configure(*lite, "data=calc", "model.trainable=head"))  # of other rows
    head = opened(configure()).find_run(train(configure(*lite, "model.trainable=head")))
    capsys.readouterr()
    run = opened(configure()).find_run(train(configure(*lite)))
    name = f"frozen head on the same rows ({head.name}, run {head.id[:8]}), abnormality level"
    assert f"{name}: AUC {head.metrics['validation/abnormality/auc']:.3f}" in capsys.readouterr().out
    assert name in run.tags["mlflow.note.content"]
    assert "frozen head" not in head.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["image=full", "image.height_px=48", "image.width_px=32"],
        ["data=all", "image=full", "image.height_px=48", "image.width_px=32", "loss=cross_entropy"],
        ["data=calc", "view=cc", "target=malignancy_without_bwc", "trainer.precision=bf16"],
    ],
    ids=["full", "all-full-ce", "calc-cc-nobwc-bf16"],
)
def test_other_variants_run_as_well(configure, overrides):
    config = configure("trainer.epochs=1", "schedule.warmup_epochs=0", *overrides)
    run = opened(config).find_run(train(config))
    assert run.status == "FINISHED"
    levels = [level for level in Level if f"validation/{level}/auc" in run.metrics]
    assert levels == list(Level)[1 if "image=full" in overrides else 0 :]


def test_early_stopping_keeps_the_best_epoch(configure, capsys):
    config = configure("trainer.epochs=30", "trainer.patience_epochs=1", "tracking.register=never", "optimizer.lr=1e-7")
    run = opened(config).find_run(train(config))
    history = opened(config).client.get_metric_history(run.id, "epoch/validation/abnormality/auc")
    assert len(history) < 30
    assert "stopping early" in capsys.readouterr().out
    best = max(history, key=lambda point: point.value)
    assert run.metrics["kept/epoch"] == best.step
    assert run.metrics["validation/abnormality/auc"] == pytest.approx(best.value)


def test_the_last_epoch_is_kept_where_that_is_asked_for(configure):
    config = configure("trainer.epochs=4", "trainer.kept_epoch=last", "tracking.register=never", "optimizer.lr=1e-7")
    run = opened(config).find_run(train(config))
    history = opened(config).client.get_metric_history(run.id, "epoch/validation/abnormality/auc")
    assert max(point.value for point in history) > history[-1].value, "else this shows nothing"
    assert run.metrics["kept/epoch"] == 3
    assert run.metrics["validation/abnormality/auc"] == pytest.approx(history[-1].value)


def test_bad_input_leaves_no_run_behind(configure):
    config = configure()
    for bad in (
        dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, frozen_epochs=1)),  # random weights
        dataclasses.replace(config, model=dataclasses.replace(config.model, backbone="resnet19")),
        dataclasses.replace(config, model=dataclasses.replace(config.model, weights="missing.safetensors")),
        dataclasses.replace(config, source=dataclasses.replace(config.source, root="/nowhere")),
    ):
        with pytest.raises(MammoscopeError):
            train(bad)
    assert not opened(config).client.search_runs([opened(config).experiment_id])


def test_a_phantom_is_one_whichever_source_reads_it(configure):
    config = configure("source=cbis_ddsm", "trainer.epochs=1", "schedule.warmup_epochs=0")
    store = opened(config)
    run = store.find_run(train(config))
    assert (run.tags["source"], run.tags["phantom"]) == ("cbis_ddsm", "true")
    names = [model.name for model in store.client.search_registered_models()]
    assert names == ["phantom-mammoscope-mass-roi-both-malignancy"]
    assert "Trained on a phantom" in store.client.get_model_version(names[0], "1").description
