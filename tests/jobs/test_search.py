"""A search as its user meets it: one command, its runs in MLflow, its trials in Optuna, and what it prints."""

import re
from pathlib import Path

import optuna
import pytest

from mammoscope.registry.versions import has_package
from mammoscope.tracking.store import TrackingStore, open_store

from . import searching

PARENT = "mlflow.parentRunId"


def opened(home: Path) -> TrackingStore:
    return open_store(f"sqlite:///{home}/mlflow.db", "mammoscope", home=home)


def study_of(home: Path, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{home}/searches.db")


@pytest.fixture(scope="module")
def searched(tmp_path_factory, phantom_root: Path, store_root: Path):
    """Six trials, of which the last four may be pruned."""
    home = tmp_path_factory.mktemp("search")
    command = searching.small(
        phantom_root, store_root, home, "search.name=six", "search.trials=6", "search.startup_trials=2"
    )
    return home, command, searching.run(command, home / "printed")


def test_the_last_line_names_the_best_trial_its_value_and_its_run(searched):
    home, _, lines = searched
    number, value, run = re.fullmatch(r"best: trial (\d+) value (\S+) run ([0-9a-f]{32})", lines[-1]).groups()
    best = study_of(home, "six").best_trial
    assert (int(number), float(value)) == (best.number, best.value)
    assert opened(home).find_run(run).metrics["validation/patient/auc"] == best.value


def test_each_trial_is_a_child_of_one_parent_that_holds_the_best(searched):
    home, _, _ = searched
    store = opened(home)
    runs = list(store.client.search_runs([store.experiment_id]))
    (parent,) = [run for run in runs if run.data.tags.get("sampler") == "tpe"]
    children = [run for run in runs if run is not parent]
    study = study_of(home, "six")
    assert parent.info.status == "FINISHED"
    assert {child.data.tags[PARENT] for child in children} == {parent.info.run_id}
    assert sorted(int(child.data.tags["trial"]) for child in children) == list(range(6))
    assert parent.data.metrics["best/validation/patient/auc"] == study.best_value
    assert parent.data.tags["best_trial"] == str(study.best_trial.number)
    assert parent.data.tags["best.optimizer.lr"] == str(study.best_params["optimizer.lr"])
    names = {path.name for path in store.artifact(parent.info.run_id, "figures").iterdir()}
    assert {"history.png", "slice.png", "intermediate.png"} <= names
    table = store.artifact(parent.info.run_id, "trials.csv").read_text().splitlines()
    assert len(table) == 7
    assert "six" in store.artifact(parent.info.run_id, "leaderboard.html").read_text()


def test_a_pruned_trial_is_killed_with_a_tag_and_never_failed(searched):
    home, _, _ = searched
    store = opened(home)
    states = {trial.number: trial.state.name for trial in study_of(home, "six").trials}
    for run in store.client.search_runs([store.experiment_id], "tags.trial LIKE '%'"):
        expected = {"COMPLETE": ("FINISHED", False), "PRUNED": ("KILLED", True)}[states[int(run.data.tags["trial"])]]
        assert (run.info.status, "pruned" in run.data.tags) == expected
    assert set(states.values()) <= {"COMPLETE", "PRUNED"}


def test_trials_log_no_pictures_but_the_best_three_do(searched):
    home, _, _ = searched
    store, study = opened(home), study_of(home, "six")
    done = sorted((t for t in study.trials if t.state.name == "COMPLETE"), key=lambda t: (-t.value, t.number))
    assert len(done) > 3, "more than three, else the test says nothing"
    for place, trial in enumerate(done):
        run = store.find_run(trial.user_attrs["run"])
        names = {path.name for path in store.artifact(run.id, "config.yaml").parent.iterdir()}
        kept = {"figures", "environment.txt", "certificate.json"} if place < 3 else set()
        assert names == {"config.yaml", "predictions"} | kept
        assert (run.folder / "best.safetensors").exists() == (place < 3)
        assert has_package(store, run.id) == (place < 3)
        assert not (run.folder / "state.safetensors").exists()
        assert not (run.folder / "last.safetensors").exists()


def test_the_winner_alone_is_registered(searched):
    home, _, lines = searched
    store = opened(home)
    versions = store.client.search_model_versions()
    assert [version.run_id for version in versions] == [lines[-1].split()[-1]]


def test_a_trials_hash_knows_nothing_of_its_search(searched, configure):
    home, _, lines = searched
    run = opened(home).find_run(lines[-1].split()[-1])
    assert not any(key.startswith("search") for key in run.params)


def test_the_same_command_has_nothing_left_to_do(searched, tmp_path: Path):
    home, command, lines = searched
    before = {trial.number: trial.datetime_complete for trial in study_of(home, "six").trials}
    again = searching.run(command, tmp_path / "printed")
    assert again[-1] == lines[-1]
    assert {trial.number: trial.datetime_complete for trial in study_of(home, "six").trials} == before
    assert len(opened(home).client.search_model_versions()) == 1


def test_a_changed_space_is_refused_with_what_changed(searched, tmp_path: Path):
    _, command, _ = searched
    line = searching.refused([*command, "model.drop_rate=interval(0,0.4)"], tmp_path / "printed")
    assert "search.name=six: was begun with other settings: search.space.model.drop_rate: 0 to 0.4" in line
    assert "(the search: 0 to 0.5)" in line


def test_a_dry_run_explains_and_trains_nothing(searched, tmp_path: Path):
    home, command, _ = searched
    lines = searching.run([*command, "search.trials=9", "search.dry_run=true"], tmp_path / "printed")
    text = "\n".join(lines)
    assert "optimizer.lr: 1e-05 to 0.01, evenly in its logarithm" in text
    assert "missing: 3 of 9" in text
    assert len(study_of(home, "six").trials) == 6
