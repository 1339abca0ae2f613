"""One compressed frame: checked against the header before it is decoded, here or in a process of its own."""

from pathlib import Path
from typing import Final

import numpy as np
from pydicom.uid import UID, JPEG2000TransferSyntaxes, RLELossless

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.codestream import Codestream, read_jpeg, rle_fault
from mammoscope.dicom.frames.codestream_j2k import read_jpeg_2000
from mammoscope.dicom.frames.decoders import APART, DECODERS
from mammoscope.dicom.frames.decoding import decoded_here
from mammoscope.dicom.frames.facts import ImageFacts
from mammoscope.dicom.frames.isolated import decoded_in_worker

_SMALL_BYTES: Final = 1 << 20
_VERY_LARGE_BYTES: Final = 1 << 25  # OpenJPEG needs 7 times as many, and padding can make any stream long
_USUAL_RATIO: Final = 100  # of uncompressed to compressed; films without loss reach 10


def decoded_frame(stream: bytes, facts: ImageFacts, path: Path, isolated: bool = False) -> tuple[np.ndarray, str]:
    """(rows, columns) or (rows, columns, 3), and the photometric interpretation that the values have now.

    isolated: in a process with limits of memory and time. That is where streams of some decoders go anyway, very large
    frames, and those that unfold to much more than is usual.

    Raises: DicomError E-UNDECODABLE, E-SIZE, E-TRUNCATED, E-BITS, E-WRAPPED, E-TOO-LARGE, E-TIMEOUT.
    """
    said = check_codestream(stream, facts, path)
    if isolated or said.is_odd or is_doubtful(stream, facts) or DECODERS[facts.transfer_syntax] in APART:
        return decoded_in_worker(stream, facts, said, path)
    return decoded_here(stream, facts, said, path)


def is_doubtful(stream: bytes, facts: ImageFacts) -> bool:
    """Whether a frame is very large, or not small and said to be a hundred times as large as its stream."""
    return facts.frame_bytes > min(_VERY_LARGE_BYTES, max(_SMALL_BYTES, _USUAL_RATIO * len(stream)))


def check_codestream(stream: bytes, facts: ImageFacts, path: Path) -> Codestream:
    """Before it is decoded. Raises: DicomError E-UNDECODABLE, E-SIZE, E-TRUNCATED, E-BITS."""
    if facts.transfer_syntax == RLELossless:
        return _check_rle(stream, facts, path)
    is_j2k = UID(facts.transfer_syntax) in JPEG2000TransferSyntaxes
    said = read_jpeg_2000(stream) if is_j2k else read_jpeg(stream)
    if said is None:
        refuse("E-UNDECODABLE", path, f"no {UID(facts.transfer_syntax).name}: it begins with {stream[:4].hex(' ')}")
    if (said.rows_px, said.columns_px, said.samples) != (facts.rows_px, facts.columns_px, facts.samples_per_pixel):
        found = f"the compressed picture is {said.rows_px} x {said.columns_px} px of {said.samples} samples"
        wanted = f"{facts.rows_px} x {facts.columns_px} of {facts.samples_per_pixel}"
        refuse("E-SIZE", path, f"{found}, the header says {wanted}")
    if said.fault:
        refuse("E-TRUNCATED", path, said.fault)
    if said.precision > facts.bits_allocated:
        refuse(
            "E-BITS", path, f"the compressed values have {said.precision} bits, BitsAllocated {facts.bits_allocated}"
        )
    return said


def _check_rle(stream: bytes, facts: ImageFacts, path: Path) -> Codestream:
    planes = facts.samples_per_pixel * facts.bits_allocated // 8
    if fault := rle_fault(stream, facts.frame_pixels, planes):
        refuse("E-UNDECODABLE", path, fault)
    return Codestream(
        rows_px=facts.rows_px,
        columns_px=facts.columns_px,
        samples=facts.samples_per_pixel,
        precision=facts.bits_stored,
    )
