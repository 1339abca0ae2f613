"""`mammoscope dicom export`: one table, exit status, and going on after any end."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from mammoscope.cli.__main__ import _main
from mammoscope.errors import MammoscopeError
from mammoscope.jobs import dicom_export

from ..clinical import breast, write_image


def export(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["mammoscope", "dicom", "export", *map(str, words)])
    try:
        _main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("a", "b/1", "b/2"):
        write_image(root / f"{name}.dcm", breast(), PatientID="P", ImageLaterality="L", ViewPosition="CC")
    write_image(root / "c.dcm", np.stack([breast()] * 3))
    (root / "notes.txt").write_text("no DICOM")
    return root


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "metadata.parquet").to_pylist()


def images(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "images").iterdir()}


def test_a_tree_becomes_images_and_two_tables_that_say_the_same(tree: Path, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert export(monkeypatch, tree, "-o", out) == 0
    found = rows(out)
    assert [row["path"] for row in found] == ["a.dcm", *["c.dcm"] * 3, "b/1.dcm", "b/2.dcm"]
    assert {row["image"] for row in found} == set(images(out))
    with open(out / "metadata.csv", newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in found]
    assert (out / "refused.csv").read_text() == "code,path,reason\n"
    assert "left out: 1 files that are no DICOM" in capsys.readouterr().out


def test_what_cannot_be_exported_is_listed_and_the_status_says_so(tree: Path, tmp_path, monkeypatch, capsys):
    (tree / "b/2.dcm").write_bytes((tree / "b/2.dcm").read_bytes()[:-100])
    (tree / "z.dcm").write_bytes(b"\0" * 200)
    out = tmp_path / "out"
    assert export(monkeypatch, tree, "-o", out) == 1
    said = capsys.readouterr().out
    assert "E-TRUNCATED" in said
    assert "2 files could not be exported" in said
    with open(out / "refused.csv", newline="", encoding="utf-8") as file:
        assert [(row["code"], Path(row["path"]).name) for row in csv.DictReader(file)] == [
            ("E-NOT-DICOM", "z.dcm"),
            ("E-TRUNCATED", "2.dcm"),
        ]
    assert len(rows(out)) == len(images(out)) == 5
    # mended: only what was missing is done
    before = images(out)
    write_image(tree / "b/2.dcm", breast(), PatientID="P")
    (tree / "z.dcm").unlink()
    assert export(monkeypatch, tree, "-o", out) == 0
    assert {name: images(out)[name] for name in before} == before
    assert len(rows(out)) == 6


def test_it_goes_on_where_it_was_interrupted_and_after_a_torn_line(tree: Path, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    real, left = dicom_export.Journal.add, 2

    def interrupted(self, *words):
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        real(self, *words)

    monkeypatch.setattr(dicom_export.Journal, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(monkeypatch, tree, "-o", out)
    assert not (out / "metadata.parquet").exists()
    monkeypatch.setattr(dicom_export.Journal, "add", real)
    (out / "images" / ".half.png.1-2").write_bytes(b"")
    with open(out / "export.jsonl", "ab") as journal:
        journal.write(b'{"path": "b/2.dcm", "size": 1')
    assert export(monkeypatch, tree, "-o", out) == 0
    assert "2 of 4 files are exported already" in capsys.readouterr().out
    assert len(rows(out)) == len(images(out)) == 6
    assert [json.loads(line)["path"] for line in (out / "export.jsonl").read_text().splitlines()[1:]] == [
        "a.dcm",
        "c.dcm",
        "b/1.dcm",
        "b/2.dcm",
    ]


def test_two_do_not_export_into_one_folder(tree: Path, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(MammoscopeError, match="another process exports into it"):
        export(monkeypatch, tree, "-o", out)
    assert export(monkeypatch, tree, "-o", out) == 0


def test_a_file_that_changed_and_an_image_that_is_gone_are_made_again(tree: Path, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export(monkeypatch, tree, "-o", out)
    write_image(tree / "a.dcm", breast(70, 40), PatientID="P", ImageLaterality="L", ViewPosition="CC")
    gone = next(row["image"] for row in rows(out) if row["path"] == "b/1.dcm")
    (out / "images" / gone).unlink()
    (tree / "c.dcm").unlink()
    before = images(out)
    assert export(monkeypatch, tree, "-o", out) == 0
    found = rows(out)
    assert [(row["path"], row["rows"]) for row in found] == [("a.dcm", 70), ("b/1.dcm", 60), ("b/2.dcm", 60)]
    again = {name for name, time in images(out).items() if before.get(name) != time}
    assert again == {found[0]["image"], gone}


def test_a_place_that_holds_something_else_is_refused(tree: Path, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export(monkeypatch, tree, "-o", out)
    with pytest.raises(MammoscopeError, match=r"format=png.* this one is with format=npy"):
        export(monkeypatch, tree, "-o", out, "--format", "npy")
    with pytest.raises(MammoscopeError, match="never written to"):
        export(monkeypatch, tree, "-o", tree / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").write_text("")
    with pytest.raises(MammoscopeError, match="holds something else"):
        export(monkeypatch, tree, "-o", tmp_path / "other")
    with pytest.raises(MammoscopeError, match="is no folder"):
        export(monkeypatch, tree / "a.dcm", "-o", tmp_path / "new")


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tree: Path, tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_export, "_WORTH_A_POOL", 0)
    for workers in (1, 2):
        assert export(monkeypatch, tree, "-o", tmp_path / str(workers), "--workers", workers) == 0
    assert rows(tmp_path / "1") == rows(tmp_path / "2")
    for name in images(tmp_path / "1"):
        one, two = (tmp_path / workers / "images" / name for workers in "12")
        assert one.read_bytes() == two.read_bytes()
