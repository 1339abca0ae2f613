"""Of each element: how many rows have it, how many do not, and which values there are."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from pydicom.dataset import Dataset

from mammoscope.collection.headers import headers_table


def census(tmp_path: Path) -> dict[str, dict]:
    headers_table(tmp_path / "tree", tmp_path / "t.parquet", workers=1)
    return {row["column"] or row["element"]: row for row in pq.read_table(tmp_path / "t.census.parquet").to_pylist()}


def test_each_element_is_counted(instance: Callable[..., Path], tmp_path: Path):
    for number in range(6):
        d = Dataset()
        if number == 4:
            d.add_new(0x00091001, "OB", bytes(5000))
        if number == 5:
            d.add_new("AcquisitionDate", "DA", "")
            d["AcquisitionDate"]._value = "yesterday"
        else:
            d.AcquisitionDate = "20200101"
        d.ReferencedImageSequence = []
        instance(
            f"{number}", d, Modality="MG", Rows=number // 2,
            **({"AccessionNumber": ""} if number < 2 else {}), **({"ImageType": ["A", "B"]} if number < 3 else {}),
        )  # fmt: skip
    found = census(tmp_path)

    def of(name: str, *keys: str) -> list[object]:
        return [found[name][key] for key in keys]

    assert of("Modality", "tag", "vr", "present", "missing", "distinct") == ["(0008,0060)", "CS", 6, 0, 1]
    assert of("Rows", "distinct", "values") == [3, 6]
    assert {c["value"]: c["rows"] for c in found["Rows"]["common"]} == {"0": 2, "1": 2, "2": 2}
    assert of("AccessionNumber", "present", "missing", "empty", "values", "distinct") == [2, 4, 2, 0, 0]
    assert of("ImageType", "present", "missing", "common") == [3, 3, [{"value": "A\\B", "rows": 3}]]
    assert of("AcquisitionDate", "present", "missing", "values", "untyped") == [6, 0, 5, 1]
    assert of("(0009,1001)", "present", "missing", "left_out", "longest_left_out_bytes") == [1, 5, 1, 5000]
    assert of("ReferencedImageSequence", "vr", "column", "present", "empty") == ["SQ", None, 6, 6]
    assert of("SOPInstanceUID", "distinct") == [6]


def test_an_element_of_two_kinds_is_counted_once_a_row(instance: Callable[..., Path], tmp_path: Path):
    for number in range(5):
        d = Dataset()
        if number < 4:
            d.add_new(0x00091001, "LO" if number < 3 else "US", "text" if number < 3 else number)
        instance(f"{number}", d)
    found = census(tmp_path)
    assert [found["(0009,1001)"][key] for key in ("present", "missing", "vr")] == [3, 1, "LO"]
    assert [found["(0009,1001)_whole"][key] for key in ("element", "present", "missing", "vr")] == [
        "(0009,1001)",
        1,
        1,
        "US",
    ]
