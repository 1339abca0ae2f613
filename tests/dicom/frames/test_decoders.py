"""Each compressed transfer syntax, by its pinned decoder: what was encoded comes out, or the code of what is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from mammoscope.dicom.frames import compressed as compressed_frames
from mammoscope.dicom.frames import decoders_check
from mammoscope.dicom.frames.decoders import DECODERS
from mammoscope.dicom.frames.decoders_check import decoders_self_test
from mammoscope.dicom.frames.facts import ImageFacts

from ..images import compress, compressed, display, encapsulated, refusal, stored, written

Write = Callable[[Dataset | bytes], Path]
LOSSLESS = [
    RLELossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
]
NEARLY = {JPEGBaseline8Bit: 3, JPEGExtended12Bit: 3, JPEGLSNearLossless: 2, HTJ2K: 3, JPEG2000: 0}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


def slope(bits: int, is_signed: bool = False, shape: tuple[int, ...] = (40, 56)) -> np.ndarray:
    """Smooth with some noise, as pictures are; from the least to the largest value, or nearly."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[: shape[0], : shape[1]]
    values = (row / shape[0] + column / shape[1]) / 2 * ((1 << bits) - 9) + rng.integers(0, 8, shape[:2])
    dtype = np.dtype(f"{'i' if is_signed else 'u'}{1 if bits <= 8 else 2}")
    values = values.astype(np.int64) - ((1 << bits - 1) if is_signed else 0)
    return values.astype(dtype) if len(shape) == 2 else np.stack([values, values[::-1], values // 2], -1).astype(dtype)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_without_loss(write: Write, syntax: str, bits: int):
    pixels = slope(bits)
    read = stored(write(compressed(pixels, syntax, bits)))
    assert read.dtype == pixels.dtype
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("syntax", [s for s in LOSSLESS if s not in (HTJ2KLossless, HTJ2KLosslessRPCL)])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_without_loss(write: Write, syntax: str, bits: int):
    """None of JPEG's family but JPEG 2000 knows a sign: the values are those of BitsStored bits in two's complement."""
    pixels = slope(bits, is_signed=True)
    read = stored(write(compressed(pixels, syntax, bits)))
    assert read.dtype == pixels.dtype
    assert read.min() < 0
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize("syntax", NEARLY)
def test_with_loss(write: Write, syntax: str):
    bits = 8 if syntax == JPEGBaseline8Bit else 12
    pixels = slope(bits)
    read = stored(write(compressed(pixels, syntax, 16 if syntax == HTJ2K else bits)))
    assert read.dtype == pixels.dtype
    assert np.abs(read.astype(int) - pixels).max() <= NEARLY[syntax]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless])
def test_colour_without_loss(write: Write, syntax: str):
    pixels = slope(8, shape=(48, 64, 3))
    photometric = "YBR_RCT" if syntax in (JPEG2000Lossless, HTJ2KLossless) else "RGB"
    path = write(compressed(pixels, syntax, PhotometricInterpretation=photometric))
    np.testing.assert_array_equal(stored(path), pixels)
    np.testing.assert_array_equal(display(path), pixels)


