"""What the headers say of each frame's place and meaning: of single-frame files, and of files of many frames.

No pixel is read here.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import GREY, ImageFacts
from mammoscope.dicom.frames.facts_checks import image_facts
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.dicom.volumes.geometry import Plane, check_plane
from mammoscope.dicom.volumes.legacy_frames import first_plane, frame_offsets
from mammoscope.errors import DicomError

NO_PLACE: Final = "E-NO-GEOMETRY"

Named = tuple[tuple[str, str], ...]  # keyword and value

_FRAME_TYPES: Final = (
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "XRay3DFrameTypeSequence",
)
# what tells the volumes of a series apart: functional group, element of it, element of a single-frame file
_PARTS: Final = (
    ("stack", "FrameContentSequence", "StackID", ""),
    ("time", "FrameContentSequence", "TemporalPositionIndex", "TemporalPositionIdentifier"),
    ("echo", "MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("b-value", "MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
    ("segment", "SegmentIdentificationSequence", "ReferencedSegmentNumber", ""),
)
_OF_FIRST_PLANE: Final = ("ImagePositionPatient", "ImageOrientationPatient")
_ALIKE: Final = ("Modality", "SOPClassUID", "PhotometricInterpretation", "Units", "DoseUnits")
_ALIKE_UNSAID: Final = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "FrameOfReferenceUID")  # identify


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One frame, as its header has it."""

    path: Path
    frame: int  # from 0
    series_uid: str
    plane: Plane
    spacing_mm: float | None  # SpacingBetweenSlices
    thickness_mm: float | None
    part: Named  # what tells its volume from others of its series
    alike: Named  # what all frames of a volume have in common, and errors may say
    alike_unsaid: Named  # the same, of what identifies
    bits_stored: int
    stored: np.dtype
    slope: float
    intercept: float
    has_lut: bool  # a modality LUT in place of slope and intercept
    unit: str  # RescaleType, Units or DoseUnits; empty where the header has none


@dataclass(frozen=True, slots=True)
class _Groups:
    """Where a frame's facts stand: in its own functional groups, in those that all share, at the top (C.7.6.16)."""

    own: Dataset | None
    shared: Dataset | None
    top: Dataset

    def items(self, macro: str) -> Any:
        for groups in (self.own, self.shared):
            if groups is not None and (items := groups.get(macro)):
                return items
        return ()

    def value(self, macro: str, keyword: str, at_top: str | None = None) -> Any:
        """None where it is absent or empty. at_top: what a single-frame file calls it, empty where it has none."""
        for item in self.items(macro)[:1]:
            if not _is_empty(found := item.get(keyword)):
                return found
        at_top = keyword if at_top is None else at_top
        holder = first_plane(self.top) if at_top in _OF_FIRST_PLANE else self.top
        found = holder.get(at_top) if at_top else None
        return None if _is_empty(found) else found


def series_of(path: Path) -> tuple[str, bool]:
    """SeriesInstanceUID, empty where there is none, and whether the header speaks of places at all.

    Raises: DicomError (see dicom.codes.CODES).
    """
    with open_dicom(path) as layout, _guarded(path):
        d = layout.dataset
        has_place = "PerFrameFunctionalGroupsSequence" in d or "ImagePositionPatient" in first_plane(d)
        return str(d.get("SeriesInstanceUID") or ""), has_place


def read_slices(path: Path) -> list[Slice]:
    """The frames of one file, in its order.

    Raises: DicomError E-NO-GEOMETRY, E-GEOMETRY, E-COLOR, and what open_dicom and image_facts raise.
    """
    with open_dicom(path) as layout, _guarded(path):
        return list(_slices(layout, path))


def _slices(layout: Layout, path: Path) -> Iterator[Slice]:
    d = layout.dataset
    stated, per_frame = int(d.get("NumberOfFrames") or 1), d.get("PerFrameFunctionalGroupsSequence")
    offsets = None if per_frame else frame_offsets(d, stated, path)
    has_place = per_frame or "ImagePositionPatient" in first_plane(d)
    if not has_place or (stated > 1 and not per_frame and offsets is None):
        found = "no position" if not has_place else f"one position for {stated} frames"
        refuse(NO_PLACE, path, f"{found} in the patient's space: {d.get('Modality') or 'modality unknown'}")
    facts = image_facts(layout, path)
    if per_frame and len(per_frame) != facts.frames:
        refuse("E-GEOMETRY", path, f"functional groups of {len(per_frame)} frames; NumberOfFrames is {facts.frames}")
    shared = next(iter(d.get("SharedFunctionalGroupsSequence") or ()), None)
    for n in range(facts.frames):
        groups = _Groups(per_frame[n] if per_frame else None, shared, d)
        yield _slice(groups, facts, offsets[n] if offsets else 0.0, path, n)


