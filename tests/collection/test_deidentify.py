"""A tree de-identified: every file an output or a line with a code, killed and gone on with, nobody's name anywhere."""

import csv
import errno
import multiprocessing
import os
import re
import signal
import stat
from pathlib import Path

import pydicom
import pytest

from mammoscope.dicom.privacy.phi import audit_file
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.jobs import dicom_deidentify as job
from mammoscope.jobs.dicom_deidentify import DeidentifyOptions, deidentify
from mammoscope.listing import list_files

from ..dicom.privacy.planted import NUMBER, holds, plain, words, write, written_planted

_processes = multiprocessing.get_context("fork")


def tree(root: Path, files: int = 3) -> Path:
    for n in range(2, files + 2):
        day = "20150312" if n % 2 else "20160229"
        write(root / "Zybrandt_Wilhelmina" / day / f"{NUMBER}-{n}.dcm", plain(n, study_date=day))
    written_planted(root / "Zybrandt_Wilhelmina" / "IM1")
    return root


def options(folder: Path, **more: object) -> DeidentifyOptions:
    key = folder / "key"
    return DeidentifyOptions(key_file=key, draws_key=not key.exists(), workers=1, **more)


def content(dest: Path) -> dict[str, bytes]:
    return {f.path: (dest / f.path).read_bytes() for f in list_files(dest)}


