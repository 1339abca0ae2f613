"""Whether a file is encoded as its transfer syntax says (PS3.5 10 and annex A)."""

from pathlib import Path

from pydicom.dataelem import RawDataElement
from pydicom.uid import UID, UID_dictionary

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.layout import Layout


def check_syntax(layout: Layout, path: Path) -> None:
    """Raises: DicomError E-SYNTAX where no transfer syntax of the standard is named, or the pixels are in another."""
    syntax = _named(layout, path)
    if layout.pixels is not None and layout.pixels.is_encapsulated != syntax.is_encapsulated:
        found = "encapsulated" if layout.pixels.is_encapsulated else "not encapsulated"
        refuse("E-SYNTAX", path, f"PixelData is {found}, against {syntax.name}")


def check_elements(layout: Layout, path: Path) -> None:
    """Raises: DicomError E-SYNTAX where the elements before the pixels are in another than the one that is named.

    Such files can be read, as the elements tell; nobody else has to.
    """
    syntax = _named(layout, path)
    for element in layout.elements.values():
        if not isinstance(element, RawDataElement):
            continue
        if element.is_implicit_VR != syntax.is_implicit_VR:
            found = "implicit" if element.is_implicit_VR else "explicit"
            refuse("E-SYNTAX", path, f"its elements have {found} value representations, against {syntax.name}")
        if element.is_little_endian != syntax.is_little_endian:
            found = "little" if element.is_little_endian else "big"
            refuse("E-SYNTAX", path, f"its elements are {found} endian, against {syntax.name}")


def _named(layout: Layout, path: Path) -> UID:
    uid = layout.transfer_syntax
    if UID_dictionary.get(uid, ("", ""))[1] != "Transfer Syntax":
        found = f"{uid} is no transfer syntax of the standard" if uid else "no transfer syntax is named"
        refuse("E-SYNTAX", path, found)
    return UID(uid)
