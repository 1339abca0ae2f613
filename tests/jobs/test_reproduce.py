"""A run is repeated to the last bit on a CPU, and where it is not, it is said what differs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mammoscope.compose import config_from_yaml
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.agreement import Verdict
from mammoscope.jobs.rebuild import rebuilt_config
from mammoscope.jobs.reproduce import REPRODUCES, REPRODUCTION, check_reproducible, reproduce
from mammoscope.jobs.train import train
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.training.checkpoint import BEST
from mammoscope.training.weights_digest import weights_digest

CHECKOUT = Path(__file__).resolve().parents[2]


def opened(config) -> TrackingStore:
    return open_store(config.tracking.uri, "another experiment", home=Path(config.tracking.home))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in):
    config = configure_in(tmp_path_factory.mktemp("finished"), "trainer.deterministic=true")
    run_id = train(config)
    store = opened(config)
    return config, store, store.find_run(run_id)


def here(config: str, *rest: object) -> str:
    return train(config_from_yaml(config))


def test_the_same_command_is_bit_equal_and_the_run_said_so(finished, capsys):
    config, store, run = finished
    assert run.tags["determinism"] == "bit-equal"
    assert run.tags["determinism.reasons"].startswith("on this CPU: ")
    assert run.tags["weights_digest"] == weights_digest(run.folder / BEST)
    verdict = reproduce(store, run, rebuilt_config(store, run, config, []), 1e-3, here)
    said = capsys.readouterr().out
    assert verdict is Verdict.bit_equal, said
    again = store.find_run(said.split()[-1])
    assert (again.tags[REPRODUCES], again.tags[REPRODUCTION]) == (run.id, "bit-equal")
    assert again.experiment_id == run.experiment_id != store.experiment_id
    assert again.tags["weights_digest"] == run.tags["weights_digest"]
    assert not store.client.search_model_versions(f"run_id = '{again.id}'")
    assert "differs" not in said
    assert "bit-equal: scores differ by at most 0, metrics by at most 0; the weights are the same" in said


def test_what_differs_is_named(finished, capsys):
    config, store, run = finished
    changed = rebuilt_config(store, run, config, []).replace("clip_norm: 1.0", "clip_norm: 0.01")
    assert reproduce(store, run, changed, 1e-9, here) is Verdict.differs
    said = capsys.readouterr().out
    assert "differs: config_hash " in said
    assert "differs by more than 1e-09: scores differ by at most " in said


def test_the_config_of_a_run_that_lies_elsewhere_needs_its_paths(finished, configure, tmp_path: Path):
    config, store, run = finished
    kept = run.folder / "config.yaml"
    kept.rename(tmp_path / "config.yaml")
    try:
        with pytest.raises(MammoscopeError, match=r"does not know where its files lie; give source\.root=<path>$"):
            rebuilt_config(store, run, config, [])
        given = config_from_yaml(rebuilt_config(store, run, config, ["source.root"]))
    finally:
        (tmp_path / "config.yaml").rename(kept)
    assert given.source.root == config.source.root
    assert given.store.root == config.store.root
    assert given.trainer == config.trainer
    assert given.tracking.experiment == config.tracking.experiment


def test_a_config_of_another_version_is_not_read_by_this_one(finished):
    config, store, run = finished
    kept = run.folder / "config.yaml"
    text = kept.read_text()
    kept.write_text(text.replace("trainer:", "trainer:\n  of_another_version: 3"))
    try:
        rebuilt = yaml.safe_load(rebuilt_config(store, run, config, []))
    finally:
        kept.write_text(text)
    assert rebuilt["trainer"]["of_another_version"] == 3
    assert rebuilt["tracking"]["register"] == "never"


def test_only_runs_that_came_to_something_are_repeated(finished):
    _, store, _ = finished
    tracker = store.start_run("failed", {})
    tracker.finish("FAILED")
    with pytest.raises(MammoscopeError, match="is FAILED; allowed: one that is FINISHED"):
        check_reproducible(store.find_run(tracker.run_id))
    tracker = store.start_run("something else", {})
    tracker.finish("FINISHED")
    with pytest.raises(MammoscopeError, match="lacks the tag seed; allowed: runs of train"):
        check_reproducible(store.find_run(tracker.run_id))


@pytest.mark.slow
def test_a_change_that_was_never_committed_is_repeated_from_a_later_commit(configure, tmp_path: Path):
    """The command itself, from a checkout that has gone on since."""
    checkout = tmp_path / "checkout"
    for folder in ("src", "conf"):
        shutil.copytree(CHECKOUT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "train.py", checkout)
    rounding = checkout / "src/mammoscope/training/losses.py"

    def git(*words: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", *who, *words], cwd=checkout, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    original = rounding.read_text()
    rounding.write_text(original + "\nCHANGED = 'in this run alone'\n")

    config = configure("tracking.register=never")
    written = tmp_path / "config.yaml"
    from mammoscope.jobs.provenance import write_local_config

    write_local_config(config, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "MLFLOW_TRACKING_URI": config.tracking.uri}
    begin = "import sys; from mammoscope.compose import config_from_yaml; from mammoscope.jobs.train import train; "
    begin += "print(train(config_from_yaml(open(sys.argv[1]).read())))"
    done = subprocess.run(
        [sys.executable, "-c", begin, str(written)],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    run_id = done.stdout.split()[-1]
    store = opened(config)
    assert "in this run alone" in store.artifact(run_id, "code.diff").read_text()

    rounding.write_text(original)
    settings = checkout / "conf/trainer/default.yaml"
    settings.write_text(settings.read_text() + "# a later commit\n")
    git("commit", "-qam", "second")
    done = subprocess.run(
        [sys.executable, "-m", "mammoscope.cli", "reproduce", run_id[:8], f"tracking.home={config.tracking.home}"],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "its own code, in a temporary worktree" in done.stdout
    assert "\nbit-equal: " in done.stdout
    again = store.find_run(done.stdout.split()[-1])
    assert store.artifact(again.id, "code.diff").read_bytes() == store.artifact(run_id, "code.diff").read_bytes()
    worktrees = subprocess.run(["git", "worktree", "list"], cwd=checkout, check=True, capture_output=True, text=True)
    assert len(worktrees.stdout.splitlines()) == 1
