"""One DICOM file to plain images that any program reads: PNG or npy, an image a frame."""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.frame import display_frame, image_facts, stored_frame
from mammoscope.dicom.headers.cards import Card, read_card
from mammoscope.dicom.headers.lines import plain
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.errors import DicomError
from mammoscope.files import written_whole


class Format(StrEnum):
    png = "png"
    npy = "npy"


class Values(StrEnum):
    stored = "stored"  # as they lie in the file
    display = "display"  # as a display shows them: windows and LUTs applied, black 0, white 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTask:
    root: Path
    path: Path  # below the root
    folder: Path  # of the images
    format: Format
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedImage:
    """A row of the metadata table: one image, and the file that it comes from."""

    image: str  # file name
    path: str  # below the root, with forward slashes
    frame: int  # from 1
    frames: int
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    study_date: str
    modality: str
    series_description: str
    view: str
    laterality: str
    rows: int
    columns: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    photometric: str
    transfer_syntax: str
    dtype: str  # of the image's values
    values: str  # what was done to them


def export_file(task: ExportTask) -> tuple[ExportedImage, ...] | DicomError:
    """Writes the file's images, each there whole or not at all. The error: why it has none; not some of them."""
    path, written = task.root / task.path, list[ExportedImage]()
    try:
        card = read_card(path)
        with open_dicom(path) as layout:
            facts = image_facts(layout, path)
            written.extend(_write_frames(task, card, layout, facts))
    except DicomError as error:
        for image in written:  # some frames of it are nothing that a table could speak of
            (task.folder / image.image).unlink()
        return error
    return tuple(written)


def image_name(card: Card, path: str, frame: int | None, suffix: str) -> str:
    """Readable, and of this file alone: what a header says is cut down to letters, digits and a few signs, and the
    file's place in the tree makes the rest. frame: from 1; None where there is one only."""
    said = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{card.patient_id}_{card.laterality}_{card.view}").strip("-_")[:_LONGEST]
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{said or 'image'}-{digest}{'' if frame is None else f'-{frame:05d}'}.{suffix}"


_LONGEST: Final = 64


def _write_frames(task: ExportTask, card: Card, layout: Layout, facts: ImageFacts) -> Iterator[ExportedImage]:
    path = task.root / task.path
    for number in range(facts.frames):
        pixels, done = _VALUES[task.values](layout, facts, path, number)
        frame = number + 1 if facts.frames > 1 else None
        name = image_name(card, task.path.as_posix(), frame, task.format)
        if task.format is Format.png:
            pixels, done = _for_png(pixels, done, path)
        data = _png(pixels) if task.format is Format.png else _npy(pixels)
        with written_whole(task.folder / name) as unfinished:
            unfinished.write_bytes(data)
        yield _row(task, card, facts, number + 1, name, pixels.dtype, done)


def _stored(layout: Layout, facts: ImageFacts, path: Path, n: int) -> tuple[np.ndarray, str]:
    if facts.photometric.startswith("YBR"):
        return display_frame(layout, facts, path, n, isolated=True), f"{facts.photometric} to RGB"
    stored = stored_frame(layout, facts, path, n, isolated=True)
    return stored.astype(stored.dtype.newbyteorder("="), copy=False), "none"


def _displayed(layout: Layout, facts: ImageFacts, path: Path, n: int) -> tuple[np.ndarray, str]:
    shown = display_frame(layout, facts, path, n, isolated=True)
    if shown.ndim == 3:
        return shown, "to RGB"
    return np.rint(65535 * np.clip(shown, 0, 1)).astype(np.uint16), "windows and LUTs, black 0, white 65535"


_VALUES: Final[dict[Values, Callable[[Layout, ImageFacts, Path, int], tuple[np.ndarray, str]]]] = {
    Values.stored: _stored,
    Values.display: _displayed,
}


def _for_png(pixels: np.ndarray, done: str, path: Path) -> tuple[np.ndarray, str]:
    """A PNG holds unsigned values of 8 or 16 bits."""
    if pixels.dtype.itemsize > 2 or pixels.dtype.kind not in "iu":
        refuse("E-BITS", path, f"values of {pixels.dtype} do not fit a PNG; allowed: 8 and 16 bits, or --format npy")
    if pixels.dtype.kind == "u":
        return pixels, done
    bits = 8 * pixels.dtype.itemsize
    offset = 1 << (bits - 1)
    return (pixels.astype(np.int32) + offset).astype(f"u{pixels.dtype.itemsize}"), f"{offset} added: a PNG has no sign"


def _png(pixels: np.ndarray) -> bytes:
    is_written, data = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert is_written, "unsigned values of 8 or 16 bits can be a PNG"
    return data.tobytes()


def _npy(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, pixels, allow_pickle=False)
    return buffer.getvalue()


def _row(
    task: ExportTask, card: Card, facts: ImageFacts, frame: int, name: str, dtype: np.dtype, done: str
) -> ExportedImage:
    return ExportedImage(
        image=name,
        path=plain(task.path.as_posix()),
        frame=frame,
        frames=facts.frames,
        patient_id=card.patient_id,
        study_uid=card.study_uid,
        series_uid=card.series_uid,
        sop_uid=card.sop_uid,
        sop_class=card.sop_class,
        study_date=card.study_date,
        modality=card.modality,
        series_description=card.series_description,
        view=card.view,
        laterality=card.laterality,
        rows=facts.rows_px,
        columns=facts.columns_px,
        samples_per_pixel=facts.samples_per_pixel,
        bits_allocated=facts.bits_allocated,
        bits_stored=facts.bits_stored,
        is_signed=facts.is_signed,
        photometric=facts.photometric,
        transfer_syntax=facts.transfer_syntax,
        dtype=str(dtype),
        values=done,
    )
