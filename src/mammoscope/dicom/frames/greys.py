"""From stored values to what a display shows of them: the grey scale transformations of PS3.3 C.11.

Pure functions, array in, array out; a value's result does not depend on the other values of the picture.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.grey_scale import GreyScale, Rescale, Window, grey_scale
from mammoscope.dicom.frames.luts import Lut, looked_up

_TABLE: Final = 1 << 16  # values


def modality_values(stored: np.ndarray, dataset: Dataset, facts: ImageFacts, path: Path, n: int) -> np.ndarray:
    """float64, same shape. Raises: DicomError E-GREY, E-FRAMES."""
    return _modality(stored, grey_scale(dataset, facts, path, n).modality)


def displayed(
    stored: np.ndarray, dataset: Dataset, facts: ImageFacts, path: Path, n: int, window: int = 0
) -> np.ndarray:
    """float64 from 0 (black) to 1 (white), same shape.

    window: which of the file's VOI LUTs and windows, in this order, from 0; where there is none, all that can be stored
    is spread from black to white.

    Raises: DicomError E-GREY, E-FRAMES.
    """
    scale = grey_scale(dataset, facts, path, n)
    if window != 0 and not 0 <= window < len(scale.vois):
        refuse("E-GREY", path, f"no window {window}; the file has {len(scale.vois)} VOI LUTs and windows")
    return _each_once(stored, scale, lambda values: _shown(values, scale, window))


def film_grey(stored: np.ndarray, dataset: Dataset, facts: ImageFacts, path: Path) -> np.ndarray:
    """As displayed of the only frame, but in the modality's levels: from the darkest that it can give to the brightest.

    `stored` itself where nothing stands between the two, as in CBIS-DDSM: a copy of 27 MB in float32 would take twice
    as long as all the rest of preparing. Else float32. Raises: DicomError E-GREY.
    """
    scale = grey_scale(dataset, facts, path, 0)
    if scale.is_plain:
        return stored
    assert scale.modality_range is not None, "films are of whole numbers"
    low, high = scale.modality_range
    return _each_once(stored, scale, lambda values: (low + _shown(values, scale, 0) * (high - low)).astype(np.float32))


def _each_once(stored: np.ndarray, scale: GreyScale, shown: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """shown(stored); of a large picture, what each value can become is computed once."""
    if scale.stored_range is None or stored.size <= _TABLE or stored.itemsize > 2:
        return shown(stored)
    low, high = scale.stored_range
    table = shown(np.arange(low, high + 1))
    return table[stored.astype(np.int32) - low] if low < 0 else table[stored]


def _shown(stored: np.ndarray, scale: GreyScale, window: int) -> np.ndarray:
    values = _modality(stored, scale.modality)
    if not scale.vois:
        low, high = scale.modality_range or (float(values.min()), float(values.max()))
        shown = (values - low) / ((high - low) or 1.0)
    elif isinstance(voi := scale.vois[window], Lut):
        shown = looked_up(np.rint(values), voi) / voi.highest
    else:
        shown = _windowed(values, voi)
    return 1 - shown if scale.is_inverted else shown


def _modality(stored: np.ndarray, modality: Lut | Rescale) -> np.ndarray:
    if isinstance(modality, Lut):
        return looked_up(stored, modality).astype(np.float64)
    return stored.astype(np.float64) * modality.slope + modality.intercept


def _windowed(values: np.ndarray, window: Window) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.2 and C.11.2.1.3.1, with an output from 0 to 1."""
    center, width = window.center, window.width
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):  # far below the window: 1 / infinity is the 0 that is meant
            return 1 / (1 + np.exp(-4 * (values - center) / width))
    if window.function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:  # LINEAR of width 1: a threshold
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0, 1)
