"""A tree verified: the lines, the order, the report, the exit; and going on after an interruption."""

import csv
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydicom.uid import JPEGLSLossless

from mammoscope.cli.__main__ import main
from mammoscope.collection.verify import journal_file, read_journal, verify_files
from mammoscope.config import PhantomConfig
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.frames import decoders_check
from mammoscope.dicom.frames.decoders_check import DecoderCheck
from mammoscope.phantom import write_phantom
from mammoscope.pool import ALONE, open_pool

from ..clinical import write_image
from ..dicom.images import compressed, written

CONFIG = PhantomConfig(patients=24, seed=2, d_prime=2.0, height_px=128, width_px=96, test_fraction=0.3)

Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("verify") / "phantom"
    write_phantom(root, CONFIG, workers=1)
    return root


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, list[str]]:
        arguments = ["mammoscope", "dicom", "verify", *map(str, words), "--store", f"{tmp_path}/store"]
        monkeypatch.setattr("sys.argv", arguments)
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return status, (captured.out + captured.err).strip().splitlines()

    return run


def test_the_phantom_passes_with_the_warning_that_the_real_files_have(phantom: Path, run: Run):
    status, lines = run(phantom, "--workers", "1")
    files = sorted(phantom.rglob("*.dcm"))
    assert status == 0
    assert lines[: len(files)] == [
        f"W-VM {file} PatientOrientation has 1 value; the standard wants 2" for file in files
    ]
    assert lines[-1].startswith(f"{len(files)} files: 0 with errors, {len(files)} with warnings; ")
    assert any(line.split()[:3] == ["W-VM", str(len(files)), str(len(files))] for line in lines)
    assert run(phantom, "--strict", "--workers", "1")[0] == 1


def test_every_file_is_told_of_whatever_it_is(phantom: Path, run: Run, tmp_path: Path):
    tree, film = tmp_path / "tree", next(phantom.rglob("*.dcm")).read_bytes()
    for name, content in (
        ("a.dcm", film[:-1]),
        ("b", film),
        ("c.DCM", b"GIF89a"),
        ("d.txt", b"GIF89a"),
        ("e\n\x1b[31m.dcm", b""),
    ):
        tree.mkdir(exist_ok=True)
        (tree / name).write_bytes(content)
    (tree / "loop").symlink_to(tree)
    (tree / "nowhere.dcm").symlink_to(tree / "absent")
    os.mkfifo(tree / "pipe.dcm")
    for output in ("report.csv", "report.parquet"):
        status, lines = run(tree, "-o", tmp_path / output)
        assert status == 1
        assert [line.split(f"{tree}/")[0] + line.split(f"{tree}/")[1][:2] for line in lines if f"{tree}/" in line] == [
            "E-TRUNCATED a.",
            "W-VM a.",
            "W-VM b ",
            "E-NOT-DICOM c.",
            "E-NOT-DICOM e\\",
            "E-UNREADABLE no",
            "E-UNREADABLE pi",
        ]
        assert any(line.startswith("6 files: 5 with errors, 2 with warnings; 1 others") for line in lines)
    with open(tmp_path / "report.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{**r, "times": str(r["times"])} for r in pq.read_table(tmp_path / "report.parquet").to_pylist()]
    assert [r["code"] for r in rows] == [line.split()[0] for line in lines if f"{tree}/" in line]


def test_it_goes_on_where_it_was_interrupted(phantom: Path, tmp_path: Path):
    files, journal = sorted(phantom.rglob("*.dcm"))[:9], journal_file(tmp_path, phantom)
    whole = list(verify_files(files, journal, ALONE))
    assert not journal.exists()
    begun = verify_files(files, journal, ALONE)
    first = list(islice(begun, 4))
    begun.close()
    kept = read_journal(journal)
    assert first == whole[:4]
    assert len(kept) == 4
    assert files[0].parts[-4] not in journal.read_text()  # a folder's name tells who the patient is
    journal.write_text(journal.read_text()[:-5])  # what a crash leaves
    assert len(read_journal(journal)) == 3
    assert list(verify_files(files, journal, ALONE)) == whole
    assert not journal.exists()


def test_a_file_that_has_changed_is_verified_again(phantom: Path, tmp_path: Path):
    file, journal = tmp_path / "a.dcm", tmp_path / "kept.jsonl"
    content = next(phantom.rglob("*.dcm")).read_bytes()
    file.write_bytes(content)
    begun = verify_files([file, file], journal, ALONE)
    assert [f.code for f in next(begun).findings] == ["W-VM"]
    begun.close()
    file.write_bytes(content[:-1])
    assert [f.code for f in next(verify_files([file], journal, ALONE)).findings] == ["E-TRUNCATED", "W-VM"]


def test_a_decoder_that_does_not_work_is_said_and_its_files_are_errors_until_it_does(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tree = tmp_path / "tree"
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    tree.mkdir()
    write_image(tree / "a.dcm", pixels)
    written(tree / "b.dcm", compressed(pixels, JPEGLSLossless, 12))
    check = decoders_check.decoders_self_test
    broken = DecoderCheck(JPEGLSLossless, "pyjpegls", "off by 20; allowed: 0")
    monkeypatch.setattr("mammoscope.jobs.dicom_verify.decoders_self_test", lambda isolated: [broken])
    status, lines = run(tree)
    said = "pyjpegls does not decode JPEG-LS Lossless Image Compression here (off by 20; allowed: 0)"
    assert status == 1
    assert lines[0] == f"decoders that do not work: {said}"
    assert next(line for line in lines if line.startswith("E-U")) == f"E-UNDECODABLE {tree / 'b.dcm'} {said}"
    assert not any(line.startswith("E-") and "a.dcm" in line for line in lines)
    journal = tmp_path / "journal"
    begun = verify_files([tree / "b.dcm"] * 2, journal, ALONE, {JPEGLSLossless: said})
    next(begun)
    begun.close()
    assert not read_journal(journal)
    monkeypatch.setattr("mammoscope.jobs.dicom_verify.decoders_self_test", check)
    status, lines = run(tree)
    assert status == 0
    assert not any("not decode" in line or "E-" in line for line in lines)


def test_several_processes_say_the_same(phantom: Path, tmp_path: Path):
    files = sorted(phantom.rglob("*.dcm"))[:70]
    alone = list(verify_files(files, tmp_path / "a", ALONE))
    with open_pool(2) as pool:
        assert list(verify_files(files, tmp_path / "b", pool)) == alone


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "ROOT is missing"),
        (["/nowhere"], "/nowhere: there is no such file or folder"),
        (["."], "holds no DICOM file; 0 others"),
        ([".", "-o", "/tmp/report.xlsx"], "allowed: a name that ends in .csv or .parquet"),
        ([".", "-o", "report.csv"], "-o report.csv lies in"),
        ([".", "--workers", "-1"], "--workers -1: allowed: 0 or more"),
    ],
)
def test_bad_words(run: Run, words: list[str], said: str):
    status, lines = run(*words)
    assert status == 1
    assert said in lines[-1]


def test_the_menu_of_codes(run: Run):
    status, lines = run("--codes")
    assert status == 0
    assert lines == [f"{code}  {meaning}" for code, meaning in CODES.items()]


def test_real_files_pass_with_warnings(shared: Path, run: Run):
    status, lines = run(shared / "data" / "cbis_ddsm" / "dicom_sample", "--workers", "1")
    assert status == 0
    assert {line.split()[0] for line in lines if line.startswith(("E-", "W-"))} == {"W-VM"}
    assert any(line.endswith("PatientOrientation has 1 value; the standard wants 2") for line in lines)
