"""DICOM images for tests: of any layout, in any transfer syntax, as right or as wrong as is wanted."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import JPEG2000LosslessEncoder, RLELosslessEncoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from mammoscope.dicom.codes import CODES
from mammoscope.dicom.frames.frame import ImageFacts, display_frame, image_facts, modality_frame, stored_frame
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.errors import DicomError

Frames = np.ndarray | Sequence[np.ndarray]
UIDS = {"SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}


def image(frames: Frames, syntax: str = ImplicitVRLittleEndian, bits: int = 0, **changes: object) -> Dataset:
    """frames: one array or several, (rows, columns) or (rows, columns, 3). A change of None removes the element."""
    several = [frames] if isinstance(frames, np.ndarray) else list(frames)
    first = several[0]
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = SecondaryCaptureImageStorage
    d.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    d.Modality = "MG"
    for keyword, uid in UIDS.items():
        setattr(d, keyword, uid)
    d.SamplesPerPixel, d.PhotometricInterpretation = (3, "RGB") if first.ndim == 3 else (1, "MONOCHROME2")
    if first.ndim == 3:
        d.PlanarConfiguration = 0
    if len(several) > 1:
        d.NumberOfFrames = len(several)
    d.Rows, d.Columns = first.shape[:2]
    d.BitsAllocated = first.dtype.itemsize * 8
    d.BitsStored = bits or d.BitsAllocated
    d.HighBit, d.PixelRepresentation = d.BitsStored - 1, int(first.dtype.kind == "i")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    d.PixelData = padded(b"".join(f.astype(f.dtype.newbyteorder(order)).tobytes() for f in several))
    d["PixelData"].VR = "OW" if first.dtype.itemsize > 1 else "OB"
    return changed(d, **changes)


def changed(d: Dataset, **changes: object) -> Dataset:
    for keyword, value in changes.items():
        if value is None:
            delattr(d, keyword)
        else:
            setattr(d, keyword, value)
    return d


def padded(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


def encapsulated(
    streams: Sequence[bytes], pixels: Frames, syntax: str, bits: int = 0, has_bot: bool = True, **changes: object
) -> Dataset:
    """The streams, a fragment each, where the pixels were: whether they show the same or not."""
    d = image(pixels, syntax, bits, **changes)
    d.PixelData = encapsulate(list(streams), has_bot=has_bot)
    d["PixelData"].VR, d["PixelData"].is_undefined_length = "OB", True
    return d


def compressed(pixels: Frames, syntax: str, bits: int = 0, **changes: object) -> Dataset:
    several = [pixels] if isinstance(pixels, np.ndarray) else list(pixels)
    streams = [compress(frame, syntax, bits or frame.itemsize * 8) for frame in several]
    return encapsulated(streams, pixels, syntax, bits, **changes)


def compress(values: np.ndarray, syntax: str, bits: int, near: int = 2) -> bytes:
    """One frame, by encoders of which none is the decoder's own pydicom plug-in where there is another."""
    plain = values.view(f"u{values.itemsize}") & (1 << bits) - 1 if values.dtype.kind == "i" else values
    if syntax == JPEGBaseline8Bit:
        return imagecodecs.jpeg8_encode(values, level=100)
    if syntax == JPEGExtended12Bit:
        return imagecodecs.jpeg8_encode(plain, level=100, bitspersample=12)
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        predictor = 4 if syntax == JPEGLossless else 1
        return imagecodecs.jpeg8_encode(plain, lossless=True, predictor=predictor, bitspersample=bits)
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return bytes(
            jpeg_ls.encode_buffer(
                plain.tobytes(),
                *values.shape[:2],
                samples_per_pixel=3 if values.ndim == 3 else 1,
                bits_stored=bits,
                lossy_error=near if syntax == JPEGLSNearLossless else 0,
                interleave_mode=2 if values.ndim == 3 else 0,
            )
        )
    if syntax == RLELossless:
        return RLELosslessEncoder.encode(values.tobytes(), encoding_plugin="pydicom", **described(values, bits))
    if syntax in (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL):
        return imagecodecs.htj2k_encode(values, reversible=syntax != HTJ2K)
    assert syntax in (JPEG2000, JPEG2000Lossless), syntax
    return JPEG2000LosslessEncoder.encode(values.tobytes(), encoding_plugin="pylibjpeg", **described(values, bits))


def described(values: np.ndarray, bits: int) -> dict[str, object]:
    is_colour = values.ndim == 3
    return {
        "rows": values.shape[0],
        "columns": values.shape[1],
        "samples_per_pixel": 3 if is_colour else 1,
        "planar_configuration": 0,
        "bits_allocated": values.itemsize * 8,
        "bits_stored": bits,
        "pixel_representation": int(values.dtype.kind == "i"),
        "photometric_interpretation": "RGB" if is_colour else "MONOCHROME2",
        "number_of_frames": 1,
    }


def as_bytes(d: Dataset) -> bytes:
    buffer = io.BytesIO()
    syntax = d.file_meta.TransferSyntaxUID
    is_implicit, is_big = syntax == ImplicitVRLittleEndian, syntax == ExplicitVRBigEndian
    pydicom.dcmwrite(buffer, d, enforce_file_format=True, implicit_vr=is_implicit, little_endian=not is_big)
    return buffer.getvalue()


def written(path: Path, d: Dataset | bytes) -> Path:
    path.write_bytes(d if isinstance(d, bytes) else as_bytes(d))
    return path


@contextmanager
def opened(path: Path) -> Iterator[tuple[Layout, ImageFacts]]:
    with open_dicom(path) as layout:
        yield layout, image_facts(layout, path)


def stored(path: Path, n: int = 0, isolated: bool = False) -> np.ndarray:
    with opened(path) as (layout, facts):
        values = stored_frame(layout, facts, path, n, isolated=isolated)
    assert values.flags.writeable
    assert values.flags.c_contiguous
    return values


def modality(path: Path, n: int = 0) -> np.ndarray:
    with opened(path) as (layout, facts):
        return modality_frame(layout, facts, path, n)


def display(path: Path, n: int = 0, window: int = 0) -> np.ndarray:
    with opened(path) as (layout, facts):
        return display_frame(layout, facts, path, n, window)


def refusal(read: object, path: Path, *args: object, **options: object) -> tuple[str, str]:
    """The code and the reason with which `read` refuses the file."""
    assert callable(read)
    with pytest.raises(DicomError) as caught:
        read(path, *args, **options)
    assert caught.value.code in CODES
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.reason
    return caught.value.code, caught.value.reason
