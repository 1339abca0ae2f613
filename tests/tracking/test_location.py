import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.location import check_database, locate


def test_a_relative_file_is_bound_to_the_directory_of_now(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    location = locate("sqlite:///mlruns/mlflow.db", Path("unused"))
    monkeypatch.chdir("/")
    assert location.database == tmp_path / "mlruns/mlflow.db"
    assert location.uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert (location.folder, location.artifacts) == (tmp_path / "mlruns", tmp_path / "mlruns/artifacts")
    assert not location.folder.exists()


def test_a_server_leaves_the_runs_folders_at_home(tmp_path: Path):
    location = locate("https://tracking.example:5000/", tmp_path)
    assert (location.uri, location.folder, location.database) == ("https://tracking.example:5000", tmp_path, None)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "mlruns",
        "file:///srv/mlruns",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "databricks",
        "postgresql://h/d",
        "sqlite:///a?mode=ro",
        "sqlite:///a%20b",
        "ftp://h",
        "http:/h",
    ],
)
def test_what_is_no_place_for_runs_is_refused_with_what_is(uri: str, tmp_path: Path):
    with pytest.raises(MammoscopeError, match=r"tracking\.uri=.*allowed: sqlite:///<file>") as error:
        locate(uri, tmp_path)
    assert f"tracking.uri={uri}:" in str(error.value)


def write_table(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE studies (x)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: file.write_bytes(b"not a database at all, but long enough"), "is not an SQLite database"),
        (lambda file: file.write_bytes(b"x"), "is not an SQLite database"),
        (lambda file: file.mkdir(), "is not a file"),
        (lambda file: file.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000), "cannot be opened for writing"),
        (write_table, "is a database of another program, with tables studies"),
    ],
)
def test_a_file_that_is_no_database_of_mlflow_is_refused_at_once(make, said: str, tmp_path: Path):
    file = tmp_path / "mlflow.db"
    make(file)
    with pytest.raises(MammoscopeError, match=said):
        check_database(locate(f"sqlite:///{file}", tmp_path))


def test_an_absent_and_an_empty_file_are_yet_to_be_made(tmp_path: Path):
    location = locate(f"sqlite:///{tmp_path}/mlflow.db", tmp_path)
    assert not check_database(location)
    (tmp_path / "mlflow.db").touch()
    assert not check_database(location)


DIES_IN_A_TRANSACTION = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=1")  # so that pages are in the file before the transaction ends
connection.execute("BEGIN")
for number in range(500):
    connection.execute("INSERT INTO experiments VALUES (?, ?)", (number, "x" * 2000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_half_done_is_taken_back(tmp_path: Path):
    """To read on means to write first, which a connection that only reads cannot."""
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("CREATE TABLE experiments (experiment_id, name)")
    died = subprocess.run([sys.executable, "-c", DIES_IN_A_TRANSACTION, str(file)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert (tmp_path / "mlflow.db-journal").stat().st_size
    assert check_database(locate(f"sqlite:///{file}", tmp_path))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (0,)
