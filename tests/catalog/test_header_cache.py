"""A tree that was read before: only what has changed is opened again."""

import os

import pytest

import mammoscope.catalog.headers as headers
from mammoscope.catalog.cache import load_catalog
from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.errors import DicomError


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The files that were opened, by their names in the tree."""
    names: list[str] = []
    read_header = headers.read_header
    monkeypatch.setattr(headers, "read_header", lambda path: (names.append(str(path)), read_header(path))[1])
    return names


def test_a_second_run_opens_only_what_has_changed(make_tree, tmp_path, opened):
    tree = make_tree()
    load_catalog(tree.root, tmp_path / "cache", workers=1)
    assert sorted(opened) == sorted(map(str, tree.files.values()))
    opened.clear()
    first, *others = tree.files.values()
    os.utime(first, ns=(1, 1))
    others[-1].unlink()
    catalog = load_catalog(tree.root, tmp_path / "cache", workers=1)
    assert opened == [str(first)]
    assert catalog == index_cbis_ddsm(tree.root, workers=1)


def test_refusals_are_remembered_and_told_again(make_tree, tmp_path, opened):
    tree = make_tree()
    first, *others = tree.files.values()
    first.write_bytes(b"<html>not found</html>")
    load_catalog(tree.root, tmp_path / "cache", workers=1)
    opened.clear()
    others[-1].unlink()
    catalog = load_catalog(tree.root, tmp_path / "cache", workers=1)
    assert not opened
    assert catalog == index_cbis_ddsm(tree.root, workers=1)
    assert "E-NOT-DICOM" in " ".join(defect.found for defect in catalog.defects)


def test_what_the_system_refused_is_tried_again(make_tree, tmp_path, monkeypatch):
    tree = make_tree()
    path = next(iter(tree.files.values()))
    read_header = headers.read_header

    def refuse(asked):
        if asked == path:
            raise DicomError("E-UNREADABLE", str(path), "Permission denied")
        return read_header(asked)

    monkeypatch.setattr(headers, "read_header", refuse)
    load_catalog(tree.root, tmp_path / "cache", workers=1)
    monkeypatch.undo()
    list(tree.files.values())[-1].unlink()
    assert load_catalog(tree.root, tmp_path / "cache", workers=1) == index_cbis_ddsm(tree.root, workers=1)


def test_an_interrupted_run_is_taken_up_where_it_stopped(make_tree, tmp_path, opened, monkeypatch):
    tree = make_tree()
    counted = headers.read_header

    def stop_at_the_third(path):
        if len(opened) == 2:
            raise KeyboardInterrupt
        return counted(path)

    monkeypatch.setattr(headers, "read_header", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        load_catalog(tree.root, tmp_path / "cache", workers=1)
    monkeypatch.setattr(headers, "read_header", counted)
    load_catalog(tree.root, tmp_path / "cache", workers=1)
    assert sorted(opened) == sorted(map(str, tree.files.values()))


def test_a_damaged_memory_is_read_anew(make_tree, tmp_path, opened):
    tree = make_tree()
    expected = load_catalog(tree.root, tmp_path / "cache", workers=1)
    (memory,) = (tmp_path / "cache").glob("headers-*.parquet")
    memory.write_bytes(memory.read_bytes()[:-9])
    opened.clear()
    path = next(iter(tree.files.values()))
    os.utime(path, ns=(1, 1))
    assert load_catalog(tree.root, tmp_path / "cache", workers=1) == expected
    assert len(opened) == len(tree.files)
