"""Searches over seeds and folds, of several metrics, with constraints and functions; and what a search refuses."""

import shutil
from pathlib import Path

import optuna
import pytest

from mammoscope.tracking.store import open_store

from . import searching

FIXED = ("optimizer.lr=0.001", "model.drop_rate=0.1", "optimizer.weight_decay=0.01")  # of what search=quick draws


def studied(home: Path, name: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{home}/searches.db").trials


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def command(home: Path, phantom_root: Path, store_root: Path):
    def build(name: str, *overrides: str) -> list[str]:
        return searching.small(phantom_root, store_root, home, f"search.name={name}", "trainer.epochs=1", *overrides)

    return build


@pytest.mark.slow
def test_a_trial_over_seeds_has_their_mean_and_spread(home: Path, command, tmp_path: Path):
    searching.run(command("seeds", "search.trials=2", "search.seeds=2", "search.pruner=none"), tmp_path / "printed")
    store = open_store(f"sqlite:///{home}/mlflow.db", "mammoscope", home=home)
    for trial in studied(home, "seeds"):
        each = [float(value) for value in trial.user_attrs["each"].split()]
        assert len(each) == 2
        assert each[0] != each[1]
        assert trial.value == pytest.approx(sum(each) / 2, abs=1e-15)
        summary = store.find_run(trial.user_attrs["run"])
        assert summary.status == "FINISHED"
        assert summary.metrics["validation/patient/auc"] == trial.value
        assert summary.metrics["validation/patient/auc_spread"] == pytest.approx(abs(each[0] - each[1]) / 2**0.5)
        children = [store.find_run(run) for run in trial.user_attrs["runs"].split()]
        assert [child.tags["seed"] for child in children] == ["0", "1"]
        assert {child.tags["mlflow.parentRunId"] for child in children} == {summary.id}
        assert [child.metrics["validation/patient/auc"] for child in children] == each


@pytest.mark.slow
def test_a_trial_over_folds_trains_each_of_them(home: Path, command, tmp_path: Path):
    overrides = ["split=cv5", "split.validation_fraction=0.2", "search.trials=1", "search.pruner=none"]
    searching.run([o for o in command("folds", *overrides) if o != "split.validation_fraction=0.4"], tmp_path / "out")
    (trial,) = studied(home, "folds")
    store = open_store(f"sqlite:///{home}/mlflow.db", "mammoscope", home=home)
    runs = [store.find_run(run) for run in trial.user_attrs["runs"].split()]
    assert [run.tags["fold"] for run in runs] == ["0", "1", "2", "3", "4"]


@pytest.mark.slow
def test_two_metrics_leave_a_front(home: Path, command, tmp_path: Path):
    overrides = [
        "search.metric=[validation/patient/auc,cost/parameters_million]",
        "search.direction=[maximize,minimize]",
        "search.sampler=nsga2",
        "search.pruner=none",
        "search.trials=3",
        "model.backbone=choice(resnet10t,resnet14t)",
    ]
    lines = searching.run(command("front", *overrides), tmp_path / "printed")
    trials = studied(home, "front")
    costs = {trial.params["model.backbone"]: trial.values[1] for trial in trials}
    assert all(4 < cost < 11 for cost in costs.values())
    assert any(line.startswith("on the front: trial ") for line in lines)
    assert lines[-1].startswith("best: trial ")


@pytest.mark.slow
def test_what_costs_too_much_does_not_win(home: Path, command, tmp_path: Path):
    overrides = [
        "search.constraints=['cost/parameters_million <= 6']",
        "search.trials=null",
        "search.sampler=grid",
        "search.pruner=none",
        "model.backbone=choice(resnet10t,resnet14t)",
        *FIXED,
    ]
    lines = searching.run(command("cheap", *overrides), tmp_path / "printed")
    best = int(lines[-1].split()[2])
    trials = {trial.number: trial for trial in studied(home, "cheap")}
    assert trials[best].params["model.backbone"] == "resnet10t"
    assert [trial.params["model.backbone"] for trial in trials.values()].count("resnet14t") == 1


@pytest.mark.slow
def test_a_function_may_settle_what_follows_from_what_was_drawn(home: Path, command, tmp_path: Path):
    overrides = [
        "search.configure=mammoscope.search.factors:resolution",
        "resolution=choice(0.5,1)",
        "search.sampler=grid",
        "search.trials=null",
        "search.pruner=none",
        *FIXED,
    ]
    sized = [o for o in command("sizes", *overrides) if not o.startswith("image.")]
    searching.run(sized, tmp_path / "printed")
    store = open_store(f"sqlite:///{home}/mlflow.db", "mammoscope", home=home)
    sides = {
        trial.params["resolution"]: store.find_run(trial.user_attrs["run"]).params["image.height_px"]
        for trial in studied(home, "sizes")
    }
    assert sides == {"0.5": "48", "1": "96"}


@pytest.mark.slow
def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(home: Path, command, tmp_path: Path):
    overrides = [
        "search.trials=null",
        "search.sampler=grid",
        "search.pruner=none",
        "search.max_failure_fraction=0.5",
        "trainer.batch_size=choice(16,1)",
        *FIXED,
    ]
    lines = searching.run(command("failing", *overrides), tmp_path / "printed")
    states = {trial.params["trainer.batch_size"]: trial for trial in studied(home, "failing")}
    assert states["16"].state.name == "COMPLETE"
    assert states["1"].state.name == "FAIL"
    assert states["1"].user_attrs["reason"].startswith("trainer.batch_size=1: allowed: ")
    assert lines[-2] == "search failing: 1 done, 1 failed"


def test_too_many_failures_end_it_with_their_reason(command, tmp_path: Path):
    overrides = ["search.trials=4", "search.max_failure_fraction=0.25", "optimizer.lr=interval(-2,-1)"]
    line = searching.refused(command("hopeless", *overrides), tmp_path / "printed")
    assert "search.max_failure_fraction=0.25: 2 of 4 trials failed, and the search hopeless ends" in line
    assert "optimizer.lr=-1." in line


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["search.metric=test/patient/auc"], "a search may not look at the test partition"),
        (["search.metric=validation/patients/auc"], "search.metric=validation/patients/auc: there is no such metric"),
        (
            ["search.metric=validation/patient/sensitivity"],
            "search.pruner=median with search.metric=",
        ),
        (["search.direction=up"], "search.direction=up: allowed: maximize, minimize"),
        (["search.metric=[validation/patient/auc,cost/gflops_per_image]"], "as many of one as of the other"),
        (["search.pruner=wilcoxon"], "search.pruner=wilcoxon: compares trials over seeds or folds"),
        (["search.sampler=grid"], "search.sampler=grid: model.drop_rate, optimizer.lr"),
        (
            ["search.sampler=cmaes", "model.backbone=choice(resnet10t,resnet14t)"],
            "cmaes: model.backbone is a choice",
        ),
        (["search.trials=0"], "search.trials=0: allowed: 1 or more"),
        (["search.trials=null"], "search.trials=null: the space has no finite number of points"),
        (["search.constraints=[cheap]"], "search.constraints: 'cheap': allowed: '<metric> <= <number>'"),
        (["search.configure=nowhere:function"], "search.configure=nowhere:function: No module named 'nowhere'"),
        (["search.storage=mysql://host/db"], "search.storage=mysql://host/db: not a place where searches can be kept"),
        (["optimizer.speed=interval(0,1)"], "optimizer.speed: there is no such key"),
        (["search.sampler=guess"], "search.sampler: 'guess' is not allowed; allowed: tpe, gp, cmaes"),
        (["seed=1,2"], "seed is not a trial's to vary"),
        (["image=full", "search.metric=validation/abnormality/auc"], "image=full scores films, not abnormalities"),
    ],
)
def test_what_a_search_refuses(command, tmp_path: Path, overrides: list[str], words: str):
    assert words in searching.refused(command("refused", *overrides), tmp_path / "printed")


@pytest.mark.skipif(shutil.which("srun") is not None, reason="this is a cluster")
def test_slurm_is_refused_where_there_is_none(command, tmp_path: Path):
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    refused = command("refused", "hydra/launcher=submitit_slurm")
    assert "hydra/launcher=submitit_slurm: no srun" in searching.refused(refused, tmp_path / "printed")


def test_a_factor_can_be_taken_out_of_an_options_space(command, tmp_path: Path):
    overrides = ("data=mass", "image=roi", "~search.space.resolution", "search.dry_run=true", "hydra/launcher=basic")
    asked = [o for o in command("fewer", *overrides) if o != "search=quick"]
    printed = "\n".join(searching.run(["search=full_factorial", *asked], tmp_path / "printed"))
    assert "view: one of cc, mlo, both" in printed
    assert "resolution: one of" not in printed
    assert "source.recipe" not in printed
