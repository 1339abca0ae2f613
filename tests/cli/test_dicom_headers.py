"""`mammoscope dicom headers`: what it says, writes and refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mammoscope.cli.__main__ import _main
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.write import write_film
from mammoscope.errors import MammoscopeError

from ..films import CROP


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., list[str]]:
    """Runs it beside a tree of two films of one study and a text; returns the lines that it said."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        path = tmp_path / "tree" / f"{number}.dcm"
        path.parent.mkdir(exist_ok=True)
        header = replace(
            CROP,
            patient_id=f"P{number}",
            study_uid="1.2.1",
            series_uid=f"1.2.2.{number}",
            sop_uid=f"1.2.3.{number}",
            study_time="101112",
        )
        write_film(path, np.zeros((2, 2), np.uint16), header)
    (tmp_path / "tree" / "notes.txt").write_text("no DICOM")

    def run(*words: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["mammoscope", "dicom", "headers", *words, "--workers", "1"])
        _main()
        return capsys.readouterr().out.splitlines()

    return run


def test_it_says_what_it_found_and_where_it_wrote(run, tmp_path: Path):
    assert run("tree", "-o", "table.parquet", "--exclude", "Content*", "(0013,*") == [
        "2 rows, 41 columns, of 3 files",
        f"without a row: 1 x E-NOT-DICOM: {CODES['E-NOT-DICOM']}",
        f"anomalies: 1 x W-STUDY-PATIENTS: {CODES['W-STUDY-PATIENTS']}",
        "written: table.parquet; beside it table.census.parquet, table.anomalies.parquet, table.rejects.parquet",
    ]
    names = pq.read_schema(tmp_path / "table.parquet").names
    assert "StudyDate" in names
    assert not [name for name in names if name.startswith(("Content", "(0013"))]


def test_as_csv_with_some_columns(run, tmp_path: Path):
    run("tree", "-o", "table.csv", "--keywords", "PatientID", "Study*", "--same-pixels")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].endswith('"StudyDate","StudyTime","PatientID","StudyInstanceUID","StudyID"')
    assert lines[1].endswith('"2016-07-20","10:11:12","P1","1.2.1","DDSM"')
    assert "W-SAME-PIXELS" in (tmp_path / "table.anomalies.csv").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tree", "-o", "t.txt"], "-o t.txt: allowed: a name that ends in .parquet or .csv"),
        (["tree", "-o", "tree/t.csv"], "-o tree/t.csv lies in"),
        (["nowhere", "-o", "t.csv"], "ROOT=nowhere does not exist"),
        (["tree", "-o", "t.csv", "--keywords", "PatintID"], "--keywords PatintID: no keyword of the standard"),
        (["tree", "-o", "t.csv", "--workers", "-1"], "--workers -1: allowed: 0 or more"),
    ],
)
def test_what_it_refuses(run, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", ["mammoscope", "dicom", "headers", *words])
    with pytest.raises(MammoscopeError) as caught:
        _main()
    assert str(caught.value).startswith(said)
