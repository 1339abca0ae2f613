"""Files that others made: real crops of CBIS-DDSM, and what pydicom, pydicom-data, nibabel and pynetdicom install."""

import datetime
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from mammoscope.collection.headers import headers_table
from mammoscope.dicom.headers.row import RowReader, as_text
from mammoscope.dicom.headers.values import KINDS, Value
from mammoscope.errors import DicomError
from mammoscope.listing import list_files

PACKAGES = ("pydicom", "data_store", "nibabel", "pynetdicom")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Links to the packages: their programs lie beside the files, and are no DICOM."""
    root = tmp_path_factory.mktemp("others")
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.submodule_search_locations
        (root / package).symlink_to(found.submodule_search_locations[0])
    return root


def test_all_files_that_others_install_are_rows_or_refused_with_a_code(others: Path, tmp_path: Path):
    result = headers_table(others, tmp_path / "t.parquet", workers=1)
    assert result.rows >= 250
    assert result.rows + sum(result.rejects.values()) == result.files
    assert set(result.rejects) == {"E-NOT-DICOM", "E-TRUNCATED"}
    rejects = pq.read_table(tmp_path / "t.rejects.parquet").to_pylist()
    cut = [row["file_path"] for row in rejects if row["error_code"] == "E-TRUNCATED"]
    assert cut == ["pydicom/data/test_files/rtplan_truncated.dcm"]
    census = pq.read_table(tmp_path / "t.census.parquet").to_pylist()
    found = {vr for row in census for vr in row["vr"].split("/")}
    assert found == {*KINDS, "SQ"} - {"OD", "OL", "OV", "SV", "UC", "UR", "UV"}


def test_their_values_are_those_of_pydicom(others: Path):
    reader, compared = RowReader(), 0
    for file in list_files(others):
        try:
            row = reader.read(others / file.path)
        except DicomError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = pydicom.dcmread(others / file.path, stop_before_pixels=True)
            for element, value in row.cells:
                if "xx" in element.tag or value.left_out_bytes or value.is_untyped or element.tag[:5] == "(0002":
                    continue
                for expected in values_at(peer, element.tag):
                    if element.vr == "OW" and not peer.original_encoding[1]:
                        continue  # pydicom gives the bytes of big endian as they lie
                    found = as_it_was_written(element.vr, value)
                    assert found == expected, (file.path, element.name)
                    compared += 1
    assert compared > 10_000


def values_at(dataset: Any, path: str) -> Iterator[object]:
    """One, or none where it is behind the pixels."""
    for step in path.split("."):
        tag, _, item = step.partition("[")
        number = int(tag[1:5] + tag[6:10], 16)
        if number not in dataset:
            return
        element = dataset[number]
        if item:
            dataset = element.value[int(item[:-1])]
    yield plain(element.value)


def plain(value: Any) -> object:
    """Numbers as numbers; of texts one text, without padding; nothing where there is nothing."""
    if isinstance(value, MultiValue | list):
        parts = [plain(part) for part in value]
        return "\\".join("" if p is None else str(p) for p in parts) if _has_text(parts) else parts or None
    if isinstance(value, pydicom.tag.BaseTag):
        return f"({value.group:04x},{value.elem:04x})"
    if isinstance(value, str | PersonName):
        return str(value).strip().rstrip("=^") or None
    return value if value not in (b"",) else None


def _has_text(parts: list[object]) -> bool:
    return any(isinstance(part, str) for part in parts)


def as_it_was_written(vr: str, value: Value) -> object:
    typed = value.typed
    if vr in ("DA", "TM", "DT"):
        if value.original is not None:
            return value.original
        parts = typed if isinstance(typed, list) else [typed]
        forms = {datetime.date: "%Y%m%d", datetime.time: "%H%M%S", datetime.datetime: "%Y%m%d%H%M%S"}
        texts = [p.strftime(forms[type(p)] + (".%f" if getattr(p, "microsecond", 0) else "")) for p in parts if p]
        return "\\".join(texts) or None
    if isinstance(typed, list) and _has_text(typed):
        return as_text(typed)
    return typed.strip().rstrip("=^") or None if isinstance(typed, str) else typed


def test_the_real_crops(shared: Path, tmp_path: Path):
    result = headers_table(shared / "data" / "cbis_ddsm", tmp_path / "t.parquet", workers=1, same_pixels=True)
    assert result.errors == {}
    assert set(result.rejects) == {"E-NOT-DICOM"}
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert len(rows) == 9
    for row in rows:
        assert (row["Modality"], row["ConversionType"], row["SeriesDescription"]) == ("MG", "WSD", "cropped images")
        assert row["(0013,xx10)[CTP]"] == "CBIS-DDSM"
        assert row["PatientOrientation"] in ("CC", "MLO")
        assert row["Laterality"] in ("L", "R")
        assert row["LargestImagePixelValue"] == 65535
        assert isinstance(row["StudyDate"], datetime.date)
    assert result.anomalies == {"W-DUPLICATE-UID": 1}  # one crop lies there in both layouts
