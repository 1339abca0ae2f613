"""One catalog for a tree that does not change, however many want it."""

import multiprocessing
import os
from pathlib import Path

import pytest
from filelock import FileLock

import mammoscope.catalog.cache as cache
from mammoscope.catalog.cache import load_catalog
from mammoscope.catalog.tables import ABNORMALITIES, MAMMOGRAMS
from mammoscope.errors import MammoscopeError


@pytest.fixture
def indexings(monkeypatch):
    """How often a tree was indexed."""
    calls = []
    join_tree = cache.join_tree
    monkeypatch.setattr(cache, "join_tree", lambda tree, *parts: (calls.append(tree), join_tree(tree, *parts))[1])
    return calls


def test_the_second_time_no_header_is_read(make_tree, tmp_path, indexings):
    root = make_tree().root
    first = load_catalog(root, tmp_path / "cache")
    assert load_catalog(root, tmp_path / "cache") == first
    assert len(indexings) == 1


def test_any_change_of_the_tree_is_seen(make_tree, tmp_path, indexings):
    tree = make_tree()
    first = load_catalog(tree.root, tmp_path / "cache")
    mask = next(path for name, path in tree.files.items() if name.endswith("mask"))
    os.utime(mask, ns=(1, 1))
    assert load_catalog(tree.root, tmp_path / "cache") == first
    mask.unlink()
    assert load_catalog(tree.root, tmp_path / "cache").digest != first.digest
    assert len(indexings) == 3


def test_a_damaged_copy_is_made_again(make_tree, tmp_path, indexings):
    root, said = make_tree().root, []
    first = load_catalog(root, tmp_path / "cache")
    table = next((tmp_path / "cache").glob(f"*/{ABNORMALITIES}"))
    table.write_bytes(b"PAR1")
    assert load_catalog(root, tmp_path / "cache", say=said.append) == first
    assert "damaged" in said[0]
    assert load_catalog(root, tmp_path / "cache") == first
    assert len(indexings) == 2


def test_a_refused_tree_is_not_remembered(make_tree, tmp_path, indexings):
    tree = make_tree()
    row = next(iter(tree.rows.values()))[0]
    row["assessment"] = "x"
    tree.write_csvs()
    for _ in range(2):
        with pytest.raises(MammoscopeError, match="assessment"):
            load_catalog(tree.root, tmp_path / "cache")
    row["assessment"] = "4"
    tree.write_csvs()
    assert load_catalog(tree.root, tmp_path / "cache").abnormalities


def test_the_cache_never_lies_in_the_tree(make_tree, tmp_path):
    root = make_tree().root
    (tmp_path / "link").symlink_to(root)
    for folder in (root, root / "cache", tmp_path / "link" / "cache"):
        with pytest.raises(MammoscopeError, match=r"store\.root: .* lies in source\.root"):
            load_catalog(root, folder)
    assert not (root / "cache").exists()


def test_a_cache_that_cannot_be_written(make_tree, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MammoscopeError, match=r"store\.root: .* cannot be written"):
        load_catalog(make_tree().root, tmp_path / "file")


def _load_when_told(root: Path, cache_dir: Path, log: Path, start) -> None:
    join_tree = cache.join_tree

    def logged(tree, *parts):
        with open(log, "a") as file:
            file.write("indexed\n")
        return join_tree(tree, *parts)

    cache.join_tree = logged
    start.wait()
    digest = load_catalog(root, cache_dir, workers=1).digest
    with open(log, "a") as file:
        file.write(f"{digest}\n")


def test_eight_processes_index_once(make_tree, tmp_path):
    root, log = make_tree().root, tmp_path / "log"
    context = multiprocessing.get_context("fork")
    start = context.Barrier(8)
    arguments = (root, tmp_path / "cache", log, start)
    processes = [context.Process(target=_load_when_told, args=arguments) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 8
    lines = log.read_text().split()
    assert lines.count("indexed") == 1
    assert len(lines) == 9
    assert len(set(lines)) == 2


def test_who_waits_says_so(make_tree, tmp_path):
    tree = make_tree()
    load_catalog(tree.root, tmp_path / "cache")
    lock = FileLock(next((tmp_path / "cache").glob("*.lock")))
    next((tmp_path / "cache").glob(f"*/{MAMMOGRAMS}")).unlink()  # as long as another process is at it
    said = []

    def say(words: str) -> None:
        said.append(words)
        lock.release()

    lock.acquire()
    load_catalog(tree.root, tmp_path / "cache", say=say)
    assert said == ["another process indexes this source; waiting for it"]


def test_a_catalog_that_is_there_needs_no_right_to_write(make_tree, tmp_path, monkeypatch):
    root = make_tree().root
    first = load_catalog(root, tmp_path / "cache")
    monkeypatch.setattr(cache, "FileLock", lambda *a: pytest.fail("a lock was asked for"))
    assert load_catalog(root, tmp_path / "cache") == first
