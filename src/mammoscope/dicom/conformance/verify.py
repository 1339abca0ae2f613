"""One file: can it be decoded, has it the pixels that it promises, and is its header what its IOD wants?"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from mammoscope.dicom.conformance.header_checks import element_faults, meta_faults
from mammoscope.dicom.conformance.iod_checks import iod_faults
from mammoscope.dicom.conformance.value_checks import Fault
from mammoscope.dicom.elements import refuse, text
from mammoscope.dicom.frames.frame import image_facts, stored_frames
from mammoscope.dicom.iod import Iod, iod_of
from mammoscope.dicom.layout import Layout, open_dicom, read_behind
from mammoscope.dicom.syntax import check_elements, check_syntax
from mammoscope.errors import DicomError

_ITEM: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Finding:
    code: str  # of codes.CODES
    reason: str
    times: int = 1  # in the file; the reason tells the first of them: frames tend to share their faults

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E-")


def verify_file(path: Path, broken: Mapping[str, str] = MappingProxyType({})) -> tuple[Finding, ...]:
    """Everything that is wrong with it: errors first, then in the order of the header. Never raises for a bad file.

    broken: transfer syntaxes whose decoder does not work, and why: it may give pictures all the same, wrong ones.
    """
    found: list[Fault] = []
    with _noted(found), open_dicom(path) as layout:
        _verify(layout, path, broken, found)
    merged: dict[tuple[str, str], Finding] = {}
    for code, reason in dict.fromkeys(found):
        key = code, _ITEM.sub("[*]", reason)
        first = merged.get(key, Finding(code, reason, 0))
        merged[key] = Finding(code, first.reason, first.times + 1)
    return tuple(sorted(merged.values(), key=lambda f: not f.is_error))


@contextmanager
def _noted(found: list[Fault]) -> Iterator[None]:
    try:
        yield
    except DicomError as error:
        found.append((error.code, error.reason))


def _verify(layout: Layout, path: Path, broken: Mapping[str, str], found: list[Fault]) -> None:
    """Adds to `found`. What one step finds does not keep the others from looking."""
    found.extend(meta_faults(layout))
    # a directory of a medium (DICOMDIR) has its class in the file meta group alone
    sop_class = text(layout.elements, "SOPClassUID") or text(layout.meta, "MediaStorageSOPClassUID")
    iod = iod_of(sop_class)
    if iod is None:
        found.append(("W-SOP-CLASS", _no_iod(sop_class)))
    behind = Dataset()
    with _noted(found):
        behind = read_behind(layout, path)
    with _noted(found):
        found.extend(element_faults(layout.dataset, str(path)))
        found.extend(element_faults(behind, str(path)))
        if iod is not None:
            found.extend(iod_faults(layout, behind, iod.attributes))
    with _noted(found):
        _check_encoding(layout, path)
        _read_all_pixels(layout, iod, path, broken)


def _no_iod(sop_class: str) -> str:
    if not sop_class:
        return "SOPClassUID is absent: nothing says what the file claims to be"
    name = UID_dictionary.get(sop_class, ("no UID of the standard",))[0]
    return f"SOPClassUID {sop_class} ({name}): no IOD that is known here"


def _check_encoding(layout: Layout, path: Path) -> None:
    """Raises: DicomError E-SYNTAX, or what is wrong with the pixels' place."""
    if layout.pixels is not None and layout.pixels.fault is not None:
        raise layout.pixels.fault
    check_syntax(layout, path)
    check_elements(layout, path)


def _read_all_pixels(layout: Layout, iod: Iod | None, path: Path, broken: Mapping[str, str]) -> None:
    """Raises: DicomError for those that are not there, or cannot be decoded."""
    if layout.pixels is None:
        has_grid = "Rows" in layout.dataset and "Columns" in layout.dataset
        is_elsewhere = bool(text(layout.elements, "PixelDataProviderURL"))
        if (iod.has_pixels if iod is not None else has_grid) and not is_elsewhere:
            refuse("E-NO-PIXELS", path, f"the file ends at byte {layout.file_bytes} without PixelData")
        return
    facts = image_facts(layout, path)
    if layout.transfer_syntax in broken:
        refuse("E-UNDECODABLE", path, broken[layout.transfer_syntax])
    for _ in stored_frames(layout, facts, path, isolated=True):
        pass