def _slice(groups: _Groups, facts: ImageFacts, offset_mm: float, path: Path, n: int) -> Slice:
    top, is_dose = groups.top, facts.sop_class == RTDoseStorage
    slope, intercept = _rescale(groups, path)
    unit = groups.value("PixelValueTransformationSequence", "RescaleType") or top.get("Units") or top.get("DoseUnits")
    plane = _plane(groups, facts, offset_mm, path, n)
    if facts.photometric not in GREY:
        refuse(
            "E-COLOR",
            path,
            f"{facts.photometric}, {facts.samples_per_pixel} samples a pixel; allowed: {', '.join(GREY)}",
        )
    alike = tuple((keyword, _text(top.get(keyword))) for keyword in _ALIKE)
    return Slice(
        path=path,
        frame=n,
        series_uid=_text(top.get("SeriesInstanceUID")),
        plane=plane,
        spacing_mm=_number(groups, "PixelMeasuresSequence", "SpacingBetweenSlices", path),
        thickness_mm=_number(groups, "PixelMeasuresSequence", "SliceThickness", path),
        part=tuple(_parts(groups)),
        alike=(*alike, ("unit", _text(unit))),
        alike_unsaid=tuple((keyword, _text(top.get(keyword))) for keyword in _ALIKE_UNSAID),
        bits_stored=facts.bits_stored,
        stored=np.dtype(f"{_kind(facts)}{max(1, facts.bits_allocated // 8)}"),
        slope=float(top.DoseGridScaling) if is_dose else slope,
        intercept=0.0 if is_dose else intercept,
        has_lut="ModalityLUTSequence" in top and not groups.items("PixelValueTransformationSequence"),
        unit=_text(unit),
    )


def _kind(facts: ImageFacts) -> str:
    return "f" if facts.is_float else "i" if facts.is_signed else "u"


def _plane(groups: _Groups, facts: ImageFacts, offset_mm: float, path: Path, n: int) -> Plane:
    numbers = {
        keyword: _numbers(groups.value(macro, keyword), count, keyword, path)
        for macro, keyword, count in (
            ("PlanePositionSequence", "ImagePositionPatient", 3),
            ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
            ("PixelMeasuresSequence", "PixelSpacing", 2),
        )
    }
    absent = [keyword for keyword, values in numbers.items() if values is None]
    if absent:
        refuse(NO_PLACE, path, f"frame {n + 1} has no {absent[0]}: {facts.modality or 'modality unknown'}")
    position, cosines, spacing = (np.array(values) for values in numbers.values())
    if "MOSAIC" in _text(groups.top.get("ImageType")).split("\\"):
        refuse(
            "E-GEOMETRY", path, "a mosaic: many slices in one image, whose places are in the vendor's private elements"
        )
    position = position + offset_mm * np.cross(cosines[:3], cosines[3:])
    plane = Plane(
        name=path.name if facts.frames == 1 else f"{path.name} frame {n + 1}",
        position=tuple(position.tolist()),
        along_row=tuple(cosines[:3].tolist()),
        along_column=tuple(cosines[3:].tolist()),
        row_spacing_mm=float(spacing[0]),
        column_spacing_mm=float(spacing[1]),
        rows_px=facts.rows_px,
        columns_px=facts.columns_px,
    )
    check_plane(plane, str(path))
    return plane


def _parts(groups: _Groups) -> Iterator[tuple[str, str]]:
    kinds = [groups.value(macro, "FrameType", "") for macro in _FRAME_TYPES]
    kind = next((kind for kind in kinds if kind is not None), groups.top.get("ImageType"))
    yield "type", _text(kind)
    for word, macro, keyword, at_top in _PARTS:
        yield word, _text(groups.value(macro, keyword, at_top))
    directions = [item.get("DiffusionGradientDirectionSequence") for item in groups.items("MRDiffusionSequence")]
    direction = next((items[0].get("DiffusionGradientOrientation") for items in directions if items), None)
    yield "direction", _text(groups.top.get("DiffusionGradientOrientation") if direction is None else direction)


def _rescale(groups: _Groups, path: Path) -> tuple[float, float]:
    macro = "PixelValueTransformationSequence"
    slope, intercept = (_number(groups, macro, keyword, path) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if (slope is None) != (intercept is None):
        refuse("E-GREY", path, "RescaleSlope and RescaleIntercept: one without the other")
    if slope == 0:
        refuse("E-GREY", path, "RescaleSlope is 0: all pixels would be the same")
    return (1.0, 0.0) if slope is None or intercept is None else (slope, intercept)


def _number(groups: _Groups, macro: str, keyword: str, path: Path) -> float | None:
    values = _numbers(groups.value(macro, keyword), 1, keyword, path)
    return None if values is None else values[0]


def _numbers(value: Any, count: int, keyword: str, path: Path) -> list[float] | None:
    if value is None:
        return None
    values = [float(v) for v in np.atleast_1d(value)]
    if len(values) != count or not np.isfinite(values).all():
        refuse("E-GEOMETRY", path, f"{keyword} is {_text(value)}; allowed: {count} finite number{'s' * (count > 1)}")
    return values


def _is_empty(value: Any) -> bool:
    return value is None or (not isinstance(value, int | float) and len(value) == 0)


def _text(value: Any) -> str:
    return "" if value is None else "\\".join(str(v).strip() for v in np.atleast_1d(value))


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """What pydicom raises for values that their representations forbid, as an error with a code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (DicomError, MemoryError):
        raise
    except Exception as error:
        refuse("E-HEADER", path, f"a value cannot be read: {type(error).__name__}: {error}", error)
