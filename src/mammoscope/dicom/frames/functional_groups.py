"""Which elements hold for which frame of a multi-frame file (PS3.3 C.7.6.16)."""

from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from mammoscope.dicom.elements import refuse

# macro -> what it holds, of which each takes the place of what stands at the file's top
GREY_MACROS: Final = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),  # C.7.6.16.2.9
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),  # C.7.6.16.2.10
}
_OF_OTHERS: Final = {"PixelValueTransformationSequence": ("ModalityLUTSequence",)}  # what it rules out


def macro_of(dataset: Dataset, macro: str, n: int, frames: int, path: Path) -> Dataset | None:
    """The first item of a macro that holds for frame n: its own, else that which all frames share.

    Raises: DicomError E-FRAMES where the frames' own groups are not as many as the frames.
    """
    own = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    if own and len(own) != frames:
        refuse("E-FRAMES", path, f"functional groups of {len(own)} frames; NumberOfFrames is {frames}")
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for group in (*own[n : n + 1], *shared[:1]):
        if items := group.get(macro):
            return items[0]
    return None


def grey_elements(dataset: Dataset, n: int, frames: int, path: Path) -> Dataset:
    """The data set itself, or one in which what frame n's functional groups say of grey values stands at the top."""
    macros = {macro: macro_of(dataset, macro, n, frames, path) for macro in GREY_MACROS}
    if not any(macros.values()):
        return dataset
    merged = Dataset()
    merged.update({tag: element for tag, element in dataset.items() if tag.group in (0x0028, 0x2050)})
    for macro, item in macros.items():
        if item is None:
            continue
        for keyword in (*GREY_MACROS[macro], *_OF_OTHERS.get(macro, ())):
            if keyword in merged:
                del merged[keyword]
            if keyword in item:
                merged[keyword] = item[keyword]
    return merged
