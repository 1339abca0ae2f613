"""A tree as one table: rows, columns, order; killed and gone on with; as Parquet and as CSV."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from pydicom.dataset import Dataset

from mammoscope.collection import merge, reading
from mammoscope.collection.headers import HeadersResult, headers_table
from mammoscope.dicom.headers.row import RowReader
from mammoscope.dicom.headers.selection import Selection
from mammoscope.errors import MammoscopeError

Instance = Callable[..., Path]


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small tree has many shards, and they are merged in several levels."""
    monkeypatch.setattr(reading, "_MOST_FILES", 3)
    monkeypatch.setattr(reading, "_FEWEST_FILES", 3)
    monkeypatch.setattr(merge, "FAN_IN", 2)
    monkeypatch.setattr(merge, "_MOST_ROWS", 4)
    monkeypatch.setattr(merge, "_FEWEST_ROWS", 4)


def made(tmp_path: Path, name: str = "t.parquet", **options: object) -> HeadersResult:
    return headers_table(tmp_path / "tree", tmp_path / name, workers=1, **options)  # type: ignore[arg-type]


def column(tmp_path: Path, name: str) -> list[object]:
    return pq.read_table(tmp_path / "t.parquet")[name].to_pylist()


@pytest.mark.usefixtures("few_at_once")
def test_rows_are_sorted_by_patient_date_time_series_and_instance(instance: Instance, tmp_path: Path):
    wanted = []
    for patient in ("P1", "P2"):
        for study, (date, time) in enumerate((("20200101", "0900"), ("20200101", "1000"), ("20210101", None)), start=1):
            for series in (2, 10):
                for number in (1, 2, 11):
                    uid = f"1.2.{patient[1]}.{9 - study}"  # against the dates
                    wanted.append(f"{patient} {date} {time} {series} {number}")
                    name = f"{hash(wanted[-1]) % 97}/{number}-{series}-{study}-{patient}"  # in no order
                    instance(
                        name, PatientID=patient, StudyDate=date, StudyTime=time, SeriesNumber=series,
                        InstanceNumber=number, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.{series}",
                        StudyDescription=wanted[-1],
                    )  # fmt: skip
    result = made(tmp_path)
    assert result.rows == len(wanted) == 36
    assert column(tmp_path, "StudyDescription") == wanted


def test_pictures_of_one_patient_of_cbis_ddsm_stand_together_by_date(instance: Instance, tmp_path: Path):
    ids = ["Mass-Test_P_00002_LEFT_CC", "Calc-Training_P_00001_LEFT_CC_1", "Mass-Training_P_00001_RIGHT_MLO"]
    for number, patient in enumerate(ids):
        instance(f"{number}", PatientID=patient, StudyDate=f"2020010{number + 1}")
    made(tmp_path)
    assert column(tmp_path, "PatientID") == [ids[1], ids[2], ids[0]]


def test_duckdb_reads_it_with_its_types(instance: Instance, tmp_path: Path):
    d, item = Dataset(), Dataset()
    item.CodeValue = "R-10242"
    d.ViewCodeSequence = [item]
    d.private_block(0x0013, "OWN", create=True).add_new(0x10, "UN", b"CBIS")
    instance("a", d, StudyDate="20200229", StudyTime="101112.5", PatientWeight="70.50", ImageType=["A", "B"], Rows=12)
    made(tmp_path)
    table = str(tmp_path / "t.parquet")
    types = {row[0]: row[1] for row in duckdb.sql(f"describe select * from '{table}'").fetchall()}
    assert {name: types[name] for name in ("StudyDate", "StudyTime", "PatientWeight", "ImageType", "Rows")} == {
        "StudyDate": "DATE", "StudyTime": "TIME", "PatientWeight": "DOUBLE", "ImageType": "VARCHAR[]", "Rows": "BIGINT",
    }  # fmt: skip
    query = f"""select PatientWeight_original, "ViewCodeSequence[0].CodeValue", "(0013,xx10)[OWN]", StudyDate + 1
        from '{table}' where ImageType[2] = 'B'"""
    ((original, code, private, following),) = duckdb.sql(query).fetchall()
    assert (original, code, private, str(following)[:10]) == ("70.50", "R-10242", b"CBIS", "2020-03-01")
    field = pq.read_schema(table).field("ViewCodeSequence[0].CodeValue")
    assert field.metadata == {b"tag": b"(0054,0220)[0].(0008,0100)", b"vr": b"SH"}


