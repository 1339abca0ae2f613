"""Stored values, planted and read back; and the files that other readers read wrongly without a word."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)

from mammoscope.dicom.frames.frame import image_facts, stored_frames
from mammoscope.dicom.layout import open_dicom

from ..images import as_bytes, compressed, display, image, modality, opened, padded, refusal, stored, written

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
Write = Callable[[Dataset | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


def random_frames(dtype: str, frames: int, shape: tuple[int, ...] = (5, 3)) -> list[np.ndarray]:
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    return [rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True) for _ in range(frames)]


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("frames", [1, 3])
def test_every_width_and_sign_of_every_frame(write: Write, syntax: str, dtype: str, frames: int):
    planted = random_frames(dtype, frames)
    path = write(image(planted, syntax))
    for n, expected in enumerate(planted):
        read = stored(path, n)
        assert read.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(read, expected)
    with opened(path) as (layout, facts):
        assert facts.frames == frames
        np.testing.assert_array_equal(list(stored_frames(layout, facts, path)), planted)


@pytest.mark.parametrize("frames", [1, 3])
def test_bytes_of_a_big_endian_file_lie_in_swapped_pairs_where_they_are_words(write: Write, frames: int):
    planted = random_frames("u1", frames)  # 15 bytes: frames begin within words
    d = image(planted, ExplicitVRBigEndian)
    d.PixelData = np.frombuffer(d.PixelData, np.uint16).byteswap().tobytes()
    d["PixelData"].VR = "OW"
    path = write(d)
    for n, expected in enumerate(planted):
        np.testing.assert_array_equal(stored(path, n), expected)


@pytest.mark.parametrize("syntax", NATIVE)
def test_single_bits_follow_each_other_across_frames(write: Write, syntax: str):
    planted = [np.random.default_rng(n).integers(0, 2, (5, 3)).astype(np.uint8) for n in range(3)]
    bits = np.packbits(np.concatenate([frame.ravel() for frame in planted]), bitorder="little")
    path = write(image(planted, syntax, BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=padded(bits.tobytes())))
    for n, expected in enumerate(planted):
        np.testing.assert_array_equal(stored(path, n), expected)
        np.testing.assert_array_equal(display(path, n), expected)


@pytest.mark.parametrize(("dtype", "keyword"), [("f4", "FloatPixelData"), ("f8", "DoubleFloatPixelData")])
def test_floats(write: Write, dtype: str, keyword: str):
    planted = [np.random.default_rng(n).normal(size=(4, 6)).astype(dtype) for n in range(2)]
    d = image(planted, PixelData=None, BitsStored=None, HighBit=None, PixelRepresentation=None)
    setattr(d, keyword, b"".join(frame.tobytes() for frame in planted))
    path = write(d)
    np.testing.assert_array_equal(stored(path, 1), planted[1])
    np.testing.assert_array_equal(modality(path, 1), planted[1])
    shown = display(path, 1)
    assert (shown.min(), shown.max()) == (0, 1)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_colour_by_pixel_and_by_plane(write: Write, dtype: str):
    planted = random_frames(dtype, 2, (4, 3, 3))
    by_plane = b"".join(frame.transpose(2, 0, 1).tobytes() for frame in planted)
    for d in (image(planted), image(planted, PlanarConfiguration=1, PixelData=by_plane)):
        for n, expected in enumerate(planted):
            np.testing.assert_array_equal(stored(write(d), n), expected)
    expected = planted[1] if dtype == "u1" else planted[1] >> 8
    shown = display(write(image(planted)), 1)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, expected)


def test_two_pixels_share_their_colour_in_ybr_full_422(write: Write):
    rows = np.array([[10, 20, 100, 200, 30, 40, 50, 60]], np.uint8)  # Y Y Cb Cr, twice
    d = image(np.zeros((1, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422", PixelData=rows.tobytes())
    expected = [[[10, 100, 200], [20, 100, 200], [30, 50, 60], [40, 50, 60]]]
    assert stored(write(d)).tolist() == expected


def test_ybr_full_is_shown_as_rgb(write: Write):
    """PS3.3 C.7.6.3.1.2, solved for R, G and B."""
    ybr = random_frames("u1", 1, (6, 5, 3))[0]
    y, cb, cr = (ybr[..., k].astype(float) for k in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    shown = display(write(image(ybr, PhotometricInterpretation="YBR_FULL")))
    assert np.abs(shown - np.clip(rgb, 0, 255)).max() <= 1


# what is refused, and why it cannot be read without guessing
REFUSED_FACTS = {
    "twelve bits allocated": ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "E-BITS"),
    "stored bits that are not the lowest": ({"BitsStored": 12, "HighBit": 15}, "E-BITS"),
    "no bit stored": ({"BitsStored": 0, "HighBit": 65535}, "E-BITS"),
    "more bits stored than allocated": ({"BitsStored": 17, "HighBit": 16}, "E-BITS"),
    "more rows than there are": ({"Rows": 13}, "E-TRUNCATED"),
    "fewer rows than there are": ({"Rows": 6}, "E-SIZE"),
    "twice as many frames": ({"NumberOfFrames": 2}, "E-TRUNCATED"),
    "a billion frames": ({"NumberOfFrames": 10**9}, "E-TRUNCATED"),
    "no frame": ({"NumberOfFrames": 0}, "E-HEADER"),
    "no pixel": ({"Columns": 0}, "E-SIZE"),
    "four gigapixels": ({"Rows": 65535, "Columns": 65535}, "E-SIZE"),
    "two samples": ({"SamplesPerPixel": 2}, "E-COLOR"),
    "one sample of red, green and blue": ({"PhotometricInterpretation": "RGB"}, "E-COLOR"),
    "an unknown photometric interpretation": ({"PhotometricInterpretation": "HSV"}, "E-COLOR"),
    "none": ({"PhotometricInterpretation": None}, "E-HEADER"),
    "no bits": ({"BitsAllocated": None}, "E-HEADER"),
    "no pixels": ({"PixelData": None}, "E-NO-PIXELS"),
}


@pytest.mark.parametrize("name", REFUSED_FACTS)
def test_facts_that_contradict_each_other_or_the_pixels(write: Write, name: str):
    changes, code = REFUSED_FACTS[name]
    assert refusal(stored, write(image(np.zeros((12, 10), np.uint16), **changes)))[0] == code


def test_colours_of_no_known_order_and_signed_colours(write: Write):
    rgb = np.zeros((4, 4, 3), np.uint8)
    assert refusal(stored, write(image(rgb, PlanarConfiguration=None)))[0] == "E-HEADER"
    assert refusal(stored, write(image(rgb, PlanarConfiguration=2)))[0] == "E-HEADER"
    assert refusal(stored, write(image(rgb, PixelRepresentation=1)))[0] == "E-BITS"
    odd = image(np.zeros((4, 3, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422", PixelData=bytes(24))
    assert refusal(stored, write(odd))[0] == "E-COLOR"


def test_uncompressed_pixels_twice_too_long_are_no_two_frames(write: Write):
    """pydicom gives two frames where the header says one."""
    pixels = random_frames("u2", 1, (4, 6))[0]
    assert refusal(stored, write(image(pixels, PixelData=pixels.tobytes() * 2)))[0] == "E-SIZE"
    assert refusal(stored, write(image(pixels, PixelData=pixels.tobytes() + b"\0\0")))[0] == "E-SIZE"


def test_high_bit_15_of_12_stored_bits_is_refused_compressed_too(write: Write):
    """pydicom takes the lowest bits, whatever HighBit says; PS3.5 8.1.1 wants it one less than BitsStored."""
    pixels = random_frames("u2", 1, (4, 6))[0]
    d = compressed(pixels, RLELossless, 16, BitsStored=12)
    assert refusal(stored, write(d))[0] == "E-BITS"


def test_unused_bits_are_cleared_or_filled_with_the_sign(write: Write):
    pixels = np.array([[0xF123, 0x0FFF]], np.uint16)
    assert stored(write(image(pixels, bits=12))).tolist() == [[0x123, 0xFFF]]
    assert stored(write(image(pixels, bits=12, PixelRepresentation=1))).tolist() == [[0x123, -1]]
    assert stored(write(compressed(pixels, RLELossless, bits=12))).tolist() == [[0x123, 0xFFF]]


def test_the_bytes_of_a_sequence_delimiter_within_a_picture(write: Write):
    """pydicom's search for the delimiter ends there, and the picture is cut."""
    pixels = np.frombuffer(b"\xfe\xff\xdd\xe0\0\0\0\0\x01\x02\x03\x04", np.uint8).reshape(2, 6)
    d = compressed(pixels, RLELossless)
    assert b"\xfe\xff\xdd\xe0" in d.PixelData[:-8]
    np.testing.assert_array_equal(stored(write(d)), pixels)