def test_jpeg_in_colour_is_stored_as_ybr_and_shown_as_rgb(write: Write):
    pixels = slope(8, shape=(48, 64, 3))
    path = write(compressed(pixels, JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(stored(path).astype(int) - pixels).max() > 50
    assert np.abs(display(path).astype(int) - pixels).mean() < 3


def test_jpeg_extended_in_colour_has_no_decoder(write: Write):
    pixels = np.zeros((8, 8, 3), np.uint8)
    d = encapsulated([compress(pixels, JPEGBaseline8Bit, 8)], pixels, JPEGExtended12Bit)
    assert refusal(stored, write(d))[0] == "E-UNDECODABLE"


STREAMS = [JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless]


@pytest.mark.parametrize("syntax", STREAMS)
def test_a_large_picture_under_a_small_header(write: Write, syntax: str):
    """pydicom gives 64 x 64 of JPEG 2000's 8000 x 8000, after having decoded all of them."""
    stream = compress(np.zeros((500, 600), np.uint8 if syntax == JPEGBaseline8Bit else np.uint16), syntax, 12)
    small = np.zeros((64, 64), np.uint8 if syntax == JPEGBaseline8Bit else np.uint16)
    code, reason = refusal(stored, write(encapsulated([stream], small, syntax)))
    assert code == "E-SIZE"
    assert "500 x 600" in reason


@pytest.mark.parametrize("syntax", STREAMS)
def test_three_samples_under_a_header_of_one(write: Write, syntax: str):
    if syntax in (JPEGExtended12Bit, JPEGLosslessSV1):
        pytest.skip("no encoder of it in colour here")
    stream = compress(np.zeros((64, 64, 3), np.uint8), syntax, 8)
    assert refusal(stored, write(encapsulated([stream], np.zeros((64, 64), np.uint8), syntax)))[0] == "E-SIZE"


@pytest.mark.parametrize("syntax", STREAMS)
def test_half_a_stream(write: Write, syntax: str):
    """Half of JPEG's is a picture, half grey, to most decoders; half of JPEG-LS's was one to some."""
    pixels = slope(8 if syntax == JPEGBaseline8Bit else 12)
    stream = compress(pixels, syntax, 12)
    half = encapsulated([stream[: len(stream) // 2]], pixels, syntax)
    assert refusal(stored, write(half))[0] == "E-TRUNCATED"


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, HTJ2KLossless])
def test_half_a_stream_with_an_end(write: Write, syntax: str):
    pixels = slope(12)
    stream = compress(pixels, syntax, 12)
    half = encapsulated([stream[: len(stream) // 2] + b"\xff\xd9"], pixels, syntax)
    assert refusal(stored, write(half))[0] in ("E-TRUNCATED", "E-UNDECODABLE")


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1])
def test_half_a_jpeg_with_an_end(write: Write, syntax: str):
    """libjpeg writes to standard error that it guesses, and goes on: gdcm's is heard in its own process."""
    pixels = slope(8)
    stream = compress(pixels, syntax, 8)
    half = encapsulated([stream[: len(stream) // 2] + b"\xff\xd9"], pixels, syntax)
    code, reason = refusal(stored, write(half))
    assert code == "E-UNDECODABLE"
    assert "premature end" in reason


def test_gdcm_never_decodes_in_this_process(write: Write, monkeypatch: pytest.MonkeyPatch):
    """It ends the process at some damaged streams, by an exception of C++ that nobody catches."""
    monkeypatch.setattr(compressed_frames, "decoded_here", None)
    for syntax in (JPEGBaseline8Bit, JPEGLossless, JPEGLosslessSV1):
        assert DECODERS[syntax] == "gdcm"
        assert stored(write(compressed(slope(8), syntax))).shape == (40, 56)


def test_signed_values_that_near_lossless_jpeg_ls_may_have_wrapped(write: Write):
    """2047 and -2048 are neighbours to JPEG-LS, which knows no sign: an error of 2 makes one of the other."""
    pixels = slope(12, is_signed=True)
    pixels[3, 4] = 2047
    code, reason = refusal(stored, write(compressed(pixels, JPEGLSNearLossless, 12)))
    assert code == "E-WRAPPED"
    assert "within 2" in reason
    inner = np.clip(pixels, -2040, 2040)
    read = stored(write(compressed(inner, JPEGLSNearLossless, 12)))
    assert np.abs(read.astype(int) - inner).max() == 2


def test_values_of_more_bits_than_are_stored(write: Write):
    """The header is what everything else is computed from: an image of 16 bits under 12 would wrap in it."""
    pixels = slope(16)
    for syntax in (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless):
        d = encapsulated([compress(pixels, syntax, 16)], pixels, syntax, bits=12)
        assert refusal(stored, write(d))[0] == "E-BITS"
    fewer = slope(12)
    for syntax in (JPEGLosslessSV1, JPEGLSLossless, HTJ2KLossless):
        d = encapsulated([compress(fewer, syntax, 16)], fewer, syntax, bits=12)
        np.testing.assert_array_equal(stored(write(d)), fewer)


def test_no_stream_at_all(write: Write):
    for syntax in [*STREAMS, RLELossless]:
        d = encapsulated([b"no picture"], np.zeros((4, 4), np.uint8), syntax)
        assert refusal(stored, write(d))[0] == "E-UNDECODABLE"


def test_run_lengths_too_short_for_their_picture(write: Write):
    """Nothing in them says a size: 64 bytes of picture for each byte of theirs is the most there can be."""
    small = compress(np.zeros((8, 8), np.uint8), RLELossless, 8)
    huge = encapsulated([small], np.zeros((1, 1), np.uint8), RLELossless, Rows=16000, Columns=16000)
    assert refusal(stored, write(huge))[0] == "E-UNDECODABLE"
    larger = encapsulated([small], np.zeros((8, 9), np.uint8), RLELossless)
    assert refusal(stored, write(larger))[0] == "E-UNDECODABLE"


def test_the_menu_has_every_syntax_that_is_wanted_and_no_gpl():
    assert set(NEARLY) | set(LOSSLESS) == {syntax for syntax, plugin in DECODERS.items() if plugin}
    assert all(UID(syntax).is_encapsulated == bool(plugin) for syntax, plugin in DECODERS.items())
    of_libjpeg = {*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes}  # for which pylibjpeg takes pylibjpeg-libjpeg, GPL-3
    assert "pylibjpeg" not in {plugin for syntax, plugin in DECODERS.items() if syntax in of_libjpeg}


@pytest.mark.parametrize("isolated", [False, True])
def test_what_is_installed_decodes(isolated: bool):
    checks = decoders_self_test(isolated=isolated)
    assert [check.fault for check in checks] == [""] * 12
    assert [check.transfer_syntax for check in checks] == [s for s, plugin in DECODERS.items() if plugin]
    assert checks[0].name == "JPEG Baseline (Process 1)"


def test_a_decoder_that_is_absent_raises_or_errs_is_told_of(monkeypatch: pytest.MonkeyPatch):
    def err(stream: bytes, facts: ImageFacts, path: Path, isolated: bool) -> tuple[np.ndarray, str]:
        return decoders_check.picture(facts.bits_stored) + 20, "MONOCHROME2"

    monkeypatch.setattr(decoders_check, "decoded_frame", err)
    assert all(check.fault.startswith("off by 20") for check in decoders_self_test())
    monkeypatch.undo()
    monkeypatch.setitem(DECODERS, JPEGLSLossless, "absent")
    faults = {check.transfer_syntax: check.fault for check in decoders_self_test() if check.fault}
    assert list(faults) == [JPEGLSLossless]
    assert "E-UNDECODABLE" in faults[JPEGLSLossless]
