"""What decides where a picture hangs, from headers of every kind."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from mammoscope.dicom.headers.cards import read_card
from mammoscope.errors import DicomError

from ...clinical import write_image

PIXELS = np.zeros((2, 2), np.uint16)


def coded(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, "SCT"
    return item


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({"ViewPosition": "MLO"}, "MLO"),
        ({"ViewCodeSequence": [coded("399162004")]}, "CC"),
        ({"ViewCodeSequence": [coded("R-10226")]}, "MLO"),
        ({"ViewCodeSequence": [coded("unknown")]}, ""),
        ({"PatientOrientation": "CC"}, "CC"),  # CBIS-DDSM
        ({"PatientOrientation": ["P", "L"]}, ""),
        ({"PatientOrientation": "A"}, ""),  # one direction alone is no view
        ({"ViewPosition": "ML", "PatientOrientation": "CC"}, "ML"),
    ],
)
def test_view(tmp_path: Path, elements: dict, view: str):
    assert read_card(write_image(tmp_path / "a.dcm", PIXELS, **elements)).view == view


def test_laterality_of_the_image_comes_before_that_of_the_body(tmp_path: Path):
    assert read_card(write_image(tmp_path / "a.dcm", PIXELS, Laterality="L")).laterality == "L"
    both = write_image(tmp_path / "b.dcm", PIXELS, Laterality="L", ImageLaterality="R", PatientOrientation=["A", "R"])
    assert (read_card(both).laterality, read_card(both).orientation) == ("R", ("A", "R"))


def test_a_tomosynthesis_file_says_it_for_all_frames_at_once(tmp_path: Path):
    shared, anatomy = Dataset(), Dataset()
    anatomy.FrameLaterality = "R"
    shared.FrameAnatomySequence, shared.ViewCodeSequence = [anatomy], [coded("399368009")]
    card = read_card(write_image(tmp_path / "a.dcm", PIXELS, SharedFunctionalGroupsSequence=[shared]))
    assert (card.laterality, card.view) == ("R", "MLO")


def test_a_document_is_told_from_a_picture_that_was_cut_off(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\xe0\x7f\x10\x00")])
    assert not read_card(path).has_pixels
    assert not read_card(path).is_document
    document = write_image(tmp_path / "b.dcm", PIXELS)
    start, end = (document.read_bytes().index(tag) for tag in (b"\x28\x00\x02\x00", b"\xe0\x7f\x10\x00"))
    document.write_bytes(document.read_bytes()[:start])
    assert end > start
    assert read_card(document).is_document


def test_names_are_in_the_files_character_set(tmp_path: Path):
    for known, said in (("ISO_IR 192", "Gräfin 山"), ("ISO_IR 100", "Gräfin")):
        path = write_image(tmp_path / "a.dcm", PIXELS, SpecificCharacterSet=known, PatientID=said)
        assert read_card(path).patient_id == said
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"ISO_IR 9XX"))
    assert "Gr" in read_card(path).patient_id


def test_a_text_is_as_long_as_a_page_can_bear_and_obeys_nobody(tmp_path: Path):
    path = write_image(tmp_path / "a.dcm", PIXELS, PatientID="\x1b" + "x" * 9)
    assert read_card(path).patient_id == "\\x1b" + "x" * 9
    (tmp_path / "b.dcm").write_bytes(b"")
    with pytest.raises(DicomError, match="E-NOT-DICOM"):
        read_card(tmp_path / "b.dcm")