def test_a_frame_that_there_is_not(write: Write):
    path = write(image(random_frames("u1", 2)))
    for n in (-1, 2):
        assert refusal(stored, path, n)[0] == "E-FRAMES"


def test_a_syntax_that_contradicts_how_the_pixels_lie(write: Write):
    pixels = random_frames("u1", 1)[0]
    d = compressed(pixels, RLELossless)
    plain, run_lengths = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"
    assert refusal(stored, write(as_bytes(d).replace(run_lengths, plain)))[0] == "E-SYNTAX"
    native = as_bytes(image(pixels, ExplicitVRLittleEndian))
    assert refusal(stored, write(native.replace(plain, run_lengths)))[0] == "E-SYNTAX"
    d.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.103"  # MPEG-4
    code, reason = refusal(stored, write(d))
    assert code == "E-UNDECODABLE"
    assert "MPEG-4" in reason
    rgb = as_bytes(image(np.zeros((2, 2, 3), np.uint8), ExplicitVRLittleEndian))
    for unknown in (b"1.2.840.10008.1.2.77", b"1.2.3.4.5.6.7.8.9.10", b"1.2.840.10008.1.1.99", b"1.2.840.100.8.1.2.1."):
        assert refusal(stored, write(rgb.replace(plain, unknown)))[0] == "E-SYNTAX"


def test_facts_are_read_without_a_pixel(write: Write):
    path = write(compressed(np.zeros((8, 8), np.uint8), JPEGBaseline8Bit))
    with open_dicom(path) as layout:
        facts = image_facts(layout, path)
    assert (facts.rows_px, facts.columns_px, facts.frames, facts.bits_allocated) == (8, 8, 1, 8)
    assert (facts.transfer_syntax, facts.photometric, facts.modality) == (JPEGBaseline8Bit, "MONOCHROME2", "MG")
