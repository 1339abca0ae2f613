"""What a display shows of a file, and what has to be said beside it."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.frame import display_frame, image_facts
from mammoscope.dicom.frames.grey_scale import grey_scale
from mammoscope.dicom.headers.lines import HeaderLine, header_lines
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.errors import DicomError

MOST_LINES: Final = 1000  # of a header beside a picture: a volume's functional groups are endless


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    picture: np.ndarray  # (rows, columns) of floats from 0 to 1; or uint8 (rows, columns, 3), RGB
    facts: ImageFacts
    notes: tuple[str, ...]
    header: tuple[HeaderLine, ...]  # where it was asked for; its first MOST_LINES


def show_frame(path: Path, frame: int | None, *, with_header: bool = False) -> Shown:
    """frame: from 1, as DICOM counts; None: the middle one. Windows and LUTs are applied as the file says.

    Raises: DicomError; E-FRAMES for a frame that there is none of.
    """
    with open_dicom(path, after=with_header) as layout:
        facts = image_facts(layout, path)
        number = facts.frames // 2 + 1 if frame is None else frame
        if not 1 <= number <= facts.frames:
            refuse("E-FRAMES", path, f"frame {number}; allowed: 1 to {facts.frames}")
        picture = display_frame(layout, facts, path, number - 1, isolated=True)
        notes = [f"frame {number} of {facts.frames}"] if facts.frames > 1 else []
        if picture.ndim == 2 and not grey_scale(layout.dataset, facts, path, number - 1).vois:
            picture = _spread(picture)
            notes.append("no window: darkest to brightest")
        header = tuple(_first_lines(layout, path)) if with_header else ()
    return Shown(picture, facts, tuple(notes), header)


def _first_lines(layout: Layout, path: Path) -> list[HeaderLine]:
    lines: list[HeaderLine] = []
    try:
        lines.extend(islice(header_lines(layout, path), MOST_LINES + 1))
    except DicomError as error:  # the picture can be shown all the same, and this is said in its place
        lines.append(_said(f"{error.code}: {error.reason}"))
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], _said(f"more than {MOST_LINES} elements")]


def _said(words: str) -> HeaderLine:
    return HeaderLine(depth=0, group="", element="", name="...", vr="", length="", value=words)


def _spread(picture: np.ndarray) -> np.ndarray:
    """From its darkest to its brightest value: 12 bits in a file of 16 would else be shown black on black."""
    low, high = float(picture.min()), float(picture.max())
    return (picture - low) / ((high - low) or 1.0)
