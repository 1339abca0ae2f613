"""Workers that a launcher starts elsewhere, and one that does trial after trial without growing."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from mammoscope.search.owners import Owner, is_gone, owner_from
from mammoscope.search.trials import OWNER

from ..fork_server import SERVER
from . import searching


def states(home: Path, name: str) -> list[str]:
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{home}/searches.db")
    return [trial.state.name for trial in study.trials]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_workers_that_submitit_starts_do_the_search(phantom_root: Path, store_root: Path, tmp_path: Path):
    pytest.importorskip("submitit", reason="the extra slurm is not installed")
    command = searching.small(
        phantom_root,
        store_root,
        tmp_path,
        "search.name=submitted",
        "search.trials=4",
        "search.workers=2",
        "search.pruner=none",
        "hydra/launcher=submitit_local",
    )
    lines = searching.run(command, tmp_path / "printed")
    assert states(tmp_path, "submitted") == ["COMPLETE"] * 4
    assert lines[-1].startswith("best: trial ")
    jobs = tmp_path / "searches" / "submitted" / ".submitit"
    assert len({path.name.partition("_")[0] for path in jobs.rglob("*_log.out")}) == 2, "two jobs were submitted"


def _owners(home: Path, name: str) -> dict[int, Owner]:
    """Of the trials that are under way, by number; empty before there are any."""
    if not (home / "searches.db").exists():
        return {}
    try:
        study = optuna.load_study(study_name=name, storage=f"sqlite:///{home}/searches.db")
    except KeyError:
        return {}
    running = [trial for trial in study.trials if trial.state.name == "RUNNING"]
    found = {trial.number: owner_from(trial.system_attrs[OWNER]) for trial in running}
    return {number: owner for number, owner in found.items() if owner is not None}


def _wait_until(what: Callable[[], bool], seconds: float, printed: Path) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, printed.read_text()
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_whose_command_was_killed_stop_and_put_their_trials_back(
    phantom_root: Path, store_root: Path, tmp_path: Path
):
    printed, search = tmp_path / "printed", ("search.name=left", "search.trials=2", "search.workers=2")
    endless = searching.small(phantom_root, store_root, tmp_path, *search, "search.pruner=none", "trainer.epochs=5000")
    command = searching.start(endless, printed)
    _wait_until(lambda: len(_owners(tmp_path, "left")) == 2, 240, printed)
    owners = _owners(tmp_path, "left")
    assert command.pid not in {owner.pid for owner in owners.values()}
    command.kill()
    command.join()
    _wait_until(lambda: all(is_gone(owner) for owner in owners.values()), 60, printed)
    assert states(tmp_path, "left") == ["WAITING"] * 2


def _measure(file: Path) -> dict[str, float]:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    row = {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),
    }
    with file.open("a") as out:
        out.write(json.dumps(row) + "\n")
    return row


def _measured_command(overrides: list[str], printed: Path, file: Path) -> None:
    from mammoscope.jobs import searching as jobs

    whole = jobs.say_trial

    def measuring(claimed) -> None:
        _measure(file)
        whole(claimed)

    jobs.say_trial = measuring
    searching._command(["-m"], overrides, printed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_fifty_trials_of_one_worker_leave_memory_threads_and_files_flat(
    phantom_root: Path, store_root: Path, tmp_path: Path
):
    command = searching.small(
        phantom_root,
        store_root,
        tmp_path,
        "search.name=fifty",
        "search.trials=50",
        "search.pruner=none",
        "search.sampler=random",
        "trainer.epochs=1",
        "tracking.register=never",
    )
    file = tmp_path / "measured.jsonl"
    process = SERVER.Process(target=_measured_command, args=(command, tmp_path / "printed", file))
    process.start()
    process.join()
    assert process.exitcode == 0, (tmp_path / "printed").read_text()
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 50
    early, late = rows[29:35], rows[-6:]  # pictures, once a minute, open fonts
    for key, more in (("rss_mb", 25), ("threads", 1), ("files", 8)):
        before, after = (max(row[key] for row in some) for some in (early, late))
        assert after <= before + more, f"{key}: {before:.0f} after thirty trials, {after:.0f} after fifty"
