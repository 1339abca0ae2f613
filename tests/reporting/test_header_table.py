"""The header at the terminal: aligned, cut to the width, and what was cut is said."""

from rich.cells import cell_len

from mammoscope.dicom.headers.lines import HeaderLine
from mammoscope.reporting.header_table import cut, header_table


def line(name: str, value: str, depth: int = 0) -> HeaderLine:
    return HeaderLine(depth=depth, group="0008", element="0060", name=name, vr="CS", length="2", value=value)


def test_columns_stand_under_each_other_whatever_the_letters():
    rows = list(header_table([line("Modality", "MG"), line("Item", "山田太郎", 2), line("PatientName", "Ä")], 80))
    assert rows[0].split() == ["GRP", "ELEM", "NAME", "VR", "LENGTH", "VALUE"]
    assert len({row.index("CS") for row in rows[1:]}) == 1
    assert rows[2].index("Item") - rows[1].index("Modality") == 4
    starts = {cell_len(row[: row.index(value)]) for row, value in zip(rows[1:], ("MG", "山田太郎", "Ä"), strict=True)}
    assert starts == {rows[0].index("VALUE")}


def test_a_long_value_and_a_long_name_are_cut_to_the_width():
    rows = list(header_table([line("N" * 80, "v" * 300), line("Short", "山" * 300)], 80))
    assert all(cell_len(row) <= 80 for row in rows)
    assert rows[1].endswith("v... (300 characters)")
    assert rows[2].endswith("山... (300 characters)")
    assert "N~" in rows[1]
    assert cut("x" * 10, 10) == "x" * 10


def test_a_header_without_an_end_is_not_waited_for():
    endless = (line(f"Name{n}", "") for n in iter(int, 1))
    table = header_table(endless, 80)
    assert next(table).startswith("GRP")
    assert "Name0" in next(table)
