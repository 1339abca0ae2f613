"""What compressed streams say of themselves, whole, cut and forged."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from mammoscope.dicom.frames.codestream import is_ended, read_jpeg, rle_fault
from mammoscope.dicom.frames.codestream_j2k import read_jpeg_2000

from ..images import compress

PIXELS = (np.arange(40 * 56) % 4000).reshape(40, 56).astype(np.uint16)


@pytest.mark.parametrize("syntax", [JPEGExtended12Bit, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless])
def test_jpeg_and_jpeg_ls(syntax: str):
    said = read_jpeg(compress(PIXELS, syntax, 12))
    assert (said.rows_px, said.columns_px, said.samples, said.precision) == (40, 56, 1, 12)
    assert (said.near, said.fault, said.is_odd) == (2 if syntax == JPEGLSNearLossless else 0, "", False)


def test_jpeg_in_colour_with_fill_bytes_before_its_markers():
    stream = compress(np.zeros((40, 56, 3), np.uint8), JPEGBaseline8Bit, 8)
    said = read_jpeg(stream)
    assert (said.rows_px, said.columns_px, said.samples, said.precision) == (40, 56, 3, 8)
    assert read_jpeg(stream[:2] + b"\xff\xff" + stream[2:]) == said


def test_a_progressive_jpeg_is_odd():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS.astype(np.uint8)).save(buffer, "JPEG", progressive=True)
    assert read_jpeg(buffer.getvalue()).is_odd


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, HTJ2KLossless])
def test_jpeg_2000(syntax: str):
    said = read_jpeg_2000(compress(PIXELS, syntax, 12))
    assert (said.rows_px, said.columns_px, said.samples) == (40, 56, 1)
    assert said.precision == (16 if syntax == HTJ2KLossless else 12)
    assert (said.fault, said.is_odd) == ("", False)
    in_colour = read_jpeg_2000(compress(np.zeros((64, 64, 3), np.uint8), syntax, 8))
    assert (in_colour.samples, in_colour.precision) == (3, 8)


def tiled(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)).save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


def test_tiles_that_lack_and_more_tiles_than_there_can_be():
    stream = tiled(no_jp2=True, tile_size=(32, 32))
    assert read_jpeg_2000(stream).fault == ""
    starts = [k for k in range(len(stream)) if stream[k : k + 4] == b"\xff\x90\0\x0a"]
    assert len(starts) == 4
    without = stream[: starts[1]] + stream[starts[2] :]
    assert read_jpeg_2000(without).fault == "3 of 4 tiles are there"
    assert read_jpeg_2000(stream[: starts[3]]).fault == "the compressed picture has no end"
    at = stream.index(b"\xff\x51") + 22
    forged = stream[:at] + (1).to_bytes(4) * 2 + stream[at + 8 :]
    assert "4096 tiles" in read_jpeg_2000(forged).fault


def test_a_jp2_file_and_a_last_tile_of_unsaid_length():
    assert (read_jpeg_2000(tiled()).rows_px, read_jpeg_2000(tiled()).fault) == (64, "")
    stream = tiled(no_jp2=True)
    at = stream.index(b"\xff\x90") + 6
    assert read_jpeg_2000(stream[:at] + bytes(4) + stream[at + 4 :] + b"\0").fault == ""


@pytest.mark.parametrize("options", [{"codeblock_size": (4, 4)}, {"precinct_size": (8, 8)}])
def test_a_picture_in_very_many_parts_is_odd(options: dict[str, tuple[int, int]]):
    """OpenJPEG wants 300 MB for a megapixel of such blocks, which half a kilobyte can hold."""
    size = (2048).to_bytes(4) * 2
    for stream, is_odd in ((tiled(**options), True), (tiled(codeblock_size=(32, 32)), False)):
        at = stream.index(b"\xff\x51") + 6
        forged = stream[:at] + size + stream[at + 8 : at + 16] + size + stream[at + 24 :]
        assert read_jpeg_2000(forged).is_odd == is_odd


def test_components_of_different_sizes():
    stream = compress(np.zeros((64, 64, 3), np.uint8), JPEG2000Lossless, 8)
    at = stream.index(b"\xff\x51") + 42
    assert read_jpeg_2000(stream[:at] + b"\x02" + stream[at + 1 :]).fault == "components of different sizes"


def test_anything_else_is_neither():
    streams = [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\0\0\0\0" * 50,
        bytes(200),
        b"\xff\x4f\xff\x51",
    ]
    for stream in [*streams, b"\xff\x4f\xff\x51" + bytes(100), b"\xff\x4f\xff\x51" + b"\xff" * 100]:
        assert read_jpeg(stream) is None
        assert read_jpeg_2000(stream) is None


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLSNearLossless, JPEG2000Lossless, RLELossless])
def test_a_stream_cut_anywhere_is_told_or_refused(syntax: str):
    pixels = PIXELS.astype(np.uint8)
    stream = compress(pixels, syntax, 8)
    for kept in range(0, len(stream) - 2, max(1, len(stream) // 300)):
        if syntax == RLELossless:
            rle_fault(stream[:kept], pixels.size, 1)
            continue
        said = read_jpeg_2000(stream[:kept]) if syntax == JPEG2000Lossless else read_jpeg(stream[:kept])
        assert said is None or said.fault


def test_the_end_may_be_padded():
    assert is_ended(b"..\xff\xd9")
    assert is_ended(b"..\xff\xd9\0")
    assert is_ended(b"..\xff\xd9\xff")
    assert not is_ended(b"..\xff")
    assert not is_ended(b"\xff\xd9..")


def test_run_lengths():
    stream = compress(PIXELS, RLELossless, 16)
    assert rle_fault(stream, PIXELS.size, 2) == ""
    assert "2 segments" in rle_fault(stream, PIXELS.size, 1)
    assert "header" in rle_fault(stream[:63], PIXELS.size, 2)
    assert "too short" in rle_fault(stream, PIXELS.size * 100, 2)
    assert "follow" in rle_fault(stream[:4] + stream[8:12] + stream[4:8] + stream[12:], PIXELS.size, 2)
    assert "follow" in rle_fault(stream[:70], PIXELS.size, 2)
