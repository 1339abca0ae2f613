"""What one file says of itself that decides where its picture hangs: whose it is, of when, which breast, which view."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from mammoscope.dicom.elements import Elements, number, text
from mammoscope.dicom.headers.lines import plain
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.errors import DicomError

# DICOM CID 4014 in the words of ViewPosition (0018,5101): by SNOMED CT, and by what SNOMED RT called them before
_VIEWS: Final = {
    "399162004": "CC",
    "R-10242": "CC",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399260004": "ML",
    "R-10224": "ML",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "399196006": "FB",
    "399188001": "SIO",
    "441555000": "ISO",
    "399192008": "XCCL",
    "399101009": "XCCM",
}
_VIEW_WORDS: Final = frozenset(_VIEWS.values())
_MOST: Final = 64  # characters of a text: its VR allows no more, and a page shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Texts are as in the file, safe to show, and empty where it says nothing."""

    sop_class: str
    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    modality: str
    study_date: str  # YYYYMMDD
    study_time: str
    series_description: str
    instance_number: str
    laterality: str  # L or R; B where both; else empty
    view: str  # CC, MLO, ML ...
    orientation: tuple[str, ...]  # PatientOrientation: whither rows run, and columns; CBIS-DDSM: the view alone
    rows: str
    columns: str
    has_pixels: bool

    @property
    def is_document(self) -> bool:
        """A report, a plan, a directory: no picture that was cut off, which would say how many rows it has."""
        return not self.has_pixels and not self.rows


def read_card(path: Path) -> Card:
    """Raises: DicomError, where the header cannot be read; pixels are not looked at."""
    with open_dicom(path) as layout:
        elements, top = layout.elements, layout.dataset
        orientation = tuple(word.strip() for word in text(elements, "PatientOrientation").split("\\") if word.strip())
        said = {name: plain(_said(layout, keyword)[:_MOST]) for name, keyword in _TEXTS.items()}
        laterality = text(elements, "ImageLaterality") or _nested_text(top, "FrameLaterality")
        return Card(
            **said,
            laterality=plain(laterality or text(elements, "Laterality"))[:_MOST],
            view=plain(_view(top, text(elements, "ViewPosition"), orientation))[:_MOST],
            orientation=tuple(plain(word)[:_MOST] for word in orientation[:2]),
            rows=_number(elements, "Rows", path),
            columns=_number(elements, "Columns", path),
            has_pixels=layout.pixels is not None,
        )


_TEXTS: Final = {
    "sop_class": "SOPClassUID",
    "sop_uid": "SOPInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "study_uid": "StudyInstanceUID",
    "patient_id": "PatientID",
    "modality": "Modality",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "series_description": "SeriesDescription",
    "instance_number": "InstanceNumber",
}


def _said(layout: Layout, keyword: str) -> str:
    """In the file's character set, which only some elements are in."""
    if keyword in _IN_CHARACTER_SET:
        with suppress(Exception), warnings.catch_warnings():  # of a set that is not known: letter by letter, as below
            warnings.simplefilter("ignore")
            return str(layout.dataset.get(keyword) or "").strip()
    return text(layout.elements, keyword)


_IN_CHARACTER_SET: Final = frozenset({"PatientID", "SeriesDescription"})


def _number(elements: Elements, keyword: str, path: Path) -> str:
    try:
        return str(number(elements, keyword, path))
    except DicomError:  # a document has none
        return ""


def _view(top: Dataset, position: str, orientation: tuple[str, ...]) -> str:
    if position:
        return position
    for item in _items(top, "ViewCodeSequence"):
        with suppress(Exception):  # of a sequence that is none
            if view := _VIEWS.get(str(item.CodeValue)):
                return view
    return orientation[0] if len(orientation) == 1 and orientation[0] in _VIEW_WORDS else ""


def _nested_text(top: Dataset, keyword: str) -> str:
    for item in _items(top, "FrameAnatomySequence"):
        with suppress(Exception):
            return str(item[keyword].value or "")
    return ""


def _items(top: Dataset, sequence: str) -> Iterator[Dataset]:
    """Of a sequence at the top, or in the functional group that all frames share (PS3.3 C.7.6.16)."""
    with suppress(Exception):  # a header that is damaged there says nothing
        yield from top.get(sequence) or ()
        for shared in top.get("SharedFunctionalGroupsSequence") or ():
            yield from shared.get(sequence) or ()
