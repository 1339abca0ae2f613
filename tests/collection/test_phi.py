"""A tree audited: every file is in the table, and nobody's name, not even where it is a path."""

import csv
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mammoscope.collection.phi import SCHEMA, audit_tree
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.dicom_phi import phi
from mammoscope.listing import list_files
from mammoscope.pool import ALONE, open_pool

from ..dicom.privacy.planted import holds, plain, words, write, written_planted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    written_planted(root / "Zybrandt_Wilhelmina" / "IM1")
    write(root / "Zybrandt_Wilhelmina" / "IM2", plain(2))
    write(root / "Zybrandt_Wilhelmina" / "MRN7734501.dcm", plain(3))
    write(root / "series_2" / "IM4", plain(4))
    (root / "letter to Zybrandt.pdf").write_bytes(b"%PDF-1.7")
    return root


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_names_places_and_nobody(root: Path, tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]):
    output = tmp_path / f"phi{suffix}"
    assert not phi(root, output, 1)
    if suffix == ".csv":
        with open(output, newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(output).to_pylist()
    assert list(rows[0]) == SCHEMA.names
    places = {(r["file"], r["place"]) for r in rows}
    assert ("[1]/IM1", "PatientName") in places
    assert ("[1]/[3]", "file name") in places
    assert ("[2]", "file") in places
    assert ("series_2/IM4", "StudyDate") in places
    assert [r["file"] for r in rows if r["why"] == "folder-name"] == ["[1]"]
    said = output.read_bytes() + repr(rows).encode() + capfd.readouterr().out.encode()
    assert [word for word in words() if holds(said, word)] == []


def test_a_clean_tree_and_one_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    file = write(tmp_path / "in" / "1.dcm", plain())
    assert not phi(file, None, 1)
    assert "1 files: 1 with something that identifies" in capfd.readouterr().out
    (tmp_path / "nothing").mkdir()
    with pytest.raises(MammoscopeError, match="holds no file"):
        phi(tmp_path / "nothing", None, 1)
    with pytest.raises(MammoscopeError, match="does not exist"):
        phi(tmp_path / "absent", None, 1)
    with pytest.raises(MammoscopeError, match=r"\.csv or \.parquet"):
        phi(tmp_path / "in", tmp_path / "a.txt", 1)


def test_processes_say_what_one_says(root: Path):
    for n in range(5, 75):
        write(root / "many" / f"{n}.dcm", plain(n))
    files = list(list_files(root))
    alone = list(audit_tree(root, files, ALONE))
    assert len(alone) == len(files) == 75
    with open_pool(2) as pool:
        assert list(audit_tree(root, files, pool)) == alone


def test_real_films(shared: Path):
    root = shared / "data" / "cbis_ddsm" / "dicom_sample"
    files = list(list_files(root))
    rows = [row for rows in audit_tree(root, files, ALONE) for row in rows]
    films = sum(f.path.endswith(".dcm") for f in files)
    by_place = Counter(row.place for row in rows)
    for place in ("PatientID", "PatientName", "(0013,1013)[CTP]", "StudyDate", "BurnedInAnnotation", "PixelData"):
        assert by_place[place] == films
    assert not any("P_00" in value for row in rows for value in (row.file, row.place))
