"""A run that is killed and gone on with ends as one that is not: the same weights bit for bit, no step twice."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.jobs.train import train
from mammoscope.tracking.liveness import take_life
from mammoscope.tracking.store import TrackingStore, open_store

from . import killed

CLOCK = re.compile(r"seconds|images_per_s|system/")  # metrics that tell of the machine


def opened(config) -> TrackingStore:
    return open_store(config.tracking.uri, config.tracking.experiment, home=Path(config.tracking.home))


def outcome(config, run_id: str) -> dict[str, object]:
    """All that must not depend on how often the run was killed."""
    store = opened(config)
    run = store.find_run(run_id)
    histories = {key: store.client.get_metric_history(run_id, key) for key in run.metrics}
    for key, points in histories.items():
        assert max(Counter(point.step for point in points).values()) == 1, f"{key}: a step twice"
    numbers = {
        key: [(point.step, point.value) for point in points if not CLOCK.search(key)]
        for key, points in histories.items()
    }
    weights = {name: (run.folder / f"{name}.safetensors").read_bytes() for name in ("best", "last")}
    versions = store.client.search_model_versions(f"run_id = '{run_id}'")
    return {
        "numbers": numbers,
        "weights": weights,
        "status": run.status,
        "params": {key: value for key, value in run.params.items() if not key.startswith("tracking.")},
        "versions": len(versions),
        "files": sorted(path.name for path in run.folder.iterdir() if path.suffix == ".safetensors"),
        "predictions": store.artifact(run_id, "predictions/validation.parquet").read_bytes(),
    }


def runs(config) -> list[str]:
    store = opened(config)
    return [run.info.run_id for run in store.client.search_runs([store.experiment_id])]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, configure_in):
    """What a run that nobody kills comes to, and how long that takes."""
    config = configure_in(tmp_path_factory.mktemp("undisturbed"), *KILLABLE)
    seconds = killed.timed(config)
    (run_id,) = runs(config)
    return outcome(config, run_id), seconds


# Each step is kept, so that a kill may meet any of the ways in which the state is written and read.
KILLABLE = ("trainer.checkpoint_every_s=0", "trainer.epochs=3", "model.drop_rate=0.2")


@pytest.mark.parametrize(("moment", "count"), [("step", 8), ("state", 5), ("registered", 1)])
def test_killed_and_gone_on_with_it_ends_as_if_nothing_had_happened(undisturbed, configure, moment: str, count: int):
    config = configure(*KILLABLE, "resume=auto")
    killed.train_until(config, moment, count)
    run_id = train(config)
    assert runs(config) == [run_id]
    assert outcome(config, run_id) == undisturbed[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_any_moment_and_gone_on_with(undisturbed, configure):
    """Twenty moments, several a run: as many as it takes until it is not killed any more."""
    expected, seconds = undisturbed
    moments = random.Random(0)
    kills, number = 0, 0
    while kills < 20:
        config = configure(*KILLABLE, "resume=auto", f"tracking.experiment=kills-{number}")
        while kills < 20 and killed.train_for(config, moments.uniform(0.2, 1.0) * seconds):
            kills += 1
        run_id = train(config)
        assert runs(config) == [run_id]
        assert outcome(config, run_id) == expected
        number += 1


@pytest.mark.slow
def test_what_a_kill_at_the_very_end_leaves_behind_is_cleared_away(undisturbed, configure):
    config = configure(*KILLABLE, "resume=auto")
    killed.train_until(config, "finished", 1)
    assert outcome(config, train(config)) == undisturbed[0]


@pytest.mark.slow
def test_an_epochs_best_weights_are_written_whole_or_not_at_all(undisturbed, configure):
    config = configure(*KILLABLE, "resume=auto")
    killed.train_until(config, "best weights", 1)
    assert outcome(config, train(config)) == undisturbed[0]


@pytest.mark.parametrize(
    "more",
    [
        ("model.backbone=tf_efficientnet_lite0", "model.trainable=head", "model.drop_rate=0"),
        ("trainer.workers=2",),
        ("trainer.sampling=by_target", "trainer.precision=bf16"),
    ],
)
@pytest.mark.slow
def test_so_does_every_way_to_train(tmp_path_factory, configure_in, more: tuple[str, ...]):
    whole = configure_in(tmp_path_factory.mktemp("whole"), *KILLABLE, *more)
    expected = outcome(whole, train(whole))
    config = configure_in(tmp_path_factory.mktemp("killed"), *KILLABLE, *more, "resume=auto")
    killed.train_until(config, "epoch logged", 2)
    killed.train_until(config, "state", 3)
    assert outcome(config, train(config)) == expected


def test_a_finished_run_says_so(undisturbed, finished, capsys):
    config, run_id = finished
    for reference in ("auto", run_id, run_id[:12]):
        config.resume = reference
        assert train(config) == run_id
        told = capsys.readouterr().out
        assert "finished already" in told
        assert told.splitlines()[-1] == f"run {run_id}"
    assert runs(config) == [run_id]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, configure_in):
    config = configure_in(tmp_path_factory.mktemp("finished"), "trainer.epochs=1", "tracking.register=never")
    return config, train(config)


def test_auto_begins_a_run_where_there_is_none_of_this_seed(finished, configure_in, capsys):
    config, run_id = finished
    other = configure_in(
        Path(config.tracking.home), "trainer.epochs=1", "tracking.register=never", "seed=1", "resume=auto"
    )
    other_id = train(other)
    assert other_id != run_id
    assert "resume=auto: there is no unfinished run" in capsys.readouterr().out
    opened(other).client.delete_run(other_id)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "optimizer.lr=0.1",
            r"another config_hash: optimizer\.lr=0\.1 \(the run: 0\.0005\).*allowed: the command that",
        ),
        ("seed=7", r"another seed: seed=7 \(the run: 0\)"),
        ("split.validation_fraction=0.5", r"another config_hash and certificate: "),
        ("resume=nosuchrun", r"nosuchrun"),
    ],
)
def test_another_command_is_refused(finished, configure_in, override: str, words: str):
    config, run_id = finished
    other = configure_in(
        Path(config.tracking.home),
        "trainer.epochs=1",
        "tracking.register=never",
        f"resume={run_id}",
        override,
    )
    with pytest.raises(MammoscopeError, match=words):
        train(other)
    assert runs(config) == [run_id]


@pytest.mark.slow
def test_what_a_search_has_pruned_is_not_unfinished(configure, capsys):
    config = configure(*KILLABLE, "tracking.register=never")
    killed.train_until(config, "epoch logged", 2)
    (pruned,) = runs(config)
    store = opened(config)
    store.reap()
    store.client.set_tag(pruned, "pruned", "true")
    config.resume = pruned
    with pytest.raises(MammoscopeError, match=f"run {pruned} was pruned"):
        train(config)
    config.resume = "auto"
    assert train(config) != pruned
    assert "a new one begins" in capsys.readouterr().out


def test_a_run_that_lives_is_refused(configure):
    config = configure(*KILLABLE)
    killed.train_until(config, "epoch logged", 2)
    (run_id,) = runs(config)
    store = opened(config)
    run = store.find_run(run_id)
    life = take_life(run.folder)
    config.resume = run_id
    try:
        with pytest.raises(MammoscopeError, match=f"run {run_id}: a living process has it"):
            train(config)
    finally:
        life.release()
