"""target=tissue and target=pathology from end to end: classes, class maps, an image's probabilities, the package."""

import dataclasses
from pathlib import Path

import mlflow
import numpy as np
import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.evaluate_sliding import check_slidable
from mammoscope.jobs.gather import gather
from mammoscope.jobs.train import train
from mammoscope.metrics.classes import gather_class_evidence, lesions_only
from mammoscope.metrics.evidence import gather_evidence
from mammoscope.reporting.predictions import read_predictions
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.vocabulary import Level, Partition

TISSUE = ("normal", "benign", "malignant")


def opened(config) -> TrackingStore:
    return open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in):
    config = configure_in(
        tmp_path_factory.mktemp("tissue"),
        "target=tissue",
        "image.window_px=48",
        "view=cc",
        "trainer.epochs=1",
        "schedule.warmup_epochs=0",
    )
    store = opened(config)
    run_id = train(config)
    evaluate(config, store, store.find_run(run_id), Partition.test)
    return config, store, store.find_run(run_id)


def test_malignancy_is_judged_on_lesions_and_classes_on_all_rows(finished):
    _, store, run = finished
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    assert predictions.classes.names == TISSUE
    np.testing.assert_allclose(predictions.scores, predictions.classes.probabilities[:, 2])
    lesions = lesions_only(predictions)
    assert 0 < len(lesions) < len(predictions)
    numbers = gather_evidence(lesions, thresholds=None, rng=np.random.default_rng(0)).flat()
    numbers |= gather_class_evidence(predictions, rng=np.random.default_rng(0)).flat()
    for key, value in numbers.items():
        assert run.metrics[key] == pytest.approx(value, abs=1e-12), key
    assert run.metrics["validation/classes/n"] == len(predictions)
    assert run.metrics["validation/abnormality/n"] == len(lesions)


def test_the_lesions_are_those_of_target_malignancy(finished, configure):
    _, store, run = finished
    other = gather(configure("image.window_px=48", "view=cc"))
    predictions = lesions_only(read_predictions(store.artifact(run.id, "predictions/validation.parquet")))
    samples = other.samples[Partition.validation]
    assert predictions.ids.tolist() == [sample.id for sample in samples]
    assert predictions.targets.tolist() == [sample.malignant for sample in samples]


def test_patients_of_normal_patches_are_split_as_all_others(finished):
    config, _, _ = finished
    data = gather(config)
    patients = {p: {s.patient for s in own} for p, own in data.samples.items()}
    assert not patients[Partition.train] & (patients[Partition.validation] | patients[Partition.test])
    for own in data.samples.values():
        assert {s.patient for s in own if not s.abnormalities} <= {s.patient for s in own if s.abnormalities}
    assert any("normal patches of" in note for note in data.notes)


def test_whole_mammograms_have_probabilities_levels_and_a_map(finished):
    config, store, run = finished
    of_images = read_predictions(store.artifact(run.id, "sliding/predictions/test.parquet"))
    films = {sample.films[0] for sample in gather(config).samples[Partition.test]}
    assert set(of_images.films.tolist()) == films
    assert of_images.finest is Level.image
    np.testing.assert_allclose(of_images.classes.probabilities.sum(axis=1), 1)
    for level in (Level.image, Level.breast, Level.patient):
        low, value, high = (run.metrics[f"sliding/test/{level}/auc{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high
        assert 0 <= run.metrics[f"sliding/test/{level}/threshold"] <= 1
    assert "sliding/test/abnormality/auc" not in run.metrics
    for who in ("abnormality_peak", "malignancy_peak", "brightest_tissue", "centre"):
        assert 0 <= run.metrics[f"sliding/test/localisation/{who}"] <= 1
    figures = store.artifact(run.id, "figures")
    assert (figures / "sliding" / "test_class_map.png").is_file()
    assert (figures / "validation_classes_confusion.png").is_file()
    assert (figures / "sliding" / "test_image_roc.png").is_file()


def test_a_threshold_for_whole_mammograms_comes_from_the_runs_own_validation(finished):
    _, _, run = finished
    for level in (Level.image, Level.breast, Level.patient):
        threshold = run.metrics[f"sliding/validation/{level}/threshold"]
        assert run.metrics[f"sliding/test/{level}/threshold"] == threshold
    check_slidable(run, "another catalog", Partition.test)
    without = dataclasses.replace(run, metrics={})
    check_slidable(without, run.tags["catalog"], Partition.test)
    with pytest.raises(MammoscopeError, match="no threshold for whole mammograms yet"):
        check_slidable(without, "another catalog", Partition.test)


def test_the_description_tells_the_classes_and_where_the_peak_is(finished):
    _, _, run = finished
    assert "to tell normal, benign and malignant apart, of masses" in run.description
    assert "| partition | patients | samples | normal | benign | malignant |" in run.description
    assert "| class | n | AUC against the rest |" in run.description
    assert "### Results on test, whole mammograms" in run.description
    assert "| brightest tissue |" in run.description


def test_the_registered_model_gives_a_column_a_class(finished, monkeypatch):
    config, store, run = finished
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    model = mlflow.pyfunc.load_model("models:/phantom-mammoscope-mass-roi-cc-tissue/1")
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    data = gather(config)
    samples = data.samples[Partition.validation]
    images = np.stack([data.stores[place.store].image(place.row) for s in samples for place in s.images])
    table = model.predict(images)
    np.testing.assert_allclose(table["malignancy"], predictions.scores, atol=1e-5)
    columns = table[[f"probability_{name}" for name in TISSUE]].to_numpy()
    np.testing.assert_allclose(columns, predictions.classes.probabilities, atol=1e-5)


def test_a_class_with_too_few_patients_is_refused_with_the_counts(configure):
    with pytest.raises(MammoscopeError, match=r"too few patients of a class in .*0 benign_without_callback, 6 benign"):
        gather(configure("target=pathology"))


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["target=pathology", "data=calc"], ("benign_without_callback", "benign", "malignant")),
        (
            ["target=pathology", "image=full", "data=all", "image.height_px=48", "image.width_px=32"],
            ("benign_without_callback", "benign", "malignant"),
        ),
        (
            ["target=tissue_by_kind", "data=all", "image.window_px=48"],
            ("normal", "benign_mass", "malignant_mass", "benign_calc", "malignant_calc"),
        ),
    ],
    ids=["pathology-roi", "pathology-full", "tissue-by-kind"],
)
def test_other_targets_run_as_well(configure, overrides, names):
    config = configure("trainer.epochs=1", "schedule.warmup_epochs=0", "tracking.register=never", *overrides)
    store = opened(config)
    run = store.find_run(train(config))
    predictions = read_predictions(store.artifact(run.id, "predictions/validation.parquet"))
    assert predictions.classes.names == names
    assert set(predictions.classes.targets.tolist()) == set(range(len(names)))
    assert all(f"validation/classes/auc_{name}" in run.metrics for name in names)
    assert run.name.endswith(f"-{config.target.name}-s0")
