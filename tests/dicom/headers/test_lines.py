"""A header as it is printed: what stands in it, where, how long, and nothing that a terminal obeys."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from mammoscope.dicom.headers.lines import HeaderLine, header_lines, plain
from mammoscope.dicom.layout import open_dicom

from ...clinical import write_image

PIXELS = np.arange(6, dtype=np.uint16).reshape(2, 3)


def lines(path: Path) -> list[HeaderLine]:
    with open_dicom(path, after=True) as layout:
        return list(header_lines(layout, path))


def by_name(path: Path) -> dict[str, HeaderLine]:
    return {line.name: line for line in lines(path)}


def test_the_header_of_a_real_crop(shared: Path):
    crops = sorted((shared / "data" / "cbis_ddsm").glob("dicom_sample*/**/*.dcm"))
    assert len(crops) == 9
    for crop in crops:
        found = by_name(crop)
        assert (found["Modality"].value, found["ConversionType"].value) == ("MG", "WSD")
        assert found["SeriesDescription"].value == "cropped images"
        assert (found["PrivateCreator"].group, found["PrivateCreator"].element) == ("0013", "0010")
        assert found["PrivateCreator"].value == "CTP"
        assert found["(0013,xx10)[CTP]"].value == "CBIS-DDSM"
        assert found["PatientOrientation"].value in ("CC", "MLO")
        assert found["Laterality"].value in ("L", "R")
        assert int(found["SmallestImagePixelValue"].value) < int(found["LargestImagePixelValue"].value) == 65535
        rows, columns = int(found["Rows"].value), int(found["Columns"].value)
        assert found["PixelData"].length == str(2 * rows * columns)


def test_group_element_name_vr_length_value_in_the_files_order(tmp_path: Path):
    found = lines(write_image(tmp_path / "a.dcm", PIXELS, PatientName="Ä^B", SpecificCharacterSet="ISO_IR 192"))
    assert found[1].name == "FileMetaInformationVersion"
    assert found[-1] == HeaderLine(
        depth=0, group="7fe0", element="0010", name="PixelData", vr="OW", length="12", value="(not read)"
    )
    name = next(line for line in found if line.name == "PatientName")
    assert (name.group, name.element, name.vr, name.length, name.value) == ("0010", "0010", "PN", "4", "Ä^B")
    # converting US or SS asks for it first, which makes pydicom forget how long it was
    assert next(line for line in found if line.name == "PixelRepresentation").length == "2"


def test_what_is_empty_says_nothing(tmp_path: Path):
    """Of implicit VR, where pydicom gives None for it, as for a value that it has left in the file."""
    path = write_image(tmp_path / "a.dcm", PIXELS, AccessionNumber="")
    d = dcmread(path)
    d.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dcmwrite(path, d, implicit_vr=True, little_endian=True)
    found = by_name(path)
    assert (found["AccessionNumber"].length, found["AccessionNumber"].value) == ("0", "")


def test_what_lies_in_sequences_is_a_level_deeper_and_items_are_told_apart(tmp_path: Path):
    inner, first, second = Dataset(), Dataset(), Dataset()
    inner.CodeValue = "R-1"
    first.ViewModifierCodeSequence = [inner]
    second.CodeValue = "R-2"
    found = lines(write_image(tmp_path / "a.dcm", PIXELS, ViewCodeSequence=[first, second]))
    start = next(n for n, line in enumerate(found) if line.name == "ViewCodeSequence")
    assert [(line.depth, line.name, line.value) for line in found[start : start + 6]] == [
        (0, "ViewCodeSequence", ""),
        (1, "item 1", ""),
        (1, "ViewModifierCodeSequence", ""),
        (2, "item 1", ""),
        (2, "CodeValue", "R-1"),
        (1, "item 2", ""),
    ]


def test_nothing_in_a_value_is_obeyed(tmp_path: Path):
    hostile = "\x1b[2Ja\x07\u202e\nb"
    path = write_image(tmp_path / "a.dcm", PIXELS, SpecificCharacterSet="ISO_IR 192", ImageComments=hostile)
    value = by_name(path)["ImageComments"].value
    assert value.isprintable()
    assert value == "\\x1b[2Ja\\x07\\u202e\\nb"
    assert plain("plain") == "plain"


def test_a_vr_that_is_none_is_shown_and_not_obeyed(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS, InstanceNumber=12)
    path.write_bytes(path.read_bytes().replace(b"IS\x02\x0012", b"I\x1b\x02\x0012"))
    found = by_name(path)["InstanceNumber"]
    assert (found.vr, found.value) == ("I\\x1b", "12 (not readable: NotImplementedError)")


def test_a_value_that_is_too_long_stays_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_image(tmp_path / "a.dcm", PIXELS, ImageComments="x" * 100)
    monkeypatch.setattr("mammoscope.dicom.elements.MAX_VALUE_BYTES", 64)
    found = by_name(path)["ImageComments"]
    assert (found.length, found.value) == ("100", "(100 bytes, left in the file)")


def test_a_value_that_its_vr_forbids_is_shown_and_said(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS)
    path.write_bytes(path.read_bytes().replace(b"US\x02\x00\x02\x00", b"UL\x02\x00\x02\x00"))  # Rows
    found = by_name(path)["Rows"]
    assert (found.vr, found.length) == ("UL", "2")
    assert found.value.startswith("02 00 (not readable: ")


def test_long_binary_and_long_lists_are_cut_here_and_what_was_cut_is_said(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS)
    with open_dicom(path) as layout:
        layout.dataset.add_new(0x00131010, "OB", bytes(300))
        layout.dataset.add_new(0x00186030, "UL", list(range(5000)))
        found = {line.name: line.value for line in header_lines(layout, path)}
    assert found["(0013,1010)"] == "00 " * 64 + "..."
    assert found["TransducerFrequency"].endswith("\\1023\\... (5000 values)")


def test_pixels_that_are_cut_short_say_so_in_their_line(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS)
    path.write_bytes(path.read_bytes()[:-4])
    assert by_name(path)["PixelData"].value.startswith("(E-TRUNCATED: ")
