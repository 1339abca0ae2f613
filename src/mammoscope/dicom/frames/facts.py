"""What a file says of its pixels: the facts of the Image Pixel module (PS3.3 C.7.6.3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mammoscope.dicom.elements import number, refuse, text
from mammoscope.dicom.layout import Layout, Pixels
from mammoscope.errors import DicomError

GREY: Final = ("MONOCHROME1", "MONOCHROME2")
PALETTE: Final = "PALETTE COLOR"
_FLOAT_BITS: Final = {0x7FE00008: 32, 0x7FE00009: 64}  # of FloatPixelData, DoubleFloatPixelData


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """Of a file of any modality, one frame or many, grey or in colour."""

    rows_px: int
    columns_px: int
    frames: int
    samples_per_pixel: int  # 1 or 3
    bits_allocated: int  # 1, 8, 16 or 32; of floats 32 or 64
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_float: bool
    photometric: str
    planar_configuration: int | None  # 0: colour by pixel; 1: by plane; None: not said, as where there is one sample
    transfer_syntax: str
    sop_class: str
    modality: str

    @property
    def frame_pixels(self) -> int:
        return self.rows_px * self.columns_px

    @property
    def frame_values(self) -> int:
        """Of one frame, decoded."""
        return self.frame_pixels * self.samples_per_pixel

    @property
    def frame_bytes(self) -> int:
        """Of one frame, decoded, in whole bytes a value."""
        return self.frame_values * max(1, self.bits_allocated // 8)

    @property
    def frame_bits(self) -> int:
        """Of one frame, uncompressed. YBR_FULL_422 halves two of its three samples (PS3.3 C.7.6.3.1.2)."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples_per_pixel
        return self.frame_pixels * samples * self.bits_allocated


def stated_facts(layout: Layout, path: Path) -> ImageFacts:
    """Not checked yet: see facts_checks. Raises: DicomError E-NO-PIXELS, E-TRUNCATED, E-HEADER."""
    pixels, elements = _pixels(layout, path), layout.elements
    frames = text(elements, "NumberOfFrames") or "1"
    if not frames.isdecimal() or not int(frames):
        refuse("E-HEADER", path, f"NumberOfFrames is {frames!r}; allowed: a whole number from 1")
    photometric = text(elements, "PhotometricInterpretation")
    if not photometric:
        refuse("E-HEADER", path, "PhotometricInterpretation is absent")
    samples = number(elements, "SamplesPerPixel", path)
    float_bits = _FLOAT_BITS.get(pixels.tag)
    return ImageFacts(
        rows_px=number(elements, "Rows", path),
        columns_px=number(elements, "Columns", path),
        frames=int(frames),
        samples_per_pixel=samples,
        bits_allocated=number(elements, "BitsAllocated", path),
        bits_stored=float_bits or number(elements, "BitsStored", path),  # PS3.3 C.7.6.24: floats have but BitsAllocated
        high_bit=float_bits - 1 if float_bits else number(elements, "HighBit", path),
        is_signed=bool(float_bits) or number(elements, "PixelRepresentation", path) == 1,
        is_float=bool(float_bits),
        photometric=photometric,
        planar_configuration=_planar_configuration(layout, path) if samples > 1 else None,
        transfer_syntax=layout.transfer_syntax,
        sop_class=text(elements, "SOPClassUID"),
        modality=text(elements, "Modality"),
    )


def _pixels(layout: Layout, path: Path) -> Pixels:
    pixels = layout.pixels
    if pixels is None:
        refuse("E-NO-PIXELS", path, f"the file ends at byte {layout.file_bytes} without PixelData")
    if pixels.fault is not None:
        raise pixels.fault
    return pixels


def _planar_configuration(layout: Layout, path: Path) -> int | None:
    try:
        return number(layout.elements, "PlanarConfiguration", path)
    except DicomError:
        return None
