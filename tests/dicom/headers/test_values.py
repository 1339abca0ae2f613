"""One element's bytes -> a value of a type: all 34 value representations, and what is no value of its own."""

import datetime
import struct

import pytest
from pydicom.charset import python_encoding
from pydicom.valuerep import VR

from mammoscope.dicom.headers.values import EMPTY, KINDS, MAX_KEPT_BYTES, MAX_TEXT_BYTES, Value, Values, convert

PLAIN = ("iso8859",)


def of(vr: str, raw: bytes, encodings: tuple[str, ...] = PLAIN, little: bool = True) -> Value:
    return convert(vr, raw, encodings, little)


def test_every_value_representation_of_the_standard_has_a_kind():
    standard = {vr.value for vr in VR if len(vr.value) == 2} - {"SQ"}
    assert len(standard) == 33  # and SQ, which holds others
    assert set(KINDS) == standard


@pytest.mark.parametrize(
    ("vr", "raw", "typed"),
    [
        ("AE", b" STATION1 ", "STATION1"),
        ("AS", b"045Y", "045Y"),
        ("AT", bytes.fromhex("0800180010002000"), ["(0008,0018)", "(0010,0020)"]),
        ("CS", b"ORIGINAL\\PRIMARY ", ["ORIGINAL", "PRIMARY"]),
        ("DA", b"20240229", datetime.date(2024, 2, 29)),
        ("DS", b"0.07\\-0.001", [0.07, -0.001]),
        ("DT", b"20240229235959.000001", datetime.datetime(2024, 2, 29, 23, 59, 59, 1)),
        ("FD", struct.pack("<2d", 0.1, -2), [0.1, -2.0]),
        ("FL", struct.pack("<f", 0.5), 0.5),
        ("IS", b"-2147483648 ", -(1 << 31)),
        ("LO", b" a long string ", "a long string"),
        ("LT", b" two\r\nlines, with \\ in them ", " two\r\nlines, with \\ in them"),
        ("OB", b"\0\1", b"\0\1"),
        ("OD", struct.pack("<d", 0.1), struct.pack("<d", 0.1)),
        ("OF", struct.pack("<f", 0.1), struct.pack("<f", 0.1)),
        ("OL", b"\1\2\3\4", b"\1\2\3\4"),
        ("OV", b"\1\2\3\4\5\6\7\x08", b"\1\2\3\4\5\6\7\x08"),
        ("OW", b"\1\2", b"\1\2"),
        ("PN", b"Doe^Jane=\\Roe^Rita", ["Doe^Jane=", "Roe^Rita"]),
        ("SH", b"short ", "short"),
        ("SL", struct.pack("<i", -(1 << 31)), -(1 << 31)),
        ("SS", struct.pack("<2h", -1, 1), [-1, 1]),
        ("ST", b"one \\ text", "one \\ text"),
        ("SV", struct.pack("<q", -(1 << 63)), -(1 << 63)),
        ("TM", b"235959.123456", datetime.time(23, 59, 59, 123456)),
        ("UC", b" a\\b ", [" a", "b"]),
        ("UI", b"1.2.3\0", "1.2.3"),
        ("UL", struct.pack("<I", (1 << 32) - 1), (1 << 32) - 1),
        ("UN", b"CBIS", b"CBIS"),
        ("UR", b"https://example.org/a\\b ", "https://example.org/a\\b"),
        ("US", struct.pack("<H", 65535), 65535),
        ("UT", b"text \\ and text", "text \\ and text"),
        ("UV", struct.pack("<Q", (1 << 64) - 1), (1 << 64) - 1),
    ],
)
def test_a_value_of_each_representation(vr: str, raw: bytes, typed: object):
    assert of(vr, raw) == Value(typed)  # type: ignore[arg-type]
    assert of(vr, b"") is EMPTY


@pytest.mark.parametrize(
    ("vr", "letter"), [("FD", "d"), ("FL", "f"), ("SL", "i"), ("SS", "h"), ("SV", "q"), ("UL", "I"), ("US", "H")]
)
def test_big_endian_numbers(vr: str, letter: str):
    assert of(vr, struct.pack(f">2{letter}", 1, 258), little=False) == Value([1, 258])
    assert of("AT", bytes.fromhex("00080018"), little=False) == Value("(0008,0018)")
    assert of("OW", b"\1\2", little=False) == Value(b"\2\1")
    assert of("OB", b"\1\2", little=False) == Value(b"\1\2")