@pytest.mark.usefixtures("few_at_once")
def test_columns_are_the_union_whatever_the_shards_hold(instance: Instance, tmp_path: Path):
    for number in range(12):
        d = Dataset()
        d.add_new(0x00091001, "LO" if number < 9 else "US", "text" if number < 9 else number)
        more = {"Rows": number} if number % 5 == 0 else {}
        image_type = ["A", "B"] if number == 7 else "A" if number < 7 else None
        instance(f"{number:02}", d, InstanceNumber=number, ImageType=image_type, **more)
    made(tmp_path)
    assert column(tmp_path, "Rows") == [n if n % 5 == 0 else None for n in range(12)]
    assert column(tmp_path, "ImageType") == [*[["A"]] * 7, ["A", "B"], *[None] * 4]
    assert column(tmp_path, "(0009,1001)") == ["text"] * 9 + [None] * 3  # what most have
    assert column(tmp_path, "(0009,1001)_whole") == [None] * 9 + [9, 10, 11]
    field = pq.read_schema(tmp_path / "t.parquet").field("(0009,1001)")
    assert field.metadata[b"vr"] == b"LO"


def test_two_blocks_of_one_creator_have_columns_of_their_own(instance: Instance, tmp_path: Path):
    for number in range(3):
        d = Dataset()
        d.add_new(0x00090010, "LO", "ONE")
        d.add_new(0x00091001, "US", number)
        if number == 1:
            d.add_new(0x00090011, "LO", "ONE")
            d.add_new(0x00091101, "US", 7)
        instance(f"{number}", d, InstanceNumber=number)
    made(tmp_path)
    assert column(tmp_path, "(0009,xx01)[ONE]") == [0, 1, 2]
    assert column(tmp_path, "(0009,xx01)[ONE]#2") == [None, 7, None]


def test_every_file_is_a_row_or_refused_with_a_code(instance: Instance, tmp_path: Path):
    whole = instance("whole.dcm", Rows=1)
    root = whole.parent
    (root / "notes.txt").write_text("not DICOM")
    (root / "empty.dcm").touch()
    (root / "cut.dcm").write_bytes(whole.read_bytes()[:-3])
    (root / "broken.dcm").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.dcm")
    (root / os.fsdecode(b"n\xe4me.dcm")).write_bytes(whole.read_bytes())
    result = made(tmp_path)
    assert (result.files, result.rows) == (7, 2)
    assert result.rejects == {"E-NOT-DICOM": 2, "E-TRUNCATED": 1, "E-UNREADABLE": 2}
    assert sorted(map(str, column(tmp_path, "file_path"))) == ["n\\xe4me.dcm", "whole.dcm"]
    rejects = pq.read_table(tmp_path / "t.rejects.parquet").to_pylist()
    assert {row["file_path"]: row["error_code"] for row in rejects} == {
        "broken.dcm": "E-UNREADABLE",
        "cut.dcm": "E-TRUNCATED",
        "empty.dcm": "E-NOT-DICOM",
        "notes.txt": "E-NOT-DICOM",
        "pipe.dcm": "E-UNREADABLE",
    }
    assert all(row["error_reason"] for row in rejects)


def test_a_tree_without_dicom_has_tables_without_rows(tmp_path: Path):
    (tmp_path / "tree").mkdir()
    assert made(tmp_path).rows == 0
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0
    assert pq.read_table(tmp_path / "t.census.parquet").num_rows == 0


def test_empty_absent_untyped_and_long_values_are_told_apart(instance: Instance, tmp_path: Path):
    d = Dataset()
    d.add_new("AcquisitionDate", "DA", "")
    d["AcquisitionDate"]._value = "yesterday"
    d.add_new(0x00091001, "OB", bytes(5000))
    instance("a", d, AccessionNumber="", InstanceNumber=1)
    instance("b", InstanceNumber=2)
    assert made(tmp_path).untyped == 1
    row, other = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert row["empty_elements"] == ["AccessionNumber"]
    assert (row["AcquisitionDate"], row["AcquisitionDate_original"]) == (None, "yesterday")
    assert row["untyped_elements"] == ["AcquisitionDate"]
    assert row["left_out_elements"] == [{"element": "(0009,1001)", "bytes": 5000}]
    assert (other["empty_elements"], other["untyped_elements"], other["left_out_elements"]) == (None, None, None)


