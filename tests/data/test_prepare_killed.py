"""A store survives a kill at any moment, is prepared by several at once or in parts, and says when there is no room."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mammoscope.config import ImageConfig
from mammoscope.data import prepare as prepare_module
from mammoscope.data import store as store_module
from mammoscope.data.cut import FilmWork
from mammoscope.data.prepare import missing_shards, plan_store, prepare_store, store_folder
from mammoscope.data.stock import find_damage
from mammoscope.data.store import INDEX, PreparedStore, open_store, shard_is_written
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, View

FULL = ImageConfig(name=ImageVariant.full, height_px=60, width_px=40)
FILMS = 8  # two shards of four

# Prepares the pickled work; each film takes `pause` seconds more, so that a kill finds it at work.
SCRIPT = """
import pickle, sys, time
from mammoscope.data import prepare_shards
from mammoscope.data.prepare import prepare_store
def say(line):
    print(line, flush=True)
root, folder, work, image, workers, pause, part = pickle.load(open(sys.argv[1], "rb"))
prepare_film = prepare_shards.prepare_film
def slowly(*arguments):
    print("film", flush=True)
    time.sleep(pause)
    yield from prepare_film(*arguments)
prepare_shards.prepare_film = slowly
store = prepare_store(root, folder, work, image, workers=workers, progress=lambda d, a: None, say=say, part=part)
print("finished" if store else "left", flush=True)
"""


@pytest.fixture
def work(catalog) -> tuple[FilmWork, ...]:
    return plan_store(catalog, AbnormalityKind.mass, View.CC, FULL)[:FILMS]


@pytest.fixture
def folder(tmp_path, phantom, work) -> Path:
    return store_folder(tmp_path / "store", phantom, AbnormalityKind.mass, View.CC, work, FULL)


@pytest.fixture
def start(tmp_path, phantom, folder, work):
    """Starts a process that prepares the store."""
    started: list[subprocess.Popen[str]] = []

    def _start(*, workers: int = 1, pause: float = 0.0, part: tuple[int, int] | None = None) -> subprocess.Popen[str]:
        told = tmp_path / f"told-{len(started)}"
        told.write_bytes(pickle.dumps((phantom, folder, work, FULL, workers, pause, part)))
        command = [sys.executable, "-c", SCRIPT, str(told)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def prepare(phantom: Path, folder: Path, work: tuple[FilmWork, ...]) -> PreparedStore | None:
    return prepare_store(phantom, folder, work, FULL, workers=1, progress=lambda d, a: None, say=print)


@pytest.mark.parametrize("films", [1, 3, 5])
def test_a_kill_costs_a_shard_and_nothing_else(phantom, folder, work, start, films):
    """Killed in the first shard, at its end, and in the second."""
    process = start(pause=0.2)
    for _ in range(films):
        assert process.stdout.readline() == "film\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert open_store(folder) is None
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000*") if shard_is_written(folder, 0)}
    assert bool(kept) == (films == 5)
    store = prepare(phantom, folder, work)
    assert [film.mammogram for film in store.films] == [w.mammogram.key for w in work]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list(folder.glob(".*"))
    assert list(find_damage(folder)) == []


def test_two_processes_share_the_shards(folder, work, start):
    """Neither makes what the other has made, and both end with the whole store."""
    said = [line for process in [start(pause=0.3), start(pause=0.3)] for line in process.communicate()[0].splitlines()]
    assert said.count("film") == FILMS
    assert said.count("finished") == 2
    assert len(open_store(folder).films) == FILMS


def test_the_work_of_a_killed_process_is_taken_over_by_one_that_waits(folder, start):
    first = start(pause=600)
    assert first.stdout.readline() == "film\n"
    second = start()
    waiting = "another process prepares 1 of the 2 shards of mass-CC; waiting for it\n"
    assert waiting in iter(second.stdout.readline, "")
    first.kill()
    assert second.communicate(timeout=300)[0].splitlines() == ["film"] * 4 + ["finished"]
    assert len(open_store(folder).films) == FILMS


def test_parts_make_the_same_store_in_any_order(phantom, tmp_path, folder, work):
    def part(number: int) -> PreparedStore | None:
        return prepare_store(
            phantom, folder, work, FULL, workers=1, progress=lambda d, a: None, say=print, part=(number, 2)
        )

    assert part(2) is None
    assert missing_shards(folder, FILMS) == (1, 2)
    assert not (folder / INDEX).exists()
    parts = part(1)
    whole = prepare(phantom, tmp_path / "other" / folder.parent.name / folder.name, work)
    assert parts.rows == whole.rows
    for one, other in zip(parts.shards, whole.shards, strict=True):
        np.testing.assert_array_equal(one, other)


def test_whoever_opens_finishes_what_parts_left(phantom, folder, work, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(prepare_module, "_finish", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(phantom, folder, work)
    assert open_store(folder) is None
    assert len(prepare(phantom, folder, work).films) == FILMS


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, with room for the first shard and no more."""
    place = tmp_path / "disk"
    place.mkdir()
    size = 150_000
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_no_room_is_said_and_what_was_written_is_used(phantom, work, small_disk):
    folder = store_folder(small_disk, phantom, AbnormalityKind.mass, View.CC, work, FULL)
    with pytest.raises(MammoscopeError, match=r"store\.root: cannot write .*No space left on device.*make room"):
        prepare(phantom, folder, work)
    assert shard_is_written(folder, 0)
    assert not shard_is_written(folder, 1)
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("shard-0000*")}
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert len(prepare(phantom, folder, work).films) == FILMS
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_no_room_for_a_shard_leaves_nothing_half_written(phantom, folder, work, monkeypatch):
    """As above, where no disk can be mounted."""
    save = store_module._save

    def full(path, array):
        if "masks" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return save(path, array)

    monkeypatch.setattr(store_module, "_save", full)
    with pytest.raises(MammoscopeError, match=r"No space left on device.*stays and is not made again"):
        prepare(phantom, folder, work)
    assert not list(folder.glob(".*"))
    monkeypatch.setattr(store_module, "_save", save)
    assert len(prepare(phantom, folder, work).films) == FILMS


@pytest.mark.slow
def test_random_kills_end_with_a_whole_store(phantom, folder, work, start):
    rng = np.random.default_rng(0)
    for _ in range(6):
        process = start(workers=2, pause=0.05)
        time.sleep(rng.uniform(0.5, 4))
        process.kill()
        process.communicate()
    assert len(prepare(phantom, folder, work).films) == FILMS
    assert list(find_damage(folder)) == []
