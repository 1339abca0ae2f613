"""Decodes one frame, and checks what comes out against the header."""

from pathlib import Path

import numpy as np
from pydicom.uid import UID

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.frames.codestream import Codestream
from mammoscope.dicom.frames.decoders import decode
from mammoscope.dicom.frames.facts import ImageFacts


def decoded_here(stream: bytes, facts: ImageFacts, said: Codestream, path: Path) -> tuple[np.ndarray, str]:
    """In this process; see compressed.decoded_frame. said: what check_codestream has found.

    Raises: DicomError E-UNDECODABLE, E-BITS, E-WRAPPED, E-TOO-LARGE.
    """
    try:
        values, photometric = decode(stream, facts, said.precision)
    except MemoryError as error:
        refuse("E-TOO-LARGE", path, "decoding needs more memory than there is", error)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # each decoder raises its own; that of RLE panics, which is no Exception
        refuse("E-UNDECODABLE", path, f"{UID(facts.transfer_syntax).name}: {_words(error)}", error)
    _check_range(values, facts, path)
    if facts.is_signed and said.near:
        _check_wrap(values, facts, said.near, path)
    return _contained(values, facts), photometric


def _words(error: BaseException) -> str:
    """In one line. pydicom tells of all plug-ins that failed, a line each; there is but one."""
    last = str(error).partition("available plugins:")[2] or f"{type(error).__name__}: {error}"
    return " ".join(last.split())


def _limits(facts: ImageFacts) -> tuple[int, int]:
    low = -(1 << facts.bits_stored - 1) if facts.is_signed else 0
    return low, low + (1 << facts.bits_stored) - 1


def _check_range(values: np.ndarray, facts: ImageFacts, path: Path) -> None:
    low, high = _limits(facts)
    if facts.bits_stored < values.dtype.itemsize * 8 and (values.min() < low or values.max() > high):
        found = f"compressed values from {values.min()} to {values.max()}"
        refuse("E-BITS", path, f"{found}; BitsStored {facts.bits_stored} allows {low} to {high}")


def _check_wrap(values: np.ndarray, facts: ImageFacts, near: int, path: Path) -> None:
    """JPEG-LS knows no sign: the largest value lies beside the smallest, and an error of `near` may swap them."""
    low, high = _limits(facts)
    if values.min() < low + near or values.max() > high - near:
        reason = f"signed values within {near} of {low} or {high}, coded to within {near} by JPEG-LS, may have wrapped"
        refuse("E-WRAPPED", path, reason)


def _contained(values: np.ndarray, facts: ImageFacts) -> np.ndarray:
    dtype = np.dtype(f"{'i' if facts.is_signed else 'u'}{facts.bits_allocated // 8}")
    return np.ascontiguousarray(values.astype(dtype, copy=False))
