"""A header against the IOD of its SOP class: what is absent, and what is empty that must not be. Warnings all."""

from collections.abc import Iterator

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from mammoscope.dicom.conformance.value_checks import Fault, is_blank
from mammoscope.dicom.elements import text
from mammoscope.dicom.iod import CONDITIONS, Attribute, Attributes
from mammoscope.dicom.layout import Layout
from mammoscope.dicom.walk import is_sequence


def iod_faults(layout: Layout, behind: Dataset, attributes: Attributes) -> Iterator[Fault]:
    """behind: what follows the pixels. Both have been walked: their sequences are known to be within limits."""
    yield from _faults(layout.dataset, attributes, "", behind)
    yield from _group_faults(layout)


def _faults(dataset: Dataset, attributes: Attributes, where: str, behind: Dataset) -> Iterator[Fault]:
    for attribute in attributes.values():
        stored = dataset.get_item(attribute.tag, keep_deferred=True) if attribute.tag in dataset else None
        name = f"{where}{attribute.keyword}"
        if stored is None:
            why = _why_wanted(attribute, dataset)
            if why and attribute.tag not in behind:
                yield "W-MISSING", f"{name} is absent ({why})"
        elif attribute.is_filled and is_blank(stored):
            yield "W-EMPTY", f"{name} is empty (type {attribute.kind} of {attribute.module})"
        elif attribute.items and is_sequence(stored, BaseTag(attribute.tag)):
            yield from _item_faults(dataset, attribute, where)


def _item_faults(dataset: Dataset, attribute: Attribute, where: str) -> Iterator[Fault]:
    element = dataset[attribute.tag]
    items = element.value if element.VR == "SQ" else ()  # UN that is too long stays UN
    for number, item in enumerate(items or ()):
        yield from _faults(item, attribute.items, f"{where}{attribute.keyword}[{number}].", Dataset())


def _why_wanted(attribute: Attribute, dataset: Dataset) -> str:
    """Empty where it is not."""
    if attribute.is_required:
        return f"type {attribute.kind} of {attribute.module}"
    condition = CONDITIONS.get(attribute.keyword)
    if attribute.kind not in ("1C", "2C") or condition is None or condition.module not in ("", attribute.module):
        return ""
    other = _said(dataset, condition.other)
    is_met = other in condition.values if condition.values else bool(other)
    if not is_met or (condition.unless and condition.unless in dataset):
        return ""
    found = other if condition.values else "there"
    return f"type {attribute.kind} of {attribute.module}, and {condition.other} is {found}"


def _said(dataset: Dataset, keyword: str) -> str:
    """Without converting anything: the value may be damaged."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    stored = dataset.get_item(tag, keep_deferred=True) if tag in dataset else None
    value = stored.value if stored is not None else None
    if not isinstance(stored, RawDataElement) or not isinstance(value, bytes):
        return str(value or "")
    if dictionary_VR(tag) == "US" and len(value) == 2:
        return str(int.from_bytes(value, "little" if stored.is_little_endian else "big"))
    return value.decode("latin-1").strip(" \0")


def _group_faults(layout: Layout) -> Iterator[Fault]:
    """PS3.3 C.7.6.16: one item of functional groups for all frames, and one for each."""
    frames = text(layout.elements, "NumberOfFrames")
    for keyword, wanted in (("SharedFunctionalGroupsSequence", "1"), ("PerFrameFunctionalGroupsSequence", frames)):
        stored = layout.dataset.get_item(keyword, keep_deferred=True) if keyword in layout.dataset else None
        items = stored.value if stored is not None and stored.VR == "SQ" else None
        if items and wanted and wanted != str(len(items)):
            yield "W-FRAMES", f"{keyword} has {len(items)} items; allowed for {frames or 1} frames: {wanted}"
