"""What a file says of how stored values become grey: read, and refused where the standard forbids it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.functional_groups import grey_elements
from mammoscope.dicom.frames.luts import Lut, read_lut
from mammoscope.errors import DicomError

# VOILUTFunction (PS3.3 C.11.2.1.3) -> the least window width, and whether it is allowed itself
_LEAST_WIDTH: Final = {"LINEAR": (1.0, True), "LINEAR_EXACT": (0.0, False), "SIGMOID": (0.0, False)}


@dataclass(frozen=True, slots=True)
class Rescale:
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class Window:
    center: float
    width: float
    function: str  # LINEAR, LINEAR_EXACT or SIGMOID


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GreyScale:
    """Of one frame."""

    modality: Lut | Rescale
    vois: tuple[Lut | Window, ...]  # alternatives, LUTs first
    is_inverted: bool  # after the VOI transformation
    stored_range: tuple[int, int] | None  # what values can be stored; None of floats
    modality_range: tuple[float, float] | None  # what they can become

    @property
    def is_plain(self) -> bool:
        """Whether what is shown is what is stored, brighter or darker at most."""
        return self.modality == Rescale(1.0, 0.0) and not self.vois and not self.is_inverted


def grey_scale(dataset: Dataset, facts: ImageFacts, path: Path, n: int) -> GreyScale:
    """Raises: DicomError E-GREY, E-FRAMES."""
    try:
        return _grey_scale(dataset, facts, path, n)
    except DicomError:
        raise
    except Exception as error:  # pydicom converts values here, which may be anything
        refuse("E-GREY", path, f"LUT or window: {type(error).__name__}: {error}", error)


def _grey_scale(dataset: Dataset, facts: ImageFacts, path: Path, n: int) -> GreyScale:
    elements = grey_elements(dataset, n, facts.frames, path)
    low = -(1 << facts.bits_stored - 1) if facts.is_signed else 0
    stored = None if facts.is_float else (low, low + (1 << facts.bits_stored) - 1)
    luts = _luts(elements, "ModalityLUTSequence", low < 0, facts, path)
    modality = luts[0] if luts else _rescale(elements, path)
    reach = _modality_range(modality, stored)
    is_signed = reach is not None and reach[0] < 0
    voi_luts = _luts(elements, "VOILUTSequence", is_signed, facts, path)
    return GreyScale(
        modality=modality,
        vois=(*voi_luts, *_windows(elements, path)),
        is_inverted=_is_inverted(elements, facts, path),
        stored_range=stored,
        modality_range=reach,
    )


def _present(elements: Dataset, keyword: str) -> Any:
    """None where it is absent; or empty, which is how scanners write that."""
    value = elements.get(keyword)
    return None if value is None or value == "" or (isinstance(value, Sequence) and not value) else value


def _number(value: Any, keyword: str, path: Path) -> float:
    number = float(value)
    if not math.isfinite(number):
        refuse("E-GREY", path, f"{keyword} is {number}; allowed: a finite number")
    return number


def _pair(elements: Dataset, one: str, other: str, path: Path) -> tuple[Any, Any] | None:
    a, b = _present(elements, one), _present(elements, other)
    if (a is None) != (b is None):
        refuse("E-GREY", path, f"{one} and {other}: one without the other")
    return None if a is None else (a, b)


def _rescale(elements: Dataset, path: Path) -> Rescale:
    pair = _pair(elements, "RescaleSlope", "RescaleIntercept", path)
    if pair is None:
        return Rescale(1.0, 0.0)
    slope, intercept = (_number(v, k, path) for v, k in zip(pair, ("RescaleSlope", "RescaleIntercept"), strict=True))
    if slope == 0:
        refuse("E-GREY", path, "RescaleSlope is 0; allowed: any other")
    return Rescale(slope, intercept)


def _modality_range(modality: Lut | Rescale, stored: tuple[int, int] | None) -> tuple[float, float] | None:
    if isinstance(modality, Lut):
        return 0.0, float(modality.highest)
    if stored is None:
        return None
    ends = sorted(value * modality.slope + modality.intercept for value in stored)
    return ends[0], ends[1]


def _windows(elements: Dataset, path: Path) -> list[Window]:
    pair = _pair(elements, "WindowCenter", "WindowWidth", path)
    if pair is None:
        return []
    centers, widths = (value if isinstance(value, MultiValue) else [value] for value in pair)
    function = str(_present(elements, "VOILUTFunction") or "LINEAR")
    if function not in _LEAST_WIDTH:
        refuse("E-GREY", path, f"VOILUTFunction is {function}; allowed: {', '.join(_LEAST_WIDTH)}")
    if len(centers) != len(widths):
        refuse("E-GREY", path, f"{len(centers)} values of WindowCenter, {len(widths)} of WindowWidth")
    windows = [
        Window(_number(c, "WindowCenter", path), _number(w, "WindowWidth", path), function)
        for c, w in zip(centers, widths, strict=True)
    ]
    least, is_allowed = _LEAST_WIDTH[function]
    for window in windows:
        if window.width < least or (window.width == least and not is_allowed):
            allowed = f"{'from' if is_allowed else 'above'} {least:g}"
            refuse("E-GREY", path, f"WindowWidth is {window.width:g}; allowed for {function}: {allowed}")
    return windows


def _is_inverted(elements: Dataset, facts: ImageFacts, path: Path) -> bool:
    """Once: MONOCHROME1 and INVERSE say the same. Where they differ the shape is the later word, as for others."""
    shape = str(_present(elements, "PresentationLUTShape") or "")
    if shape not in ("", "IDENTITY", "INVERSE"):
        refuse("E-GREY", path, f"PresentationLUTShape is {shape}; allowed: IDENTITY, INVERSE")
    return shape == "INVERSE" if shape else facts.photometric == "MONOCHROME1"


def _luts(elements: Dataset, keyword: str, is_signed: bool, facts: ImageFacts, path: Path) -> list[Lut]:
    """is_signed: whether what is looked up may be negative."""
    items = _present(elements, keyword) or ()
    try:
        return [_lut(item, is_signed, facts) for item in items]
    except ValueError as error:
        refuse("E-GREY", path, f"{keyword}: {error}", error)


def _lut(item: Dataset, is_signed: bool, facts: ImageFacts) -> Lut:
    # pydicom reads it by PixelRepresentation where the file leaves it open; of an unsigned picture the file has said so
    says_signed = item["LUTDescriptor"].VR == "SS" and not facts.is_signed
    is_big_endian = facts.transfer_syntax == ExplicitVRBigEndian
    return read_lut(item.LUTDescriptor, item.LUTData, is_signed=is_signed or says_signed, is_big_endian=is_big_endian)
