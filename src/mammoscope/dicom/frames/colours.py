"""From stored values in colour, or indices into a palette, to RGB."""

from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import convert_color_space
from pydicom.uid import ExplicitVRBigEndian

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import PALETTE, ImageFacts
from mammoscope.dicom.frames.luts import looked_up, read_lut

_CHANNELS: Final = ("Red", "Green", "Blue")


def rgb_values(stored: np.ndarray, photometric: str, dataset: Dataset, facts: ImageFacts, path: Path) -> np.ndarray:
    """(rows, columns, 3), uint8. photometric: what the values are now. Raises: DicomError E-COLOR."""
    if photometric == PALETTE:
        try:
            return _painted(stored, dataset, facts)
        except Exception as error:  # pydicom converts values here, which may be anything
            refuse("E-COLOR", path, f"palette: {type(error).__name__}: {error}", error)
    eight = _eight_bits(stored, facts.bits_stored)
    return convert_color_space(eight, photometric, "RGB") if photometric.startswith("YBR_FULL") else eight


def _eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    return (values >> bits - 8 if bits > 8 else values).astype(np.uint8)


def _painted(stored: np.ndarray, dataset: Dataset, facts: ImageFacts) -> np.ndarray:
    out = np.empty((*stored.shape, 3), np.uint8)
    for channel, colour in enumerate(_CHANNELS):
        descriptor = dataset[f"{colour}PaletteColorLookupTableDescriptor"].value
        data = dataset.get(f"{colour}PaletteColorLookupTableData")
        is_segmented = data is None
        if data is None:
            data = dataset[f"Segmented{colour}PaletteColorLookupTableData"].value
        is_big_endian = facts.transfer_syntax == ExplicitVRBigEndian
        lut = read_lut(
            descriptor, data, is_signed=facts.is_signed, is_big_endian=is_big_endian, is_segmented=is_segmented
        )
        out[..., channel] = _eight_bits(looked_up(stored, lut), lut.bits)
    return out
