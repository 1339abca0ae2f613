"""A user's CSV: what is understood, and every cell that is not, by file, line, column, value and what is allowed."""

import os
from pathlib import Path

import pytest

from mammoscope.catalog.table import read_table
from mammoscope.errors import MammoscopeError, public_words
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, View

HEAD = "path,patient,laterality,view,target"


@pytest.fixture
def table(tmp_path: Path):
    """(text, **encoding) -> the path of a table beside a.png ... d.png and m.png, n.png."""
    for name in "abcdmn":
        (tmp_path / f"{name}.png").write_bytes(name.encode())

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "own.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_the_needed_columns_alone(table):
    read = read_table(table(f"{HEAD}\na.png,Ann,left,CC,1\n b.png , Bea ,right,MLO,0\n\n,,,,\n"))
    first, second = read.rows
    assert (first.line, first.path, first.patient, first.target) == (2, "a.png", "Ann", 1)
    assert (second.path, second.patient, second.laterality, second.view) == ("b.png", "Bea", Laterality.right, View.MLO)
    assert first.kind is AbnormalityKind.unknown
    assert (first.partition, first.roi, first.box) == (None, None, None)
    assert not read.has_kinds
    assert not read.has_partitions


def test_all_columns_in_any_order(table):
    read = read_table(
        table(
            "box,roi,partition,kind,target,view,laterality,patient,path\n"
            "1 2 30 40,,test,calc,1,CC,left,Ann,a.png\n,m.png,train,mass,0,CC,left,Bea,b.png\n"
        )
    )
    assert [(row.kind, row.partition, row.roi, row.box) for row in read.rows] == [
        (AbnormalityKind.calc, Partition.test, None, (1, 2, 30, 40)),
        (AbnormalityKind.mass, Partition.train, "m.png", None),
    ]
    assert read.has_kinds
    assert read.has_partitions


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_spreadsheets_write(table, encoding, mark, newline):
    text = f"{HEAD}\na.png,Käthe,left,CC,1\nb.png,Bea,left,CC,0\n".replace(",", mark).replace("\n", newline)
    assert [row.patient for row in read_table(table(text, encoding)).rows] == ["Käthe", "Bea"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_refused_with_a_way_out(table, encoding):
    with pytest.raises(MammoscopeError, match=r"own.csv: is not UTF-8 \(.*\); save it as `CSV UTF-8`"):
        read_table(table(f"{HEAD}\na.png,Käthe,left,CC,1\n", encoding))


GOOD = {"path": "a.png", "patient": "Ann", "laterality": "left", "view": "CC", "target": "1"}
BAD = [
    ("path", "z.png", "a DICOM or PNG file that is there"),
    ("path", "", "a DICOM or PNG file that is there"),
    ("path", ".", "a DICOM or PNG file that is there"),
    ("patient", "", "what tells patients apart"),
    ("laterality", "L", "left, right"),
    ("view", "ML", "CC, MLO"),
    ("target", "2", "0 (benign), 1 (malignant)"),
    ("target", "", "0 (benign), 1 (malignant)"),
    ("kind", "lump", "mass, calc"),
    ("kind", "unknown", "mass, calc"),
    ("kind", "", "mass, calc"),
    ("partition", "training", "train, validation, test"),
    ("partition", "", "train, validation, test"),
    ("roi", "z.png", "a mask that is there"),
    ("box", "1 2 3", "four whole numbers"),
    ("box", "30 2 30 40", "four whole numbers"),
    ("box", "-1 2 30 40", "four whole numbers"),
    ("box", "1.5 2 30 40", "four whole numbers"),
]


@pytest.mark.parametrize(("column", "value", "allowed"), BAD)
def test_a_bad_cell_is_named_whole(table, column, value, allowed):
    cells = GOOD | {column: value}
    path = table(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    with pytest.raises(MammoscopeError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path} line 2, column {column!r}: {value!r}; allowed: {allowed}")


def test_all_bad_cells_are_told_at_once_twenty_by_name(table):
    rows = "".join(f"a.png,Ann,up,down,{number}\n" for number in range(2, 10))
    with pytest.raises(MammoscopeError) as caught:
        read_table(table(f"{HEAD}\n{rows}"))
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert "line 3, column 'laterality': 'up'; allowed: left, right" in lines[3]
    assert lines[-1] == "... and 4 more"
    places = "line 2, column 'laterality'; line 2, column 'view'; line 2, column 'target'; line 3, column 'laterality'"
    assert public_words(caught.value).startswith(f"not what a table may hold: {places}; ")
    assert "up" not in public_words(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD},partiton\n", r"line 1: there is no column 'partiton' \(did you mean partition\?\); allowed: path, "),
        (f"{HEAD},age\n", r"line 1: there is no column 'age'; allowed: path, "),
        (f"{HEAD},view\n", "line 1: column 'view' stands 2 times; allowed: once"),
        ("path,patient,view,target\n", "line 1: no column 'laterality'; allowed: path, "),
        ("", "line 1: no column 'path'"),
        (f"{HEAD}\n", "a header and no row; allowed: a row an image"),
        (f"{HEAD}\na.png,Ann,left,CC\n", "line 2: 4 cells; allowed: 5"),
        (f'{HEAD}\n"a.png,Ann,left,CC,1\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_such_table(table, text, said):
    with pytest.raises(MammoscopeError, match=said):
        read_table(table(text))


def test_no_file(tmp_path):
    with pytest.raises(MammoscopeError, match=r"source.csv=.*own.csv: cannot be read as CSV: .*No such file"):
        read_table(tmp_path / "own.csv")


@pytest.mark.parametrize("name", ["a.png", "./a.png", "link.png", "hard.png"])
def test_one_image_twice(table, tmp_path, name):
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    with pytest.raises(MammoscopeError, match=rf"line 3, column 'path': '{name}' is the image of line 2 already"):
        read_table(table(f"{HEAD}\na.png,Ann,left,CC,1\n{name},Ann,left,CC,1\n"))


def test_one_image_with_different_rois(table):
    rows = "a.png,Ann,left,CC,1,m.png,\na.png,Ann,left,CC,0,n.png,\na.png,Ann,left,CC,0,,1 1 9 9\n"
    assert len(read_table(table(f"{HEAD},roi,box\n{rows}")).rows) == 3


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            "a.png,Ann,left,CC,0,m.png,",
            "column 'path': 'a.png' is the image of line 2 already; allowed: once",
        ),
        ("a.png,Ann,left,CC,0,,", "column 'path': 'a.png' is the image of line 2 already"),
        ("a.png,Bea,left,CC,0,n.png,", "column 'patient': 'Bea'; allowed: Ann, as line 2 says of the same image"),
        ("a.png,Ann,right,CC,0,n.png,", "column 'laterality': 'right'; allowed: left, as line 2 says"),
        (
            "b.png,Ann,left,CC,0,m.png,1 1 9 9",
            "column 'box': '1 1 9 9' beside an roi; allowed: one of",
        ),
    ],
)
def test_rows_that_contradict_an_earlier_one(table, second, said):
    with pytest.raises(MammoscopeError) as caught:
        read_table(table(f"{HEAD},roi,box\na.png,Ann,left,CC,1,m.png,\n{second}\n"))
    assert said in str(caught.value)
    assert "line 3, " in str(caught.value)


def test_a_patient_in_two_partitions(table):
    path = table(f"{HEAD},partition\na.png,Ann,left,CC,1,train\nb.png,Ann,right,CC,0,test\n")
    with pytest.raises(MammoscopeError) as caught:
        read_table(path)
    said = "line 3, column 'partition': 'test'; allowed: train, where line 2 has the same patient"
    assert str(caught.value) == f"{path} {said}"
