"""A real server; what a person sees there is in test_view_browser.py."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.store import TrackingStore, open_store
from mammoscope.tracking.ui import serve_ui, start_server, stop_server

from ..mlflow_server import free_port
from .conftest import SOURCE


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_port(store: TrackingStore, port: int):
    with pytest.raises(MammoscopeError, match=f"port={port}: allowed: 1 to 65535"):
        start_server(store, port)


def test_a_port_that_is_taken(store: TrackingStore):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MammoscopeError, match=rf"port={port}: Address already in use on 127\.0\.0\.1; allowed: "):
            serve_ui(store, port)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("served")
    store = open_store(f"sqlite:///{folder}/mlflow.db", "mammoscope", home=folder)
    embedded_run = store.start_run("made before there was a server", {})
    embedded_run.finish("FINISHED")
    port = free_port()
    server = start_server(store, port)
    yield f"http://127.0.0.1:{port}", embedded_run.run_id
    stop_server(server)
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{port}/health")


@pytest.mark.slow
def test_a_store_on_a_server_does_what_an_embedded_one_does(served, tmp_path: Path):
    base, embedded_run = served
    store = open_store(base, "over http", home=tmp_path)
    assert open_store(base, "over http", home=tmp_path).experiment_id == store.experiment_id
    tracker = store.start_run("a run", {"data": "calc"}, {"device": "cpu"})
    assert tracker.folder == tmp_path / "runs" / tracker.run_id
    tracker.params({"lr": 0.1})
    tracker.metrics({"auc": 0.5, "bad": float("nan")}, 3)
    tracker.dataset("d", "0" * 64, "train", {})
    assert store.reap() == []
    assert open_store(base, "over http", home=tmp_path / "another").reap() == []
    tracker.flush()
    tracker.let_go()  # as if its process had died
    assert [run.id for run in store.reap()] == [tracker.run_id]
    found = store.find_run(tracker.run_id[:12])
    assert (found.status, found.metrics, found.params) == ("KILLED", {"auc": 0.5}, {"lr": "0.1"})
    assert "device: cpu" in store.artifact(found.id, "environment.txt").read_text()
    with pytest.raises(MammoscopeError, match=r"has no artifact nothing\.txt"):
        store.artifact(found.id, "nothing.txt")
    assert store.count_opening(found.id, "test", "c") == 1
    assert store.find_run(embedded_run).name == "made before there was a server"
    unwanted = store.start_run("never began", {})
    store.discard(unwanted)
    with pytest.raises(MammoscopeError, match="there is none"):
        store.find_run("never began")
    serve_ui(store, 1)  # prints the server's own link, and starts nothing


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_ui_and_its_server(store: TrackingStore, number: signal.Signals):
    port = free_port()
    script = (
        "import sys; from pathlib import Path; from mammoscope.tracking.store import open_store; "
        "from mammoscope.tracking.ui import serve_ui; "
        "serve_ui(open_store(sys.argv[1], 'x', home=Path('/')), int(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, store.uri, str(port)]
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(f"http://127.0.0.1:{port}/#/experiments/")
    process.send_signal(number)
    err = process.communicate(timeout=30)[1]
    assert (process.returncode, err) == (0 if number == signal.SIGINT else 143, "")
    with pytest.raises(URLError):
        urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
