"""Which fragments make up which frame: by offset tables, by count, by how streams begin."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from mammoscope.dicom.frames.frame import stored_frames

from ..images import compress, encapsulated, opened, refusal, stored, written

Write = Callable[[Dataset | bytes], Path]
FRAMES = [np.tile(np.arange(50, dtype=np.uint8) * (n + 1) % 251, (40, 1)) for n in range(3)]
STREAMS = {s: [compress(frame, s, 8) for frame in FRAMES] for s in (RLELossless, JPEGLSLossless, JPEG2000Lossless)}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


def several(syntax: str, value: bytes, **changes: object) -> Dataset:
    d = encapsulated(STREAMS[syntax], FRAMES, syntax, **changes)
    d.PixelData = value
    return d


def check(path: Path) -> None:
    with opened(path) as (layout, facts):
        np.testing.assert_array_equal(list(stored_frames(layout, facts, path)), FRAMES)
    for n, expected in enumerate(FRAMES):
        np.testing.assert_array_equal(stored(path, n), expected)


@pytest.mark.parametrize("syntax", STREAMS)
@pytest.mark.parametrize("has_bot", [True, False])
def test_a_fragment_a_frame(write: Write, syntax: str, has_bot: bool):
    check(write(encapsulated(STREAMS[syntax], FRAMES, syntax, has_bot=has_bot)))


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("has_bot", [True, False])
def test_several_fragments_a_frame(write: Write, syntax: str, has_bot: bool):
    check(write(several(syntax, encapsulate(STREAMS[syntax], fragments_per_frame=2, has_bot=has_bot))))


def test_one_frame_of_several_fragments(write: Write):
    stream = STREAMS[JPEGLSLossless][0]
    d = encapsulated([stream], FRAMES[0], JPEGLSLossless)
    d.PixelData = encapsulate([stream], fragments_per_frame=4, has_bot=False)
    np.testing.assert_array_equal(stored(write(d)), FRAMES[0])


@pytest.mark.parametrize("syntax", STREAMS)
def test_the_extended_offset_table_and_its_lengths(write: Write, syntax: str):
    odd = [stream + b"\0" * (len(stream) % 2 == 0) for stream in STREAMS[syntax]]
    value, offsets, lengths = encapsulate_extended(odd)
    check(write(several(syntax, value, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)))


OFFSETS = [0, 8 + len(STREAMS[RLELossless][0]), 16 + len(STREAMS[RLELossless][0]) + len(STREAMS[RLELossless][1])]


def with_table(*offsets: int) -> bytes:
    table = struct.pack(f"<{len(offsets)}L", *offsets)
    fragments = encapsulate(STREAMS[RLELossless], has_bot=False)[8:]
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(table)) + table + fragments


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        (with_table(*OFFSETS[:2]), {}),
        (with_table(*OFFSETS, OFFSETS[2] + 8), {}),
        (with_table(OFFSETS[0], OFFSETS[1] + 1, OFFSETS[2]), {}),
        (with_table(OFFSETS[0], OFFSETS[2], OFFSETS[1]), {}),
        (with_table(OFFSETS[0], OFFSETS[1], OFFSETS[1]), {}),
        (with_table(OFFSETS[1], OFFSETS[1], OFFSETS[2]), {}),
        (with_table(*OFFSETS[:2], 0xFFFFFFFF), {}),
        (encapsulate(STREAMS[RLELossless][:2]), {}),
        (encapsulate([*STREAMS[RLELossless], STREAMS[RLELossless][0]], has_bot=False), {}),
        (encapsulate(STREAMS[RLELossless]), {"NumberOfFrames": 10**9}),
        (encapsulate(STREAMS[RLELossless]), {"NumberOfFrames": 2}),
        (encapsulate(STREAMS[RLELossless], has_bot=False), {"ExtendedOffsetTable": struct.pack("<3Q", *OFFSETS)}),
        (encapsulate(STREAMS[RLELossless], has_bot=False), {"ExtendedOffsetTable": b"12345678abcd"}),
    ],
)
def test_fragments_that_do_not_make_the_frames(write: Write, value: bytes, changes: dict[str, object]):
    check(write(several(RLELossless, with_table(*OFFSETS))))
    assert refusal(stored, write(several(RLELossless, value, **changes)))[0] == "E-FRAMES"


def test_a_length_beyond_its_fragment(write: Write):
    value, offsets, lengths = encapsulate_extended(STREAMS[RLELossless])
    longer = struct.pack("<3Q", *(length + 2 for length in struct.unpack("<3Q", lengths)))
    d = several(RLELossless, value, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=longer)
    assert refusal(stored, write(d))[0] == "E-FRAMES"


def test_fragments_that_begin_another_number_of_pictures(write: Write):
    value = encapsulate([STREAMS[JPEGLSLossless][0]], fragments_per_frame=4, has_bot=False)
    assert refusal(stored, write(several(JPEGLSLossless, value)))[0] == "E-FRAMES"
