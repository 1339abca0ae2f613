"""Those files of trees that are DICOM, by what they begin with."""

import os
from pathlib import Path

import numpy as np
import pytest

from mammoscope.collection import files as module
from mammoscope.collection.files import check_root, list_dicom
from mammoscope.errors import MammoscopeError
from mammoscope.listing import ListedFile

from ..clinical import write_image

PIXELS = np.zeros((2, 2), np.uint16)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    closed = ListedFile("closed", -1, -1, "the folder cannot be listed: Permission denied")
    monkeypatch.setattr(module, "list_files", lambda root, seen: [closed, ListedFile("open/file", 0, 0)])
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "file").touch()
    found = list_dicom([tmp_path])
    assert [(e.code, e.path, e.reason) for e in found.refused] == [
        ("E-UNREADABLE", str(tmp_path / "closed"), "the folder cannot be listed: Permission denied")
    ]
    assert (found.files, found.others) == ((), 1)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(MammoscopeError, match="does not exist"):
        check_root(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(MammoscopeError, match="is not a folder"):
        check_root(tmp_path / "file")


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
