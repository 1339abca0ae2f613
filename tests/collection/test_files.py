"""Every file of a tree, whatever stands in its way; and those that are DICOM, by what they begin with."""

import os
from pathlib import Path

import numpy as np
import pytest

from mammoscope.collection import files as module
from mammoscope.collection.files import list_dicom, list_files
from mammoscope.errors import MammoscopeError

from ..clinical import write_image

PIXELS = np.zeros((2, 2), np.uint16)


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

    monkeypatch.setattr(module.os, "scandir", refusing)
    assert [(f.path, f.fault) for f in list_files(tmp_path)] == [
        ("closed", "the folder cannot be listed: Permission denied"),
        ("open/file", None),
    ]
    found = list_dicom([tmp_path])
    assert [(e.code, e.path, e.reason) for e in found.refused] == [
        ("E-UNREADABLE", str(tmp_path / "closed"), "the folder cannot be listed: Permission denied")
    ]
    assert (found.files, found.others) == ((), 1)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(MammoscopeError, match="does not exist"):
        paths(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(MammoscopeError, match="is not a folder"):
        paths(tmp_path / "file")


def test_dicom_by_content_and_by_name_in_order_and_each_once(tmp_path: Path):
    tree = tmp_path / "tree"
    plain, named = write_image(tree / "b" / "IM0001", PIXELS), write_image(tree / "a.dcm", PIXELS)
    pretended = tree / "c" / "x.DCM"
    pretended.parent.mkdir()
    pretended.write_bytes(b"no DICOM")
    (tree / "notes.txt").write_text("DICM")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(tree)
    found = list_dicom([tree, plain, tree / "b", tmp_path / "elsewhere"])
    assert found.files == (named, plain, pretended)
    assert (found.others, found.refused) == (1, ())


def test_a_pipe_does_not_keep_us_waiting_and_absent_paths_are_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    assert list_dicom([tmp_path]).others == 2
    with pytest.raises(MammoscopeError, match="no such file or folder"):
        list_dicom([tmp_path / "absent"])
