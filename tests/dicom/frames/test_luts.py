"""Look-up tables and palettes: planted, and looked up by hand."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from mammoscope.dicom.frames.luts import looked_up, read_lut

from ..images import display, image, refusal, written

Write = Callable[[Dataset | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda content: written(tmp_path / "1-1.dcm", content)


def lut(descriptor: list[int], data: object, **options: bool):
    return read_lut(descriptor, data, **{"is_signed": False, "is_big_endian": False, **options})


def test_values_beyond_its_ends_become_the_first_and_the_last_entry():
    table = lut([3, 100, 16], [10, 20, 30])
    assert looked_up(np.array([0, 100, 101, 102, 65535], np.uint16), table).tolist() == [10, 10, 20, 30, 30]
    signed = lut([3, 0xFFFF, 16], [10, 20, 30], is_signed=True)
    assert looked_up(np.array([-5, -1, 0, 1, 7], np.int16), signed).tolist() == [10, 10, 20, 30, 30]
    assert lut([3, 0xFFFF, 16], [1, 2, 3]).first == 65535
    assert lut([3, -1, 16], [1, 2, 3]).first == 65535  # as pydicom reads it where it takes it for signed


def test_entries_as_numbers_words_and_bytes():
    assert lut([3, 0, 16], struct.pack("<3H", 1, 2, 65535)).entries.tolist() == [1, 2, 65535]
    assert lut([3, 0, 16], struct.pack(">3H", 1, 2, 65535), is_big_endian=True).entries.tolist() == [1, 2, 65535]
    assert lut([3, 0, 8], bytes([1, 2, 255, 0])).entries.tolist() == [1, 2, 255]
    assert lut([4, 0, 8], struct.pack("<4H", 1, 2, 3, 255)).entries.tolist() == [1, 2, 3, 255]
    assert lut([1, 0, 8], 7).entries.tolist() == [7]


def test_no_entries_means_65536():
    table = lut([0, 0, 16], np.arange(65536, dtype="<u2").tobytes())
    assert looked_up(np.array([0, 65535]), table).tolist() == [0, 65535]


@pytest.mark.parametrize(
    ("descriptor", "data", "reason"),
    [
        ([3, 0, 16], [1, 2], "2 entries"),
        ([3, 0, 7], [1, 2, 3], "7 bits"),
        ([3, 0, 17], [1, 2, 3], "17 bits"),
        ([3, 0, 10], [1, 2, 1024], "beyond its 10 bits"),
    ],
)
def test_tables_that_are_not_what_they_say(descriptor: list[int], data: list[int], reason: str):
    with pytest.raises(ValueError, match=reason):
        lut(descriptor, data)


SEGMENTS = [0, 2, 5, 9, 1, 4, 21, 0, 1, 3, 1, 3, 0]  # 5 9, 12 15 18 21, 3, 2 1 0


def test_segments_are_pieces_and_slopes():
    table = lut([10, 0, 16], struct.pack("<13H", *SEGMENTS), is_segmented=True)
    assert table.entries.tolist() == [5, 9, 12, 15, 18, 21, 3, 2, 1, 0]
    assert table.entries.tolist() == _expand_segmented_lut(tuple(SEGMENTS), "<13H")
    narrow = lut([10, 0, 8], bytes([*SEGMENTS, 0]), is_segmented=True)
    assert narrow.entries.tolist() == table.entries.tolist()


def test_segments_are_repeated_from_a_place_in_bytes():
    repeated = [0, 2, 5, 9, 2, 1, 0, 0]  # PS3.3 C.7.9.2.3: the low word, then the high one
    assert lut([4, 0, 16], struct.pack("<8H", *repeated), is_segmented=True).entries.tolist() == [5, 9, 5, 9]
    slope = [0, 1, 8, 1, 2, 0, 2, 1, 6, 0]
    assert lut([5, 0, 16], struct.pack("<10H", *slope), is_segmented=True).entries.tolist() == [8, 4, 0, 0, 0]


@pytest.mark.parametrize(
    "segments",
    [
        [1, 2, 3],
        [0, 0, 0, 0],
        [3, 1, 1],
        [0, 1, 5, 2, 9, 9, 9],
        [0, 1, 5, 2, 65535, 0, 0, 2],
        [0, 1, 5, 2, 1],
        [0, 1, 5, 2, 1, 6, 0],
        [0] * 60_000,
    ],
)
def test_damaged_segments_end(segments: list[int]):
    with pytest.raises(ValueError, match=r"segment|entries"):
        lut([10, 0, 16], struct.pack(f"<{len(segments)}H", *segments), is_segmented=True)


def palette(tables: dict[str, bytes], descriptor: list[int], syntax: str, kind: str = "") -> Dataset:
    d = image(VALUES, syntax, PhotometricInterpretation="PALETTE COLOR")
    for colour, table in tables.items():
        d.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", descriptor)
        d.add_new(f"{kind}{colour}PaletteColorLookupTableData", "OW", table)
    return d


VALUES = np.array([[0, 1, 300, 4095, 60000]], np.uint16)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_palette_of_16_bits_is_shown_by_its_upper_half(write: Write, syntax: str):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    ramp = np.arange(4096, dtype=np.uint16) * 16
    tables = {"Red": ramp, "Green": ramp[::-1], "Blue": ramp // 2}
    data = {colour: table.astype(f"{order}u2").tobytes() for colour, table in tables.items()}
    shown = display(write(palette(data, [4096, 0, 16], syntax)))
    clipped = np.minimum(VALUES, 4095)
    expected = np.stack([tables[colour][clipped] >> 8 for colour in ("Red", "Green", "Blue")], axis=-1)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, expected)


def test_a_palette_of_8_bits_with_more_than_256_entries(write: Write):
    """pydicom keeps the index in the type of the entries: 300 becomes 44."""
    ramp = (np.arange(4096) // 16).astype(np.uint8).tobytes()
    d = palette(dict.fromkeys(("Red", "Green", "Blue"), ramp), [4096, 0, 8], ExplicitVRLittleEndian)
    assert display(write(d))[..., 0].tolist() == [[0, 0, 18, 255, 255]]


def test_a_palette_in_segments(write: Write):
    data = struct.pack("<6H", 0, 1, 0, 1, 255, 255 << 8)
    d = palette(dict.fromkeys(("Red", "Green", "Blue"), data), [256, 0, 16], ExplicitVRLittleEndian, "Segmented")
    assert display(write(d))[..., 2].tolist() == [[0, 1, 255, 255, 255]]


def test_a_palette_that_lacks_or_is_damaged(write: Write):
    d = image(VALUES, ExplicitVRLittleEndian, PhotometricInterpretation="PALETTE COLOR")
    assert refusal(display, write(d))[0] == "E-COLOR"
    short = dict.fromkeys(("Red", "Green", "Blue"), b"\0\0")
    assert refusal(display, write(palette(short, [256, 0, 16], ExplicitVRLittleEndian)))[0] == "E-COLOR"
