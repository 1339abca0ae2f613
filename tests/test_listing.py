"""Every file of a tree, whatever stands in its way."""

import os
from pathlib import Path

import pytest

from mammoscope import listing
from mammoscope.listing import list_files


def paths(root: Path) -> list[str]:
    return [file.path for file in list_files(root)]


def test_files_come_in_the_same_order_with_size_and_time(tmp_path: Path):
    for path in ("b/2", "b/1", "a/x/y", "c", "a/x.dcm"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"123")
    assert paths(tmp_path) == ["c", "a/x.dcm", "a/x/y", "b/1", "b/2"]
    first = next(list_files(tmp_path))
    assert (first.size, first.mtime_ns) == (3, os.stat(tmp_path / "c").st_mtime_ns)


def test_links_are_followed_once_and_a_loop_of_them_ends(tmp_path: Path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "z").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "z" / "file").touch()
    (elsewhere / "other").touch()
    (root / "a").symlink_to(root / "z")  # keeps its own path: z/file
    (root / "z" / "loop").symlink_to(root)
    (root / "out").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(elsewhere)
    (root / "linked").symlink_to(elsewhere / "other")
    assert paths(root) == ["linked", "z/file", "out/other"]


def test_links_to_nowhere_are_files_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert [(f.path, f.size) for f in list_files(tmp_path)] == [("broken", -1), ("itself", -1)]


def test_a_folder_that_cannot_be_listed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "file").touch()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refusing)
    assert [(f.path, f.fault) for f in list_files(tmp_path)] == [
        ("closed", "the folder cannot be listed: Permission denied"),
        ("open/file", None),
    ]
