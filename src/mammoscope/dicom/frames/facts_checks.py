"""Whether the facts of a file's pixels fit each other and what is there: before memory is asked for."""

from pathlib import Path
from typing import Final

from pydicom.tag import Tag
from pydicom.uid import UID

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.decoders import DECODERS
from mammoscope.dicom.frames.facts import GREY, PALETTE, ImageFacts, stated_facts
from mammoscope.dicom.layout import Layout, Pixels
from mammoscope.dicom.syntax import check_syntax

MAX_PIXELS: Final = 1 << 28  # of a frame: seven times the largest film of CBIS-DDSM; a promise beyond it is a bomb
_ONE_SAMPLE: Final = (*GREY, PALETTE)
_THREE_SAMPLES: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def image_facts(layout: Layout, path: Path) -> ImageFacts:
    """Facts that fit each other and the pixels that are there; no pixel is read.

    Raises: DicomError E-NO-PIXELS, E-TRUNCATED, E-UNREADABLE, E-HEADER, E-COLOR, E-BITS, E-SIZE, E-SYNTAX,
    E-UNDECODABLE.
    """
    facts = stated_facts(layout, path)
    check_facts(facts, layout, path)
    return facts


def check_facts(facts: ImageFacts, layout: Layout, path: Path) -> None:
    """Before memory is asked for. Raises: see image_facts."""
    assert layout.pixels is not None, "facts have been read"
    _check_colour(facts, layout.pixels, path)
    _check_bits(facts, layout.pixels, path)
    if not 0 < facts.frame_pixels <= MAX_PIXELS:
        refuse("E-SIZE", path, f"{facts.rows_px} x {facts.columns_px} px; allowed: 1 to {MAX_PIXELS} pixels")
    check_syntax(layout, path)
    _check_decoder(facts, layout.pixels, path)
    if not layout.pixels.is_encapsulated:
        _check_length(facts, layout.pixels, path)


def _check_colour(facts: ImageFacts, pixels: Pixels, path: Path) -> None:
    allowed = {1: _ONE_SAMPLE, 3: _THREE_SAMPLES}.get(facts.samples_per_pixel, ())
    if facts.photometric not in allowed:
        found = f"{facts.photometric}, {facts.samples_per_pixel} samples a pixel"
        refuse("E-COLOR", path, f"{found}; allowed: {', '.join(_ONE_SAMPLE)} of 1, {', '.join(_THREE_SAMPLES)} of 3")
    if facts.samples_per_pixel == 1 or pixels.is_encapsulated:
        return
    if facts.photometric == "YBR_FULL_422":
        if facts.columns_px % 2:
            refuse("E-COLOR", path, f"YBR_FULL_422 with {facts.columns_px} columns; allowed: an even number")
    elif facts.planar_configuration not in (0, 1):
        refuse("E-HEADER", path, f"PlanarConfiguration is {facts.planar_configuration}; allowed in colour: 0, 1")


def _check_bits(facts: ImageFacts, pixels: Pixels, path: Path) -> None:
    """PS3.5 8.1.1: 1 bit or whole bytes, the stored bits the lowest of them.

    Bits that are said to lie higher, as older editions allowed, are not guessed at.
    """
    allocated, stored = facts.bits_allocated, facts.bits_stored
    if facts.is_float:
        allowed, is_usable = f"floats of {stored} bits in {Tag(pixels.tag)}", allocated == stored
    elif facts.samples_per_pixel > 1:
        allowed = "8, 16 or 32, the lowest of them stored, unsigned, in colour"
        is_usable = allocated in (8, 16, 32) and not facts.is_signed
    else:
        allowed, is_usable = "1, 8, 16 or 32, the lowest of them stored", allocated in (1, 8, 16, 32)
    if not is_usable or not 0 < stored <= allocated or facts.high_bit != stored - 1:
        found = f"BitsAllocated {allocated}, BitsStored {stored}, HighBit {facts.high_bit}"
        refuse("E-BITS", path, f"{found}; allowed: {allowed}")


def _check_decoder(facts: ImageFacts, pixels: Pixels, path: Path) -> None:
    name = UID(facts.transfer_syntax).name
    if facts.transfer_syntax not in DECODERS:
        refuse("E-UNDECODABLE", path, f"no decoder for {name} ({facts.transfer_syntax}) is installed")
    if pixels.is_encapsulated and (facts.is_float or facts.bits_allocated == 1):
        refuse("E-BITS", path, f"{name} of floats, or of single bits; allowed: whole numbers of whole bytes")


def _check_length(facts: ImageFacts, pixels: Pixels, path: Path) -> None:
    promised = -(-facts.frame_bits * facts.frames // 8)
    if not 0 <= pixels.length - promised <= promised % 2:
        code = "E-TRUNCATED" if pixels.length < promised else "E-SIZE"
        frames = f" in {facts.frames} frames" if facts.frames > 1 else ""
        found = f"{pixels.length} bytes of {Tag(pixels.tag) if facts.is_float else 'PixelData'}"
        refuse(code, path, f"{found}; {facts.rows_px} x {facts.columns_px} px{frames} make {promised}")