@pytest.mark.parametrize(
    ("vr", "text", "typed"),
    [
        ("DS", "1.0", 1.0),  # the number writes back as 1
        ("DS", "+7", 7.0),
        ("DS", "0.1234567890123456789", 0.12345678901234568),  # longer than is allowed: still a number
        ("DS", "1.50\\2", [1.5, 2.0]),
        ("IS", "007", 7),
        ("TM", "10", datetime.time(10)),
        ("TM", "1030", datetime.time(10, 30)),
        ("TM", "103059.5", datetime.time(10, 30, 59, 500000)),
        ("TM", "10:30:59", datetime.time(10, 30, 59)),
        ("DA", "2024.02.29", datetime.date(2024, 2, 29)),
        ("DT", "2024", datetime.datetime(2024, 1, 1)),
        ("DT", "202405", datetime.datetime(2024, 5, 1)),
        ("DT", "20240229120000+0200", datetime.datetime(2024, 2, 29, 12)),  # as the clock showed it
    ],
)
def test_a_text_that_the_value_would_not_write_back_is_kept(vr: str, text: str, typed: object):
    assert of(vr, text.encode()) == Value(typed, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("vr", "text", "typed"),
    [
        ("DS", "1,5", None),
        ("DS", "nan", None),
        ("DS", "1_0", None),
        ("DS", "1e999", None),
        ("DS", "1\\x\\3", [1.0, None, 3.0]),
        ("IS", "1.5", None),
        ("IS", "2147483648", None),
        ("DA", "20230229", None),
        ("DA", "202302", None),
        ("DA", "20230101-20230201", None),
        ("TM", "235960", None),  # a leap second
        ("TM", "2500", None),
        ("TM", "1000-1200", None),
        ("DT", "20230229", None),
        ("DT", "2023-2024", None),
    ],
)
def test_what_is_no_value_keeps_its_text_and_is_said(vr: str, text: str, typed: object):
    assert of(vr, text.encode()) == Value(typed, text, is_untyped=True)  # type: ignore[arg-type]


def test_binary_of_a_length_that_no_value_has_is_kept_in_hexadecimal():
    assert of("US", b"\1\2\3") == Value(None, "010203", is_untyped=True)
    assert of("AT", b"\1\2") == Value(None, "0102", is_untyped=True)


def test_what_is_long_is_left_out_and_its_length_told():
    assert of("OB", bytes(MAX_KEPT_BYTES)).typed == bytes(MAX_KEPT_BYTES)
    assert of("OB", bytes(MAX_KEPT_BYTES + 1)) == Value(None, left_out_bytes=MAX_KEPT_BYTES + 1)
    assert of("US", bytes(MAX_KEPT_BYTES + 2)) == Value(None, left_out_bytes=MAX_KEPT_BYTES + 2)
    assert of("UT", b"a" * MAX_TEXT_BYTES).typed == "a" * MAX_TEXT_BYTES
    assert of("UT", b"a" * (MAX_TEXT_BYTES + 1)) == Value(None, left_out_bytes=MAX_TEXT_BYTES + 1)


@pytest.mark.parametrize(
    ("terms", "raw", "expected"),
    [
        (["ISO_IR 100"], b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (["ISO_IR 192"], "Wang^XiaoDong=王^小东".encode(), "Wang^XiaoDong=王^小东"),
        (["GB18030"], "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
    ],
)
def test_text_is_read_by_the_character_sets_of_the_file(terms: list[str], raw: bytes, expected: str):
    assert of("PN", raw, tuple(python_encoding[term] for term in terms)) == Value(expected)


def test_a_backslash_within_a_letter_of_two_bytes_is_none():
    raw = "誠\\b".encode("gb18030")
    assert b"\\" in "誠".encode("gb18030")
    assert of("LO", raw, ("GB18030",)) == Value(["誠", "b"])


def test_bytes_outside_of_the_character_set_are_kept_and_said():
    assert of("LO", b"J\xe9r", ("UTF8",)) == Value(None, "J\\xe9r", is_untyped=True)


def test_values_that_come_again_are_the_same_object_by_representation_order_and_character_set():
    values = Values()
    assert values.of("LO", b"\xe8", ("latin_1",)) is values.of("LO", b"\xe8", ("latin_1",))
    assert values.of("LO", b"\xe8", ("latin_1",)) != values.of("LO", b"\xe8", ("iso8859_2", "latin_1"))
    assert values.of("US", b"\1\0").typed == 1
    assert values.of("US", b"\1\0", is_little=False).typed == 256
    assert values.of("SS", b"\xff\xff").typed == -1
