"""What the tables of IODs say, merged: known answers of PS3.3."""

import pytest
from pydicom.datadict import tag_for_keyword

from mammoscope.dicom.iod import CONDITIONS, Attribute, Attributes, Iod, iod_of

MAMMOGRAPHY, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
TOMOSYNTHESIS, TEXT_REPORT = "1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.840.10008.5.1.4.1.1.88.11"


def iod(sop_class: str) -> Iod:
    found = iod_of(sop_class)
    assert found is not None
    return found


def attribute(attributes: Attributes, *path: str) -> Attribute:
    for keyword in path[:-1]:
        attributes = attributes[tag_for_keyword(keyword)].items
    return attributes[tag_for_keyword(path[-1])]


@pytest.mark.parametrize(
    ("sop_class", "path", "kind", "is_required", "is_filled"),
    [
        (MAMMOGRAPHY, "PatientID", "2", True, False),
        (MAMMOGRAPHY, "ImageLaterality", "1", True, True),
        # type 2 of DX anatomy, type 1 of the mammography image: the stricter of two that both hold
        (MAMMOGRAPHY, "AnatomicRegionSequence", "1", True, True),
        (MAMMOGRAPHY, "ViewCodeSequence.CodeMeaning", "1", True, True),
        (MAMMOGRAPHY, "Laterality", "2C", False, False),
        (MAMMOGRAPHY, "WindowWidth", "1C", False, True),
        (SECONDARY_CAPTURE, "ConversionType", "1", True, True),
        (SECONDARY_CAPTURE, "Manufacturer", "2", False, False),  # general equipment is the user's choice there
        (TOMOSYNTHESIS, "NumberOfFrames", "1", True, True),
        (TOMOSYNTHESIS, "SharedFunctionalGroupsSequence.PixelMeasuresSequence", "1", False, True),
        (TOMOSYNTHESIS, "SharedFunctionalGroupsSequence.FrameAnatomySequence.FrameLaterality", "1", True, True),
        (TEXT_REPORT, "ContentSequence.RelationshipType", "1", True, True),
        (TEXT_REPORT, "ContentSequence.ReferencedSOPSequence", "1", False, True),  # of an IMAGE alone
    ],
)
def test_known_attributes(sop_class: str, path: str, kind: str, is_required: bool, is_filled: bool):
    found = attribute(iod(sop_class).attributes, *path.split("."))
    assert (found.kind, found.is_required, found.is_filled) == (kind, is_required, is_filled)


def test_which_instances_have_pixels():
    assert iod(MAMMOGRAPHY).has_pixels
    assert not iod(TEXT_REPORT).has_pixels
    assert not iod("1.2.840.10008.5.1.4.1.1.481.2").has_pixels  # a dose may be given by contours


def test_what_the_tables_do_not_have():
    assert iod_of("1.2.840.10008.5.1.4.1.1.6") is None  # retired
    assert iod_of("") is None


def test_conditions_name_elements_that_exist():
    for keyword, condition in CONDITIONS.items():
        assert all(tag_for_keyword(name) for name in (keyword, condition.other, condition.unless or keyword))
