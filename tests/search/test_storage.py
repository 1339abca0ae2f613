"""Where searches are kept: opened by many at once, mended after a kill, refused in the user's words."""

import re
import sqlite3
import time
from pathlib import Path

import pytest
from processes import ended, searched, started, told
from toy import plan_of

from mammoscope.errors import MammoscopeError
from mammoscope.search.search import Search
from mammoscope.search.storage import open_storage, without_password
from mammoscope.vocabulary import SamplerName

PROCESSES = 4
TRIALS = 24


def search_by_four(url: str, name: str) -> None:
    plan = plan_of(SamplerName.random, TRIALS, name=name)
    children = [started(searched, plan, url) for _ in range(PROCESSES)]
    assert [ended(child) for child in children] == [0] * PROCESSES
    rows = told(url, plan)
    assert [row[:2] for row in rows] == [(number, "COMPLETE") for number in range(TRIALS)]
    assert len({tuple(row[3].items()) for row in rows}) == TRIALS


def test_four_processes_make_an_sqlite_store_and_share_its_search(tmp_path: Path):
    search_by_four(f"sqlite:///{tmp_path}/new/searches.db", "shared")
    mode = sqlite3.connect(tmp_path / "new" / "searches.db").execute("PRAGMA journal_mode").fetchone()
    assert mode == ("wal",)


def test_four_processes_make_a_postgresql_store_and_share_its_search(postgresql: str):
    search_by_four(postgresql, "shared")


def test_four_processes_share_a_journal(tmp_path: Path):
    search_by_four(f"journal:///{tmp_path}/searches.log", "shared")


def test_a_torn_last_line_is_mended(tmp_path: Path):
    url, plan = f"journal:///{tmp_path}/searches.log", plan_of(SamplerName.random, 3)
    searched(plan, url)
    whole = (tmp_path / "searches.log").read_bytes()
    (tmp_path / "searches.log").write_bytes(whole + b'{"op_code": 5, "worker_id": "half a li')
    assert len(told(url, plan)) == 3
    assert (tmp_path / "searches.log").read_bytes().startswith(whole)
    searched(plan_of(SamplerName.random, 5), url)
    assert len(told(url, plan)) == 5


def test_a_kill_while_a_journal_is_written_holds_nobody_up(tmp_path: Path):
    url, plan = f"journal:///{tmp_path}/searches.log", plan_of(SamplerName.random, 12)
    for after_s in (0.1, 0.15, 0.2, 0.3):
        ended(started(searched, plan, url, after_s))
    began = time.monotonic()
    assert ended(started(searched, plan, url)) == 0
    assert time.monotonic() - began < 25  # Optuna's own locks wait 30 s for a dead owner
    assert [row[1] for row in told(url, plan)] == ["COMPLETE"] * 12


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://host/db", "not a place where searches can be kept"),
        ("sqlite:///:memory:", "not a file that a search can be kept in"),
        ("postgresql://searcher:secret@127.0.0.1:1/none", "does not answer"),
        ("journal:///", "not a file that a search can be kept in"),
    ],
)
def test_what_is_no_store_is_refused(url: str, reason: str):
    with pytest.raises(MammoscopeError, match=rf"search\.storage=.*{reason}.*; allowed: sqlite:///") as refusal:
        open_storage(url)
    assert "secret" not in str(refusal.value)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no database, and no journal\n" * 100)
    for scheme in ("sqlite", "journal"):
        with pytest.raises(MammoscopeError, match=re.escape("notes.txt")):
            open_storage(f"{scheme}:///{tmp_path}/notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "no database, and no journal\n" * 100


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MammoscopeError, match="cannot be made"):
        open_storage(f"sqlite:///{tmp_path}/file/searches.db")


def test_a_study_of_somebody_else_is_left_alone(tmp_path: Path):
    import optuna

    url = f"sqlite:///{tmp_path}/searches.db"
    storage = open_storage(url)
    optuna.create_study(study_name="toy", storage=storage.optuna).add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(MammoscopeError, match="a study of this name that is not ours"):
        Search(plan_of(SamplerName.random, 3), storage, {})


def test_a_password_is_never_shown():
    assert without_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