def test_the_table_as_csv(instance: Instance, tmp_path: Path):
    d = Dataset()
    d.add_new(0x00091001, "OB", b"\x0a\xff")
    instance("a", d, ImageType=["A", "B"], StudyDate="20200229", PatientComments='a "quoted", long\nline')
    made(tmp_path, "t.csv")
    with open(tmp_path / "t.csv", newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert {name: row[name] for name in ("ImageType", "StudyDate", "(0009,1001)", "PatientComments", "error_code")} == {
        "ImageType": "A\\B", "StudyDate": "2020-02-29", "(0009,1001)": "0aff",
        "PatientComments": 'a "quoted", long\nline', "error_code": "",
    }  # fmt: skip
    assert duckdb.sql(f"select count(*) from '{tmp_path / 't.census.csv'}' where element = 'ImageType'").fetchall() == [
        (1,)
    ]
    assert (tmp_path / "t.rejects.csv").exists()


def test_a_selection_changes_the_columns_and_nothing_else(instance: Instance, tmp_path: Path):
    for number, patient in enumerate(("P2", "P1")):
        instance(f"{number}", PatientID=patient, SeriesDescription=patient)
    result = made(tmp_path, selection=Selection(("SeriesDescription",)))
    assert result.columns == 1
    assert column(tmp_path, "SeriesDescription") == ["P1", "P2"]
    assert result.anomalies == {"W-STUDY-PATIENTS": 1}


def test_several_processes_write_what_one_writes(instance: Instance, tmp_path: Path):
    for number in range(150):
        instance(f"{number}", InstanceNumber=number, **({"Rows": 1} if number % 70 == 0 else {}))
    one = headers_table(tmp_path / "tree", tmp_path / "one.parquet", workers=1)
    two = headers_table(tmp_path / "tree", tmp_path / "two.parquet", workers=2)
    assert (one.rows, one.columns) == (two.rows, two.columns)
    for name in ("", ".census", ".anomalies", ".rejects"):
        first, second = (pq.read_table(tmp_path / f"{which}{name}.parquet") for which in ("one", "two"))
        assert first.equals(second)


class Stopped(Exception):
    pass


@contextmanager
def stops_after_six(what: str) -> Iterator[Callable[[int, int], None]]:
    def step(done: int, total: int) -> None:
        if what == "reading headers" and done >= 6:
            raise Stopped

    yield step


@pytest.mark.usefixtures("few_at_once")
def test_what_was_interrupted_goes_on_and_only_what_changed_is_read_again(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for number in range(10):
        instance(f"{number}", InstanceNumber=number, **({"Rows": 1, "BodyPartExamined": ""} if number == 2 else {}))
    with pytest.raises(Stopped):
        made(tmp_path, progress=stops_after_six)
    assert not (tmp_path / "t.parquet").exists()
    instance("1", InstanceNumber=1, StudyDescription="changed, and longer")
    (tmp_path / "tree" / "2").unlink()
    read: list[str] = []
    original = RowReader.read

    def noting(self: RowReader, path: Path) -> object:
        read.append(path.name)
        return original(self, path)

    monkeypatch.setattr(RowReader, "read", noting)
    result = made(tmp_path)
    assert sorted(read) == ["1", "6", "7", "8", "9"]
    assert (result.resumed, result.rows) == (4, 9)
    assert not {"Rows", "BodyPartExamined"} & set(
        pq.read_schema(tmp_path / "t.parquet").names
    )  # of the one that is gone
    assert column(tmp_path, "InstanceNumber") == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert column(tmp_path, "StudyDescription")[1] == "changed, and longer"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("few_at_once")
def test_what_another_selection_left_is_not_used(instance: Instance, tmp_path: Path):
    for number in range(10):
        instance(f"{number}", InstanceNumber=number)
    with pytest.raises(Stopped):
        made(tmp_path, progress=stops_after_six)
    result = made(tmp_path, selection=Selection(("InstanceNumber",)))
    assert (result.resumed, result.columns) == (0, 1)


_KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from mammoscope.collection.headers import headers_table

@contextmanager
def progress(what):
    yield lambda done, total: os.kill(os.getpid(), signal.SIGKILL) if what == "reading headers" and done > 64 else None

headers_table(Path(sys.argv[1]), Path(sys.argv[2]), workers=2, progress=progress)
"""


def test_what_was_killed_goes_on(instance: Instance, tmp_path: Path):
    for number in range(200):
        instance(f"{number}", InstanceNumber=number)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _KILLED, str(tmp_path / "tree"), str(tmp_path / "t.parquet")]
    assert subprocess.run(command, env=environment).returncode == -signal.SIGKILL
    result = made(tmp_path)
    assert result.resumed >= 64
    assert column(tmp_path, "InstanceNumber") == list(range(200))


def test_places_that_cannot_be_written_to_are_refused(instance: Instance, tmp_path: Path):
    root = instance("a").parent
    with pytest.raises(MammoscopeError, match=r"allowed: a name that ends in .parquet or .csv"):
        made(tmp_path, "t.xlsx")
    with pytest.raises(MammoscopeError, match="never written to"):
        headers_table(root, root / "t.parquet", workers=1)
    with pytest.raises(MammoscopeError, match="does not exist"):
        headers_table(tmp_path / "absent", tmp_path / "t.parquet", workers=1)
    with FileLock(tmp_path / ".t.parquet.unfinished.lock"), pytest.raises(MammoscopeError, match="another process"):
        made(tmp_path)