def rejects(dest: Path) -> list[dict[str, str]]:
    with open(dest.with_name(f"{dest.name}.deidentify") / "rejects.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_planted_tree(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    root, dest = tree(tmp_path / "in"), tmp_path / "out"
    before = content(root)
    assert deidentify(root, dest, options(tmp_path))
    outputs = content(dest)
    assert len(outputs) == 4
    for path, after in outputs.items():
        assert [word for word in words() if holds(after, word) or holds(path.encode(), word)] == []
        assert audit_file(dest / path, path.split("/")) == ()
        assert re.fullmatch(r"T[0-9a-f]{6}_[0-9a-f]{12}/(2\.25\.\d+/){2}2\.25\.\d+\.dcm", path)
    beside = content(tmp_path / "out.deidentify")
    said = [*beside.values(), capfd.readouterr().out.encode()]
    key = (tmp_path / "key").read_bytes().strip()
    assert [word for word in [*words(), key] for text in said if holds(text, word)] == []
    assert not any(key in after for after in outputs.values())
    assert content(root) == before
    assert rejects(dest) == []
    assert deidentify(root, tmp_path / "again", options(tmp_path))
    assert content(tmp_path / "again") == outputs
    (tmp_path / "other").mkdir()
    assert deidentify(root, tmp_path / "otherwise", options(tmp_path / "other"))
    assert not content(tmp_path / "otherwise").keys() & outputs.keys()


def test_every_input_is_an_output_or_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    root, dest = tree(tmp_path / "in"), tmp_path / "out"
    (root / "letter.pdf").write_bytes(b"%PDF-1.7")
    (root / "list.csv").write_text("Zybrandt,1931\n")
    (root / "empty.dcm").touch()
    (root / "nowhere.dcm").symlink_to(root / "absent")
    os.mkfifo(root / "pipe.dcm")
    (root / "loop").symlink_to(root)
    write(root / "z" / "twice.dcm", plain(2, study_date="20160229"))
    unsaid = plain(9)
    del unsaid.BurnedInAnnotation
    write(root / "z" / "unsaid.dcm", unsaid)
    assert not deidentify(root, dest, options(tmp_path))
    assert {r["path"]: r["code"] for r in rejects(dest)} == {
        "letter.pdf": "E-NOT-DICOM",
        "list.csv": "E-NOT-DICOM",
        "empty.dcm": "E-NOT-DICOM",
        "nowhere.dcm": "E-UNREADABLE",
        "pipe.dcm": "E-UNREADABLE",
        "z/twice.dcm": "E-DUPLICATE-UID",
        "z/unsaid.dcm": "E-UNREVIEWED",
    }
    assert len(content(dest)) == 4
    assert "11 files: 4 de-identified" in capfd.readouterr().out
    assert not (dest / ".unfinished").exists()
    for private in (tmp_path / "out.deidentify" / "rejects.csv", tmp_path / "key"):
        assert stat.S_IMODE(os.stat(private).st_mode) == 0o600


def test_who_became_who_is_written_only_where_it_is_asked_for(tmp_path: Path):
    root, dest, mapping = tree(tmp_path / "in"), tmp_path / "out", tmp_path / "mapping.csv"
    assert deidentify(root, dest, options(tmp_path, shifts_dates=True))
    assert deidentify(root, dest, options(tmp_path, shifts_dates=True, mapping=mapping))  # of what was done before, too
    assert stat.S_IMODE(os.stat(mapping).st_mode) == 0o600
    with open(mapping, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    for row in rows:
        before, after = pydicom.dcmread(root / row["source"]), pydicom.dcmread(dest / row["target"])
        assert (row["patient_id"], row["pseudonym"]) == (before.PatientID, after.PatientID)
        assert (row["sop_uid"], row["new_sop_uid"]) == (before.SOPInstanceUID, after.SOPInstanceUID)
        assert (row["study_uid"], row["new_study_uid"]) == (before.StudyInstanceUID, after.StudyInstanceUID)
    assert len({row["days"] for row in rows}) == 1


def die_at(count: int, where: str, root: Path, dest: Path, given: DeidentifyOptions) -> None:
    import mammoscope.collection.deidentify as tree_module

    real, calls = getattr(tree_module, where), [0]

    def counted(*args: object) -> object:
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    setattr(tree_module, where, counted)
    deidentify(root, dest, given)


@pytest.mark.parametrize(("where", "count"), [("_place", 1), ("_place", 3), ("_write", 2), ("Done", 2)])
def test_a_run_that_was_killed_is_gone_on_with(tmp_path: Path, where: str, count: int):
    root, dest = tree(tmp_path / "in"), tmp_path / "out"
    assert deidentify(root, tmp_path / "whole", options(tmp_path))
    process = _processes.Process(target=die_at, args=(count, where, root, dest, options(tmp_path)))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    placed = {p: c for p, c in content(dest).items() if not p.startswith(".unfinished")}
    assert placed.items() <= content(tmp_path / "whole").items()  # what is there is whole
    with open(tmp_path / "out.deidentify" / "done.jsonl", "a") as journal:
        journal.write('["half a li')
    times = {p: os.stat(dest / p).st_mtime_ns for p in placed}
    assert deidentify(root, dest, options(tmp_path))
    assert content(dest) == content(tmp_path / "whole")
    journalled = len(placed) - (where == "Done")  # the last was in its place, and not yet noted
    assert sum(os.stat(dest / p).st_mtime_ns == t for p, t in times.items()) == journalled
    assert deidentify(root, dest, options(tmp_path))  # the journal is whole again


def test_what_is_done_is_not_done_again_and_what_is_new_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, dest = tree(tmp_path / "in"), tmp_path / "out"
    assert deidentify(root, dest, options(tmp_path))
    read = []
    real = job.Deidentifier.deidentify
    monkeypatch.setattr(job.Deidentifier, "deidentify", lambda *a: (read.append(a[1].name), real(*a))[1])
    assert deidentify(root, dest, options(tmp_path))
    assert read == []
    write(root / "new.dcm", plain(77))
    next(p for p in dest.rglob("*.dcm")).unlink()
    assert deidentify(root, dest, options(tmp_path))
    assert len(read) == 2
    assert len(content(dest)) == 5


def test_a_destination_is_made_with_one_key_and_one_way(tmp_path: Path):
    root, dest = tree(tmp_path / "in", 1), tmp_path / "out"
    assert deidentify(root, dest, options(tmp_path))
    (tmp_path / "other").mkdir()
    with pytest.raises(MammoscopeError, match="another key"):
        deidentify(root, dest, options(tmp_path / "other"))
    with pytest.raises(MammoscopeError, match="shifts_dates"):
        deidentify(root, dest, options(tmp_path, shifts_dates=True))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(MammoscopeError, match="did not write"):
        deidentify(root, tmp_path / "full", options(tmp_path))


def test_keys_that_are_refused(tmp_path: Path):
    root, dest, key = tree(tmp_path / "in", 1), tmp_path / "out", tmp_path / "key"
    with pytest.raises(MammoscopeError, match="--new-key"):
        deidentify(root, dest, DeidentifyOptions(key_file=key))
    for wrong in ("", "abc", "0" * 63, "g" * 64):
        key.write_text(wrong)
        key.chmod(0o600)
        with pytest.raises(MammoscopeError, match="is no key"):
            deidentify(root, dest, DeidentifyOptions(key_file=key))
    key.write_text("0" * 64)
    key.chmod(0o644)
    with pytest.raises(MammoscopeError, match="0600"):
        deidentify(root, dest, DeidentifyOptions(key_file=key))
    key.chmod(0o600)
    for name, given in (
        ("key-file", DeidentifyOptions(key_file=dest / "key", draws_key=True)),
        ("mapping", DeidentifyOptions(key_file=key, mapping=dest / "who.csv")),
        ("mapping", DeidentifyOptions(key_file=key, mapping=root / "who.csv")),
    ):
        with pytest.raises(MammoscopeError, match=name):
            deidentify(root, dest, given)
    for place in (root / "out", root.parent):
        with pytest.raises(MammoscopeError, match="DEST"):
            deidentify(root, place, DeidentifyOptions(key_file=key))
    assert not dest.exists()


def test_a_full_disk_is_no_fault_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, dest = tree(tmp_path / "in"), tmp_path / "out"

    def full(*args: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mammoscope.dicom.privacy.rewritten._pixel_element", lambda *args: map(full, [0]))
    with pytest.raises(MammoscopeError, match="No space left") as caught:
        deidentify(root, dest, options(tmp_path))
    assert not isinstance(caught.value, DicomError)
    monkeypatch.undo()
    assert deidentify(root, dest, options(tmp_path))


def test_several_processes_do_what_one_does(tmp_path: Path):
    root = tree(tmp_path / "in", 30)
    assert deidentify(root, tmp_path / "one", options(tmp_path))
    key = tmp_path / "key"
    process = _processes.Process(
        target=deidentify, args=(root, tmp_path / "two", DeidentifyOptions(key_file=key, workers=2))
    )
    process.start()
    process.join()
    assert content(tmp_path / "two") == content(tmp_path / "one")


def test_real_films(tmp_path: Path, shared: Path):
    sample = shared / "data" / "cbis_ddsm" / "dicom_sample"
    dest = tmp_path / "out"
    assert not deidentify(sample, tmp_path / "refused", options(tmp_path))
    assert {r["code"] for r in rejects(tmp_path / "refused")} <= {"E-UNREVIEWED", "E-NOT-DICOM"}
    deidentify(sample, dest, options(tmp_path, is_reviewed=True, shifts_dates=True))
    assert "E-UNREVIEWED" not in {r["code"] for r in rejects(dest)}
    sources = {pydicom.dcmread(p).PixelData for p in sample.rglob("*.dcm")}
    results = [pydicom.dcmread(p) for p in dest.rglob("*.dcm")]
    assert {d.PixelData for d in results} == sources
    assert all(audit_file(p, p.parts[-4:]) == () for p in dest.rglob("*.dcm"))
    assert {d.PatientOrientation for d in results} <= {"CC", "MLO"}
