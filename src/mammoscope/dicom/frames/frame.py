"""One frame of a file: its stored values, its values after the modality transformation, what a display shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.colours import rgb_values
from mammoscope.dicom.frames.compressed import decoded_frame
from mammoscope.dicom.frames.facts import GREY, ImageFacts
from mammoscope.dicom.frames.facts_checks import image_facts
from mammoscope.dicom.frames.fragments import Fragment, frame_bytes, frame_fragments
from mammoscope.dicom.frames.greys import displayed, modality_values
from mammoscope.dicom.frames.native import native_frame
from mammoscope.dicom.layout import Layout

__all__ = ["ImageFacts", "display_frame", "image_facts", "modality_frame", "stored_frame", "stored_frames"]


def stored_frame(layout: Layout, facts: ImageFacts, path: Path, n: int, *, isolated: bool = False) -> np.ndarray:
    """(rows, columns), or (rows, columns, 3) where there are three samples; the values proper, in their dtype.

    n: from 0. isolated: all compressed frames are decoded in a process with limits of memory and time; without it, only
    those of decoders that are known to crash, very large ones, and those that unfold to much more than is usual.

    Raises: DicomError E-UNDECODABLE, E-SIZE, E-TRUNCATED, E-BITS, E-FRAMES, E-WRAPPED, E-TOO-LARGE, E-TIMEOUT.
    """
    return _frame(layout, facts, path, n, _fragments(layout, facts, path), isolated)[0]


def stored_frames(layout: Layout, facts: ImageFacts, path: Path, *, isolated: bool = False) -> Iterator[np.ndarray]:
    """All of them, one at a time. Raises: as stored_frame."""
    fragments = _fragments(layout, facts, path)
    return (_frame(layout, facts, path, n, fragments, isolated)[0] for n in range(facts.frames))


def modality_frame(layout: Layout, facts: ImageFacts, path: Path, n: int, *, isolated: bool = False) -> np.ndarray:
    """float64, (rows, columns): what the modality measured (PS3.3 C.11.1).

    Raises: as stored_frame, and E-GREY, E-COLOR.
    """
    if facts.photometric not in GREY:
        refuse("E-COLOR", path, f"{facts.photometric} has no values of a modality; allowed: {', '.join(GREY)}")
    return modality_values(stored_frame(layout, facts, path, n, isolated=isolated), layout.dataset, facts, path, n)


def display_frame(
    layout: Layout, facts: ImageFacts, path: Path, n: int, window: int = 0, *, isolated: bool = False
) -> np.ndarray:
    """What a display shows: grey as floats from 0 (black) to 1 (white), or (rows, columns, 3) of uint8, RGB.

    window: which of several, from 0. Raises: as stored_frame, and E-GREY, E-COLOR.
    """
    stored, photometric = _frame(layout, facts, path, n, _fragments(layout, facts, path), isolated)
    if facts.photometric in GREY:
        return displayed(stored, layout.dataset, facts, path, n, window)
    return rgb_values(stored, photometric, layout.dataset, facts, path)


def _fragments(layout: Layout, facts: ImageFacts, path: Path) -> list[list[Fragment]]:
    """Empty where pixels are not compressed."""
    assert layout.pixels is not None, "facts have been read"
    return frame_fragments(layout, facts, path) if layout.pixels.is_encapsulated else []


def _frame(
    layout: Layout, facts: ImageFacts, path: Path, n: int, fragments: list[list[Fragment]], isolated: bool
) -> tuple[np.ndarray, str]:
    """And the photometric interpretation that its values have."""
    if not 0 <= n < facts.frames:
        refuse("E-FRAMES", path, f"no frame {n}; allowed: 0 to {facts.frames - 1}")
    if fragments:
        return decoded_frame(frame_bytes(layout, fragments[n]), facts, path, isolated)
    assert layout.pixels is not None, "facts have been read"
    return native_frame(layout.stream, layout.pixels, facts, path, n), facts.photometric
