"""A training whose tracking server goes: it ends well, and what it made is sent when the server is back."""

import signal
from collections.abc import Iterator

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.jobs import fit as fit_module
from mammoscope.jobs.registration import Registration, register_kept, register_or_keep
from mammoscope.jobs.tracking import sync_runs
from mammoscope.jobs.train import train
from mammoscope.tracking import run as run_module
from mammoscope.tracking.outage import StoreAway
from mammoscope.tracking.store import open_store

from ..mlflow_server import Server


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(run_module, "PATIENCE_S", 3)
    monkeypatch.setattr(run_module, "LAST_TRY_S", 1)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_training_outlives_its_server(configure, server: Server, impatient, monkeypatch, capsys, tmp_path):
    config = configure(f"tracking.uri={server.url}", "trainer.epochs=3")
    log_epoch = fit_module._log_epoch

    def kill_in_the_second(tracker, epoch, *rest):
        if epoch.number == 1:
            server.signal(signal.SIGKILL)
        log_epoch(tracker, epoch, *rest)

    monkeypatch.setattr(fit_module, "_log_epoch", kill_in_the_second)
    run_id = train(config)
    told = capsys.readouterr().out
    name = "phantom-mammoscope-mass-roi-both-malignancy"
    for words in (
        "does not answer (connection refused): ",
        f"{name} is not registered",
        "entries wait for",
        "not compared with a frozen head",
    ):
        assert told.count(words) == 1, told
    assert told.count("`mammoscope runs --sync`") == 2

    server.start()
    sync_runs(config.tracking)
    told = capsys.readouterr().out.splitlines()
    assert [line.startswith(f"run {run_id}: ") and line.endswith("entries sent") for line in told] == [True, False]
    assert told[1] == f"registered {name}, version 1"
    store = open_store(server.url, "mammoscope", home=tmp_path)
    run = store.find_run(run_id)
    assert run.status == "FINISHED"
    assert run.metrics["kept/epoch"] in (0, 1, 2)
    assert [row.step for row in store.client.get_metric_history(run_id, "epoch/train/loss")] == [0, 1, 2]
    assert store.artifact(run_id, "predictions/validation.parquet").is_file()
    assert "ideal observer" in run.description
    sync_runs(config.tracking)
    assert capsys.readouterr().out == "nothing waits to be sent\n"


def test_a_package_that_waits_is_registered_once(tmp_path, monkeypatch, capsys, impatient):
    store = open_store(f"sqlite:///{tmp_path}/mlflow.db", "test", home=tmp_path)
    tracker = store.start_run("a run", {})
    package = tmp_path / "package"
    package.mkdir()
    (package / "MLmodel").write_text("flavors: {}\n")
    registration = Registration("phantom-m", {"certificate": "c"}, "a sentence", is_phantom=True)
    with monkeypatch.context() as context:
        context.setattr(type(tracker), "flush", lambda self: 1)
        register_or_keep(store, tracker, package, registration)
    assert "phantom-m is not registered: tracking.uri=sqlite" in capsys.readouterr().out
    tracker.finish("FINISHED")
    with monkeypatch.context() as context:

        def away(*_: object, **__: object) -> None:
            raise StoreAway("gone")

        context.setattr(store.client, "create_logged_model", away)
        assert register_kept(store) == 1
    kept = tracker.folder / "registration"
    facts = (kept / "registration.json").read_text()
    assert register_kept(store) == 0
    assert not kept.exists()
    kept.mkdir()  # as if the process had died before it could say so
    (kept / "registration.json").write_text(facts)
    assert register_kept(store) == 0
    assert [version.version for version in store.client.search_model_versions("name = 'phantom-m'")] == [1]


def test_a_sync_that_leaves_something_says_so(configure, monkeypatch, impatient):
    config = configure()
    store = open_store(config.tracking.uri, config.tracking.experiment, home=config.tracking.home)
    tracker = store.start_run("a run", {})
    tracker.let_go()
    monkeypatch.setattr("mammoscope.jobs.tracking.register_kept", lambda store: 1)
    with pytest.raises(MammoscopeError, match="0 entries of runs and 1 packages still wait"):
        sync_runs(config.tracking)
