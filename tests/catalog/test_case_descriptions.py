"""The CSVs, the real ones and broken ones."""

import pytest

from mammoscope.catalog.case_descriptions import FILES, read_case_descriptions
from mammoscope.errors import MammoscopeError

NAME = "mass_case_description_train_set.csv"


@pytest.fixture
def two_rows(tree):
    tree.add(1, view="CC")
    tree.add(1, view="MLO")
    return tree


def read(tree):
    tree.write_csvs()
    return read_case_descriptions([tree.root / name for name in tree.rows])


def test_rows_are_understood(two_rows):
    first, second = read(two_rows)
    assert (first.key, second.key) == ("Mass-Training_P_00001_LEFT_CC_1", "Mass-Training_P_00001_LEFT_MLO_1")
    assert (first.descriptor_1, first.descriptor_2) == ("N/A", "CLUSTERED")
    assert first.mask.file_name == "000001.dcm"
    assert first.mask.series == first.crop.series != first.image.series


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("patient_id", "P_1", "P_ and five digits"),
        ("breast_density", "5", "0 to 4"),
        ("breast_density", "", "0 to 4"),
        ("left or right breast", "L", "LEFT, RIGHT"),
        ("image view", "ML", "CC, MLO"),
        ("abnormality id", "0", "1 to 999"),
        ("abnormality type", "calcification", "mass"),
        ("mass shape", "  ", "words, or N/A"),
        ("assessment", "4a", "0 to 5"),
        ("pathology", "malignant", "MALIGNANT, BENIGN, BENIGN_WITHOUT_CALLBACK"),
        ("subtlety", "-1", "0 to 5"),
        ("image file path", "CBIS-DDSM/1-1.dcm", "<PatientID>/<StudyInstanceUID>"),
        ("ROI mask file path", "a/1.2/x.y/1-1.dcm", "<PatientID>/<StudyInstanceUID>"),
    ],
)
def test_a_bad_cell_is_named_with_file_line_column_value_and_what_is_allowed(two_rows, column, value, allowed):
    two_rows.rows[NAME][1][column] = value
    with pytest.raises(MammoscopeError) as caught:
        read(two_rows)
    words = str(caught.value)
    # the first row holds a newline, so the second starts on line 4
    assert f"{NAME} line 4, column {column!r}: {value.strip()!r}; allowed" in words
    assert allowed in words


def test_a_path_that_names_another_picture_than_the_other_cells(two_rows):
    two_rows.rows[NAME][0]["image file path"] = "Mass-Test_P_00001_LEFT_CC/1.2/1.3/000000.dcm"
    with pytest.raises(MammoscopeError, match=r"'Mass-Test_P_00001_LEFT_CC'; allowed .*: Mass-Training_P_00001"):
        read(two_rows)


def test_every_bad_cell_is_named(two_rows):
    two_rows.rows[NAME][0]["subtlety"] = two_rows.rows[NAME][1]["assessment"] = "x"
    with pytest.raises(MammoscopeError, match=r"(?s)'subtlety': 'x'.*'assessment': 'x'"):
        read(two_rows)
    for number in range(2, 60):
        two_rows.add(number)
        two_rows.rows[NAME][-1]["image view"] = "XCCL"
    with pytest.raises(MammoscopeError, match="and 40 more"):
        read(two_rows)


def test_a_row_that_stands_twice(two_rows):
    two_rows.rows[NAME].append(two_rows.rows[NAME][0])
    with pytest.raises(MammoscopeError, match=r"line 6.*stands in .* line 2 already"):
        read(two_rows)


def test_a_series_of_two_mammograms(two_rows):
    first, second = two_rows.rows[NAME]
    uids = first["image file path"].split("/", 1)[1]
    second["image file path"] = f"Mass-Training_P_00001_LEFT_MLO/{uids}"
    with pytest.raises(MammoscopeError, match="belongs to Mass-Training_P_00001_LEFT_CC already"):
        read(two_rows)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column 'patient_id'"),
        (
            b"patient_id,breast density\n",
            "no column 'breast_density'; the official ones are patient_id, breast_",
        ),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_what_is_no_such_table(tmp_path, content, words):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(MammoscopeError, match=words):
        read_case_descriptions([tmp_path / NAME])


def test_a_short_row_and_an_open_quote(two_rows):
    two_rows.write_csvs()
    whole = (two_rows.root / NAME).read_text()
    (two_rows.root / NAME).write_text(whole + "P_00003,2\n")
    with pytest.raises(MammoscopeError, match=r"line 6: 2 cells; allowed: 14"):
        read_case_descriptions([two_rows.root / NAME])
    (two_rows.root / NAME).write_text(whole + '"P_00003')
    with pytest.raises(MammoscopeError, match="cannot be read as CSV"):
        read_case_descriptions([two_rows.root / NAME])


def test_byte_order_mark_and_blank_lines_are_harmless(two_rows):
    two_rows.write_csvs()
    path = two_rows.root / NAME
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n\r\n")
    assert len(read_case_descriptions([path])) == 2


def test_the_real_ones(shared):
    rows = read_case_descriptions([shared / "data/cbis_ddsm/csv" / name for name in FILES])
    assert len(rows) == 3568
    assert sum(row.mask.series != row.crop.series for row in rows) == 104
    calc = [row for row in rows if row.kind == "calc"]
    assert sum(row.descriptor_2 == "N/A" for row in calc) / len(calc) == pytest.approx(0.23, abs=0.005)
    assert sum(row.density == 0 for row in rows) == sum(row.subtlety == 0 for row in rows) == 2
    assert len({place.series for row in rows for place in (row.image, row.crop, row.mask)}) == 6775
    assert len({place.patient_id for row in rows for place in (row.image, row.crop, row.mask)}) == 6671
