"""One DICOM file -> its header, its stored values, its grey image. What cannot be trusted is refused with a code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mammoscope.dicom.elements import refuse, text
from mammoscope.dicom.frames.facts import GREY, ImageFacts, stated_facts
from mammoscope.dicom.frames.facts_checks import check_facts
from mammoscope.dicom.frames.frame import stored_frame
from mammoscope.dicom.frames.greys import film_grey
from mammoscope.dicom.layout import Layout, open_dicom


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The facts of one file that holds one monochrome frame of modality MG, and as many bytes as it promises."""

    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    patient_orientation: str  # CBIS-DDSM: the view; clinical files: two directions
    laterality: str  # L, R or empty: ImageLaterality, else Laterality
    view: str  # ViewPosition, else PatientOrientation
    modality: str
    series_description: str
    rows_px: int
    columns_px: int
    bits_allocated: int  # 8 or 16
    bits_stored: int
    is_signed: bool
    photometric: str  # MONOCHROME1 or MONOCHROME2
    transfer_syntax: str
    samples_per_pixel: int
    frames: int
    file_bytes: int
    pixel_bytes: int  # of PixelData's value, as it lies in the file


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """raw: stored values, (rows, columns), of 8 or 16 bits. grey: same shape, brighter is denser; see film_grey."""

    raw: np.ndarray
    header: Header
    grey: np.ndarray

    @property
    def image(self) -> np.ndarray:
        """grey as float32; made anew at each call where it is not."""
        return self.grey.astype(np.float32, copy=False)


def read_header(path: Path) -> Header:
    """Reads up to the pixels and compares what they promise with the file's size. Raises: DicomError (dicom.codes)."""
    with open_dicom(path) as layout:
        return _usable_header(layout, path)[0]


def read_pixels(path: Path) -> tuple[np.ndarray, Header]:
    """Stored values, (rows, columns), before any LUT. Raises: DicomError (dicom.codes)."""
    with open_dicom(path) as layout:
        header, facts = _usable_header(layout, path)
        return stored_frame(layout, facts, path, 0), header


def read_film(path: Path) -> Film:
    """Stored values and the grey image that a display starts from. Raises: DicomError (dicom.codes)."""
    with open_dicom(path) as layout:
        header, facts = _usable_header(layout, path)
        raw = stored_frame(layout, facts, path, 0)
        return Film(raw, header, film_grey(raw, layout.dataset, facts, path))


def _usable_header(layout: Layout, path: Path) -> tuple[Header, ImageFacts]:
    _check_modality(layout, path)
    facts = stated_facts(layout, path)
    header = _header(layout, facts, path)
    _check_film(facts, path)
    check_facts(facts, layout, path)
    return header, facts


def _check_modality(layout: Layout, path: Path) -> None:
    pixels, modality = layout.pixels, text(layout.elements, "Modality")
    if pixels is not None and pixels.fault is not None:
        raise pixels.fault
    if modality != "MG" and (modality or pixels is not None):
        refuse("E-NOT-MG", path, f"Modality is {modality or 'absent'}; allowed: MG")


def _header(layout: Layout, facts: ImageFacts, path: Path) -> Header:
    elements, pixels = layout.elements, layout.pixels
    assert pixels is not None, "facts have been read"
    uids = {name: text(elements, keyword) for name, keyword in _UIDS.items()}
    if absent := [_UIDS[name] for name, value in uids.items() if not value]:
        refuse("E-HEADER", path, f"{absent[0]} is absent")
    orientation = text(elements, "PatientOrientation")
    return Header(
        **uids,
        patient_id=text(elements, "PatientID"),
        patient_orientation=orientation,
        laterality=text(elements, "ImageLaterality") or text(elements, "Laterality"),
        view=text(elements, "ViewPosition") or orientation,
        modality=facts.modality,
        series_description=text(elements, "SeriesDescription"),
        rows_px=facts.rows_px,
        columns_px=facts.columns_px,
        bits_allocated=facts.bits_allocated,
        bits_stored=facts.bits_stored,
        is_signed=facts.is_signed,
        photometric=facts.photometric,
        transfer_syntax=facts.transfer_syntax,
        samples_per_pixel=facts.samples_per_pixel,
        frames=facts.frames,
        file_bytes=layout.file_bytes,
        pixel_bytes=pixels.length,
    )


_UIDS: Final = {"sop_uid": "SOPInstanceUID", "series_uid": "SeriesInstanceUID", "study_uid": "StudyInstanceUID"}


def _check_film(facts: ImageFacts, path: Path) -> None:
    """What other images may be, and a film may not."""
    if facts.samples_per_pixel != 1 or facts.photometric not in GREY:
        found = f"{facts.photometric}, {facts.samples_per_pixel} samples a pixel"
        refuse("E-COLOR", path, f"{found}; allowed: {', '.join(GREY)}")
    if facts.frames != 1:
        refuse("E-FRAMES", path, f"{facts.frames} frames; allowed: 1")
    if facts.is_float or facts.bits_allocated not in (8, 16):
        found = f"{'floating point pixels, ' if facts.is_float else ''}BitsAllocated {facts.bits_allocated}"
        refuse("E-BITS", path, f"{found}; allowed: whole numbers of 8 or 16 bits, the lowest of them stored")
