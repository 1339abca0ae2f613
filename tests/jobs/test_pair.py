"""view=pair from end to end: breasts are trained on, scored, registered and evaluated; a missing view is said."""

from pathlib import Path

import mlflow
import numpy as np
import pytest

from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.gather import gather
from mammoscope.jobs.train import train
from mammoscope.reporting.predictions import read_predictions
from mammoscope.tracking.store import open_store
from mammoscope.vocabulary import Level, Partition

PAIR = ["view=pair", "image=full", "image.height_px=48", "image.width_px=32", "data=all"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in):
    config = configure_in(tmp_path_factory.mktemp("pair"), *PAIR)
    run_id = train(config)
    store = open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))
    return config, store, store.find_run(run_id)


def test_the_finest_level_is_the_breast(finished):
    _, store, run = finished
    assert run.status == "FINISHED"
    assert run.name == "resnet10t-all-full-pair-s0"
    assert run.tags["fusion"] == "concatenation"
    levels = [level for level in Level if f"validation/{level}/auc" in run.metrics]
    assert levels == [Level.breast, Level.patient]
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    assert predictions.finest is Level.breast
    assert {"CC+MLO"} <= set(predictions.views.tolist()) <= {"CC+MLO", "CC", "MLO"}
    assert run.metrics["validation/breast/n"] == len(predictions)


def test_a_missing_view_is_said_with_its_count(finished):
    config, _, run = finished
    data = gather(config)
    alone = sum(None in sample.images for own in data.samples.values() for sample in own)
    assert alone > 0
    assert any(note.startswith(f"{alone} of ") and "have one view only" in note for note in data.notes)
    assert f"{alone} of " in run.tags["mlflow.note.content"]
    assert "CC and MLO views of a breast fused by concatenation" in run.tags["mlflow.note.content"]


def test_the_registered_model_scores_as_the_run_did(finished, monkeypatch):
    config, store, run = finished
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    model = mlflow.pyfunc.load_model("models:/phantom-mammoscope-all-full-pair-malignancy/1")
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    data = gather(config)
    samples = data.samples[Partition.validation]
    assert [sample.id for sample in samples] == predictions.ids.tolist()
    images = np.zeros((len(samples), 2, 48, 32), np.uint16)
    for sample, views in zip(samples, images, strict=True):
        for place, image in zip(sample.images, views, strict=True):
            if place is not None:
                image[:] = data.stores[place.store].image(place.row)
    np.testing.assert_allclose(model.predict(images)["malignancy"], predictions.scores, atol=1e-5)


def test_the_test_partition_is_evaluated_by_breast(finished):
    config, store, run = finished
    report = evaluate(config, store, run, Partition.test)
    assert report.evidence.levels == (Level.breast, Level.patient)
    assert len(report.predictions) == report.evidence.result(Level.breast, "auc").n
    assert any("breast level" in name for name in report.references)


@pytest.mark.parametrize(
    "overrides",
    [
        [*PAIR, "view.fusion=attention", "loss=cross_entropy"],
        [*PAIR, "data=mass", "view.fusion=mean", "model.backbone=tf_efficientnet_lite0", "model.trainable=head"],
        ["image=released_crop"],
        ["image.window_px=64", "image.jitter_fraction=0.2"],
    ],
    ids=["attention-ce", "mean-head", "released-crop", "window-jitter"],
)
def test_other_variants_run_as_well(configure, overrides):
    config = configure("trainer.epochs=1", "schedule.warmup_epochs=0", "tracking.register=never", *overrides)
    store = open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))
    run = store.find_run(train(config))
    assert run.status == "FINISHED"
    finest = Level.breast if "view=pair" in overrides else Level.abnormality
    assert next(level for level in Level if f"validation/{level}/auc" in run.metrics) is finest
    if "image=released_crop" in overrides:
        assert "stretched to its own maximum" in run.tags["mlflow.note.content"]
