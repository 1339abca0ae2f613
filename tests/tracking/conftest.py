"""One database for the folder, an experiment for each test: making a database takes seconds, an experiment none."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mammoscope.tracking.store import TrackingStore, open_store

Open = Callable[[str], TrackingStore]
ACTORS = Path(__file__).with_name("actors.py")
SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Open:
    folder = tmp_path_factory.mktemp("a folder, with blanks # and 'quotes'")

    def opened(experiment: str) -> TrackingStore:
        return open_store(f"sqlite:///{folder}/mlflow.db", experiment, home=folder)

    return opened


@pytest.fixture
def store(embedded: Open, request: pytest.FixtureRequest) -> TrackingStore:
    return embedded(request.node.name)


@pytest.fixture
def actors(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts actors.py: one import of MLflow, then as many processes as there are roles."""

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(ACTORS), *arguments]
        return subprocess.Popen(command, env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}, text=True)

    return start


def said(file: Path, timeout_s: float = 120) -> dict[str, str]:
    """What an actor wrote, once it is there."""
    deadline = time.monotonic() + timeout_s
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} never came"
        time.sleep(0.05)
    return json.loads(file.read_text())
