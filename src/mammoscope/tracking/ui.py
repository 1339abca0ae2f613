"""MLflow's UI over an embedded store, on this machine only."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.liveness import sigterm_raises
from mammoscope.tracking.store import TrackingStore
from mammoscope.tracking.view import ui_url

HOST = "127.0.0.1"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10


def serve_ui(store: TrackingStore, port: int) -> None:
    """Prints the link that opens the run table, and serves until Ctrl-C or SIGTERM.

    A store on a server has its UI there: then it prints the link and returns.
    """
    if store.location.database is None:
        print(ui_url(store.uri, store.experiment_id), flush=True)
        return
    server = start_server(store, port)
    try:
        with sigterm_raises():
            print(ui_url(f"http://{HOST}:{port}", store.experiment_id), flush=True)
            print("Ctrl-C ends it.", flush=True)
            server.wait()
        raise _ended(server, store)
    except KeyboardInterrupt:
        pass
    finally:
        stop_server(server)


def start_server(store: TrackingStore, port: int) -> subprocess.Popen[bytes]:
    """A running `mlflow server` that answers; what it says goes to ui.log in the store's folder.

    Raises MammoscopeError for a port that is taken or is none, and where the server does not come up.
    """
    _check_port(port)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store.uri, "--default-artifact-root", store.location.artifacts.as_uri()]
    command += ["--no-serve-artifacts", "--uvicorn-opts", "--log-level warning"]
    # Jobs would be eight more processes; the catalog of language models would be fetched from outside.
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_MODEL_CATALOG_URI": ""}
    with _log(store).open("wb") as log:
        # A session of its own: Ctrl-C is ours, and stop_server ends the workers with their parent.
        server = subprocess.Popen(
            command, cwd=store.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_up(server, store, port)
    except BaseException:
        stop_server(server)
        raise
    return server


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers, at once if they do not end by themselves within ten seconds."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise MammoscopeError(f"port={port}: allowed: 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise MammoscopeError(f"port={port}: {error.strerror} on {HOST}; allowed: a port that is free") from error


def _wait_until_up(server: subprocess.Popen[bytes], store: TrackingStore, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise _ended(server, store)
        with suppress(URLError, OSError), urlopen(f"http://{HOST}:{port}/health", timeout=2):
            return
        time.sleep(0.2)
    raise MammoscopeError(f"the MLflow server did not answer within {START_TIMEOUT_S} s: {_last_words(store)}")


def _ended(server: subprocess.Popen[bytes], store: TrackingStore) -> MammoscopeError:
    return MammoscopeError(f"the MLflow server ended with status {server.returncode}: {_last_words(store)}")


def _log(store: TrackingStore) -> Path:
    return store.folder / "ui.log"


def _last_words(store: TrackingStore) -> str:
    lines = _log(store).read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
