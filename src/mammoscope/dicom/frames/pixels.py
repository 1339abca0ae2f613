"""From the bytes of a file to grey values: pure functions, array in, array out."""

from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import UID

GREY_KEYWORDS: Final = (
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenter",
    "WindowWidth",
)


def stored_values(container: np.ndarray, bits_stored: int, is_signed: bool) -> np.ndarray:
    """The pixel values proper of an unsigned container, in its width: uint8, uint16, int8 or int16.

    Bits above `bits_stored` carry no meaning (PS3.5 8.1.1; retired overlays lie there), so they are cleared, or filled
    with the sign.
    """
    unused = container.dtype.itemsize * 8 - bits_stored
    if is_signed:
        signed = container.view(f"i{container.dtype.itemsize}")
        return (signed << unused) >> unused if unused else signed
    return container & container.dtype.type((1 << bits_stored) - 1) if unused else container


def grey_facts(dataset: Dataset, transfer_syntax: str) -> Dataset:
    """The elements that decide how stored values become grey values, empty ones left out.

    Scanners write WindowCenter and the like empty where they mean absent; pydicom's functions then fail.
    """
    facts = Dataset()
    facts.file_meta = FileMetaDataset()
    facts.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    for keyword in GREY_KEYWORDS:
        if dataset.get(keyword) not in (None, "", []):
            facts[keyword] = dataset[keyword]
    return facts


def is_plain(facts: Dataset) -> bool:
    """Whether grey_image would give the stored values back."""
    changes = set(GREY_KEYWORDS) - {"BitsStored", "PixelRepresentation", "PhotometricInterpretation"}
    return facts.PhotometricInterpretation == "MONOCHROME2" and not any(keyword in facts for keyword in changes)


def grey_image(pixels: np.ndarray, facts: Dataset) -> np.ndarray:
    """float32 of the same shape: modality LUT, then VOI LUT or window, then inverted where MONOCHROME1.

    Brighter is always denser tissue. The first window, or VOI LUT, is taken where there are several; a VOI LUT wins
    over a window (PS3.3 C.11.2). The inversion maps the range that stored values can reach onto itself, so it does
    not depend on the picture.

    Raises:
        ValueError for half a window or rescale, and whatever pydicom raises for others that the standard forbids.
    """
    for one, other in (("WindowCenter", "WindowWidth"), ("RescaleSlope", "RescaleIntercept")):
        if (one in facts) != (other in facts):  # pydicom would go on without either
            raise ValueError(f"{one} and {other}: one without the other")
    image = _modality_and_voi(pixels, facts)
    if facts.PhotometricInterpretation == "MONOCHROME1":
        reach = _modality_and_voi(_extremes(facts).astype(pixels.dtype), facts).astype(np.float64)
        image = reach.min() + reach.max() - (image.astype(np.float32) if image.dtype.kind in "ui" else image)
    return image.astype(np.float32)


def _modality_and_voi(pixels: np.ndarray, facts: Dataset) -> np.ndarray:
    # signed and wide: pydicom subtracts the first mapped value, which may be negative, in the array's own type
    image = apply_modality_lut(pixels.astype(np.int32), facts) if _has_luts(facts) else pixels
    if "VOILUTSequence" in facts:
        return _apply_voi_lut(np.rint(image), facts)
    return apply_voi_lut(image, facts)


def _has_luts(facts: Dataset) -> bool:
    return any(k in facts for k in ("ModalityLUTSequence", "RescaleSlope", "VOILUTSequence"))


def _apply_voi_lut(image: np.ndarray, facts: Dataset) -> np.ndarray:
    """pydicom 3.0.2 keeps the index into a LUT in the type of its entries: an 8-bit LUT of 4096 entries wraps.

    So the values are clipped to the LUT's domain first, and its entries said to be 16 bit.
    """
    entries, first, depth = facts.VOILUTSequence[0].LUTDescriptor
    domain = np.clip(image, first, first + (entries or 1 << 16) - 1).astype(np.int32)
    if depth != 8:
        return apply_voi_lut(domain, facts)
    item, wide = Dataset(), Dataset()
    item.update(facts.VOILUTSequence[0])
    item.LUTDescriptor = [entries, first, 16]
    wide.file_meta = facts.file_meta
    wide.update(facts)
    wide.VOILUTSequence = [item]
    return apply_voi_lut(domain, wide)


def _extremes(facts: Dataset) -> np.ndarray:
    bits = int(facts.BitsStored)
    lowest = -(1 << bits - 1) if facts.PixelRepresentation else 0
    return np.array([lowest, lowest + (1 << bits) - 1])
