"""What does not fit together: planted one by one, beside what is as it should be."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mammoscope.collection.headers import headers_table
from mammoscope.dicom import layout

Instance = Callable[..., Path]
PICTURE = "Mass-Training_P_00001_LEFT_CC"


def anomalies(tmp_path: Path, **options: bool) -> list[tuple[str, str, str, int]]:
    headers_table(tmp_path / "tree", tmp_path / "t.parquet", workers=1, **options)
    rows = pq.read_table(tmp_path / "t.anomalies.parquet").to_pylist()
    return [(row["code"], row["level"], row["subject"], row["files"]) for row in rows]


FIRST = {"PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12, "Laterality": "L"} | {
    "PixelSpacing": ["0.07", "0.07"]
}


def test_files_that_agree_have_none(instance: Instance, tmp_path: Path):
    instance("a", **FIRST)
    instance("b", **FIRST)
    instance("c", **FIRST, SeriesInstanceUID="1.2.3.4.5.9")
    assert anomalies(tmp_path, same_pixels=True) == []


@pytest.mark.parametrize(
    ("code", "changed", "is_for_studies"),
    [
        ("W-MIXED-PHOTOMETRIC", {"PhotometricInterpretation": "MONOCHROME1"}, True),
        ("W-MIXED-BITS", {"BitsStored": 16}, True),
        ("W-MIXED-LATERALITY", {"Laterality": "R"}, False),
        ("W-MIXED-LATERALITY", {"ImageLaterality": "R"}, False),
        ("W-MIXED-SPACING", {"PixelSpacing": ["0.1", "0.1"]}, True),
    ],
)
def test_facts_that_are_mixed(instance: Instance, tmp_path: Path, code: str, changed: dict, is_for_studies: bool):
    instance("a", **FIRST)
    instance("b", **FIRST)
    other = instance("c", **FIRST | changed)
    assert anomalies(tmp_path) == [(code, "series", "1.2.3.4.5.2", 3)]
    other.unlink()
    instance("c", **FIRST | changed, SeriesInstanceUID="1.2.3.4.5.9")
    assert anomalies(tmp_path) == ([(code, "study", "1.2.3.4.5.1", 3)] if is_for_studies else [])


def test_uids_that_are_in_two_places(instance: Instance, tmp_path: Path):
    instance("a", SOPInstanceUID="1.2.9")
    instance("b", SOPInstanceUID="1.2.9")
    instance("c", PatientID="P2", StudyInstanceUID="1.2.3.4.5.7", SeriesInstanceUID="1.2.3.4.5.8")
    assert anomalies(tmp_path) == [("W-DUPLICATE-UID", "instance", "1.2.9", 2)]
    instance("d", PatientID="P2")
    instance("e", PatientID="P2", StudyInstanceUID="1.2.3.4.5.7")
    assert anomalies(tmp_path)[1:] == [
        ("W-STUDY-PATIENTS", "study", "1.2.3.4.5.1", 3),
        ("W-SERIES-STUDIES", "series", "1.2.3.4.5.2", 4),
    ]


def test_the_same_pixels_under_two_uids(instance: Instance, tmp_path: Path):
    for name, pixels in (("a", 1), ("b", 1), ("c", 2)):
        instance(name, Rows=2, Columns=2, BitsAllocated=8, PixelData=bytes([pixels] * 4))
    instance("d", Rows=4, Columns=1, BitsAllocated=8, PixelData=bytes([1] * 4))  # another shape
    assert anomalies(tmp_path) == []  # nobody asked for it
    (found,) = anomalies(tmp_path, same_pixels=True)
    assert (found[0], found[3]) == ("W-SAME-PIXELS", 2)
    (row,) = pq.read_table(tmp_path / "t.anomalies.parquet").to_pylist()
    assert row["file_paths"] == ["a", "b"]


def test_pixel_data_is_not_read_for_the_table(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size = 1 << 22
    instance("a", BitsAllocated=8, PixelData=bytes(size))
    read: list[int] = []
    opened = layout.open_plain

    class Counting:
        def __init__(self, file: object):
            self._file = file

        def read(self, count: int = -1) -> bytes:
            data = self._file.read(count)  # type: ignore[attr-defined]
            read.append(len(data))
            return data

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

    @contextmanager
    def counting(path: Path) -> Iterator[Counting]:
        with opened(path) as file:
            yield Counting(file)

    monkeypatch.setattr(layout, "open_plain", counting)
    assert anomalies(tmp_path) == []
    assert 200 < sum(read) < size // 100


def test_folders_that_are_named_after_another_patient(instance: Instance, tmp_path: Path):
    instance("P1/a", PatientID="P1")
    instance("P2/2020/b", PatientID="P2", StudyInstanceUID="1.2.3.4.5.7", SeriesInstanceUID="1.2.3.4.5.8")
    instance("P2/c", PatientID="P1")
    instance(f"{PICTURE}/d", PatientID=PICTURE, StudyInstanceUID="1.2.3.4.6", SeriesInstanceUID="1.2.3.4.7")
    instance(f"{PICTURE}_1/e", PatientID=PICTURE, StudyInstanceUID="1.2.3.4.6", SeriesInstanceUID="1.2.3.4.7")
    assert anomalies(tmp_path) == [
        ("W-FOLDER-PATIENT", "folder", "P2", 1),
        ("W-FOLDER-PATIENT", "folder", f"{PICTURE}_1", 1),
    ]


def test_csvs_that_name_another_patient(instance: Instance, tmp_path: Path):
    tree = instance("a", PatientID="P1", StudyInstanceUID="1.2.3.4.1", SeriesInstanceUID="1.2.3.4.2").parent
    uids = {"StudyInstanceUID": "1.2.3.5.1", "SeriesInstanceUID": "1.2.3.5.2"}
    instance("b", PatientID=PICTURE, **uids)
    standard = "1.2.840.10008.5.1.4.1.1.7"
    (tree / "right.csv").write_text(
        f"Subject ID,Series UID,SOP class\nP1,1.2.3.4.2,{standard}\n{PICTURE},1.2.3.5.2,{standard}\n"
    )
    (tree / "cases.csv").write_text(f'patient_id,path\r\nP_00001,"{PICTURE}/1.2.3.5.1/1.2.3.5.2/000000.dcm\n"\r\n')
    (tree / "other.csv").write_text("name,value\nP9,1.2.3.4.2\n")
    (tree / "no.csv").write_bytes(bytes(range(256)))
    assert anomalies(tmp_path) == []
    (tree / "wrong.csv").write_text("PatientID,uid\nP1,1.2.3.4.1\nP2,1.2.3.4.2\n")
    (tree / "cases.csv").write_text(f"patient_id,path\nP_00002,{PICTURE}_1/1.2.3.5.1/1.2.3.5.2/000000.dcm\n")
    assert anomalies(tmp_path) == [
        ("W-CSV-PATIENT", "csv", "cases.csv:2", 0),  # a row of P_00002 with a path of P_00001
        ("W-CSV-PATIENT", "csv", "wrong.csv:3", 1),
        ("W-CSV-PATIENT", "csv", "cases.csv:2", 1),  # and of another picture than the file
        ("W-CSV-PATIENT", "csv", "cases.csv:2", 1),
    ]
