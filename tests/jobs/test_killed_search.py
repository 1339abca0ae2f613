"""Searches whose commands are killed, by several hands, come to the planned results once: in Optuna and in MLflow."""

import random
import re
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest

from mammoscope.tracking.store import open_store

from . import searching

CLOCK = re.compile(r"seconds|images_per_s|training_s")  # metrics that tell of the machine
TRIALS = 6
KILLS = 20


def settings(phantom_root: Path, store_root: Path, home: Path, *overrides: str) -> list[str]:
    return searching.small(
        phantom_root,
        store_root,
        home,
        "search.name=killed",
        f"search.trials={TRIALS}",
        "search.startup_trials=2",
        "trainer.epochs=3",
        "trainer.checkpoint_every_s=0",
        "tracking.register=never",
        *overrides,
    )


def trials_of(home: Path) -> list[tuple[object, ...]]:
    study = optuna.load_study(study_name="killed", storage=f"sqlite:///{home}/searches.db")
    return [(t.number, t.state.name, t.values, t.params, t.intermediate_values) for t in study.trials]


def runs_of(home: Path) -> dict[str, object]:
    """By trial: status and every metric's history, of the one run that each has."""
    store = open_store(f"sqlite:///{home}/mlflow.db", "mammoscope", home=home)
    found = {}
    for run in store.client.search_runs([store.experiment_id], "tags.trial LIKE '%'"):
        trial = run.data.tags["trial"]
        assert trial not in found, f"trial {trial} has two runs"
        histories = {key: store.client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        for key, points in histories.items():
            assert max(Counter(point.step for point in points).values()) == 1, f"{key}: a step twice"
        numbers = {
            key: [(p.step, p.value) for p in points] for key, points in histories.items() if not CLOCK.search(key)
        }
        found[trial] = (run.info.status, "pruned" in run.data.tags, numbers)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_of_real_trainings_change_nothing(phantom_root: Path, store_root: Path, tmp_path: Path):
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    searching.run(settings(phantom_root, store_root, whole), tmp_path / "whole.txt")
    command = settings(phantom_root, store_root, torn)
    began = time.perf_counter()
    searching.run(settings(phantom_root, store_root, whole), tmp_path / "again.txt")
    idle_s = time.perf_counter() - began  # what a command takes that has nothing left to do
    moments, kills = random.Random(1), 0
    while kills < KILLS:
        seconds = idle_s * moments.uniform(0.5, 1) + moments.uniform(0, 1.5)
        if not searching.killed_after(command, tmp_path / "torn.txt", seconds):
            break
        kills += 1
    lines = searching.run(command, tmp_path / "end.txt")
    assert trials_of(torn) == trials_of(whole)
    assert runs_of(torn) == runs_of(whole)
    assert len(runs_of(torn)) == TRIALS
    assert kills >= 5, "the search ended before it was killed often"
    assert lines[-1].startswith("best: trial ")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_four_commands_that_are_killed_share_one_search(phantom_root: Path, store_root: Path, tmp_path: Path):
    """As from four terminals, each killed three times and begun again; then all run to the end."""
    command = settings(phantom_root, store_root, tmp_path, "search.sampler=qmc", "search.trials=8")
    moments = random.Random(2)
    for _ in range(3):
        processes = [searching.start(command, tmp_path / "printed.txt") for _ in range(4)]
        for process in processes:
            process.join(moments.uniform(3, 8))
            process.kill()
            process.join()
    processes = [searching.start(command, tmp_path / "end.txt") for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4, (tmp_path / "end.txt").read_text()
    trials = trials_of(tmp_path)
    assert [trial[0] for trial in trials] == list(range(8))
    assert {trial[1] for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert len({tuple(sorted(trial[3].items())) for trial in trials}) == 8
    runs = runs_of(tmp_path)
    assert sorted(map(int, runs)) == list(range(8))
    assert {(run[0], run[1]) for run in runs.values()} <= {("FINISHED", False), ("KILLED", True)}
    lasts = {line for line in (tmp_path / "end.txt").read_text().splitlines() if line.startswith("best: ")}
    assert len(lasts) == 1, "all commands end with the same words"
