"""Files that are made to harm: each is an error with a code, before memory or time is spent on it."""

import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from mammoscope.collection.files import list_dicom
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.conformance.verify import verify_file
from mammoscope.dicom.elements import MAX_INFLATED_BYTES
from mammoscope.dicom.frames.frame import image_facts, stored_frames
from mammoscope.dicom.layout import open_dicom
from mammoscope.errors import DicomError

sys.path.insert(0, str(Path(__file__).parent))  # both are programs, too, that import nothing of the tests
from fuzzing import VRS, film, own_files, seed
from test_fuzz import COMPUTING_S, MEMORY_MB, fuzz

READERS = 4  # that the program has for each file
NATIVE = bytes(18 * 14 * 2)
UNDEFINED = 0xFFFFFFFF


def codes(path: Path, content: bytes) -> list[str]:
    """Of errors and warnings; all of them stand in the menu."""
    path.write_bytes(content)
    found = [finding.code for finding in verify_file(path)]
    assert set(found) <= set(CODES)
    return found


def first_error(path: Path, content: bytes) -> str:
    return next((code for code in codes(path, content) if code.startswith("E-")), "")


@pytest.mark.parametrize("name", sorted(own_files()))
def test_cut_at_every_byte(tmp_path: Path, name: str):
    """A part of a picture is never taken for one, whatever the syntax."""
    whole = own_files()[name]
    path = tmp_path / "a.dcm"
    assert first_error(path, whole) == ""
    every = 1 if name in ("film Explicit VR Little Endian", "film Deflated Explicit VR Little Endian") else 7
    for length in range(0, len(whole), every):
        assert first_error(path, whole[:length]), f"{length} of {len(whole)} bytes"


def test_a_bit_here_and_there(tmp_path: Path):
    """Whatever it makes of the file: what is given has the shape that the header says."""
    whole, path = own_files()["film of two frames, HTJ2K"], tmp_path / "a.dcm"
    for at in range(0, len(whole), 3):
        codes(path, whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with suppress(DicomError), open_dicom(path) as layout:
            facts = image_facts(layout, path)
            shapes = [frame.shape for frame in stored_frames(layout, facts, path, isolated=True)]
            assert shapes == [(facts.rows_px, facts.columns_px)] * facts.frames


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    size = len(value) if length is None else length
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + struct.pack("<HL", 0, size) + value
    return head + struct.pack("<H", size) + value


def short(tag: int, value: int) -> bytes:
    return element(tag, b"US", struct.pack("<H", value))


@pytest.mark.parametrize(
    ("rows", "columns", "frames", "expected"),
    [
        (65535, 65535, b"1 ", "E-SIZE"),
        (65535, 65535, b"999999999999", "E-SIZE"),
        (16384, 16384, b"99999999", "E-TRUNCATED"),
        (18, 14, b"2147483648", "E-TRUNCATED"),
        (18, 14, b"-1", "E-HEADER"),
        (18, 14, b"0 ", "E-HEADER"),
        (18, 14, b"1e9 ", "E-HEADER"),
        (0, 14, b"1 ", "E-SIZE"),
        (18, 7, b"1 ", "E-SIZE"),  # twice the bytes that are promised are not two frames
    ],
)
def test_absurd_pictures(tmp_path: Path, rows: int, columns: int, frames: bytes, expected: str):
    whole = film(ExplicitVRLittleEndian, NATIVE)
    for old, new in (
        (short(0x00280010, 18), short(0x00280010, rows)),
        (short(0x00280011, 14), short(0x00280011, columns)),
        (element(0x00280008, b"IS", b"1 "), element(0x00280008, b"IS", frames)),
    ):
        assert whole.count(old) == 1
        whole = whole.replace(old, new)
    assert first_error(tmp_path / "a.dcm", whole) == expected


def grid(content: bytes, side: int) -> bytes:
    new = short(0x00280010, side), short(0x00280011, side)
    return content.replace(short(0x00280010, 18), new[0]).replace(short(0x00280011, 14), new[1])


def deflated(data: bytes) -> bytes:
    """A film whose data set ends in `data` in place of its pixels."""
    whole = film(DeflatedExplicitVRLittleEndian, NATIVE)
    own = seed("", whole)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS, level=1)
    return own.content[: own.head] + packer.compress(own.content[own.head : own.header_end] + data) + packer.flush()


def items(count: int) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, 0) * count


def test_a_deflated_film_of_some_megabytes_is_none(tmp_path: Path):
    """It is inflated in pieces, of which the last is in no input any more."""
    path = tmp_path / "a.dcm"
    for rows in (2048, 2049, 2050):
        content = deflated(element(0x7FE00010, b"OW", bytes(rows * 2048 * 2)))
        own = seed("", content)
        data = own.content[own.head :].replace(short(0x00280010, 18), short(0x00280010, rows))
        packed = zlib.compress(data.replace(short(0x00280011, 14), short(0x00280011, 2048)), wbits=-zlib.MAX_WBITS)
        path.write_bytes(own.content[: own.head] + packed)
        with open_dicom(path) as layout:
            (frame,) = stored_frames(layout, image_facts(layout, path), path)
        assert frame.shape == (rows, 2048)


def compressed_bombs() -> dict[str, tuple[bytes, str]]:
    """Content, and the code of the first error."""
    black = np.zeros((2048, 2048), np.uint16)
    j2k = imagecodecs.jpeg2k_encode(black, level=0, codecformat="J2K", reversible=True, bitspersample=16)
    size = j2k.index(b"\xff\x51") + 6
    larger = bytearray(j2k)
    for at in (0, 4, 16, 20):  # picture and tile, PS ISO/IEC 15444-1 A.5.1
        larger[size + at : size + at + 4] = struct.pack(">L", 16000)
    jls = imagecodecs.jpegls_encode(np.zeros((16000, 16000), np.uint16))
    return {
        "j2k under a small header": (film(JPEG2000Lossless, encapsulate([j2k])), "E-SIZE"),
        "j2k": (grid(film(JPEG2000Lossless, encapsulate([bytes(larger)])), 16000), "E-TOO-LARGE"),
        "jpeg-ls": (grid(film(JPEGLSLossless, encapsulate([jls])), 16000), "E-TOO-LARGE"),
        "rle": (
            grid(film(RLELossless, encapsulate([struct.pack("<16L", 2, 64, 66, *[0] * 13) + b"\x81\0" * 2])), 16000),
            "E-UNDECODABLE",
        ),
    }


def deflated_bombs() -> dict[str, tuple[bytes, str]]:
    many = b"".join(element(0x30010000 + n, b"SH", b"") for n in range(0x1000, 0xF000)) * 8
    item = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
    return {
        "deflated pixels": (deflated(element(0x7FE00010, b"OW", bytes(MAX_INFLATED_BYTES))), "E-TOO-LARGE"),
        "deflated values": (deflated(element(0x30011000, b"OB", bytes(15 << 20)) * 6), "E-TOO-LARGE"),
        "deflated elements": (deflated(many), "E-TOO-LARGE"),
        "deflated items": (deflated(element(0x0040A730, b"SQ", items(1 << 20))), "E-TOO-LARGE"),
        "deflated items without end": (deflated(element(0x0040A730, b"SQ", items(1 << 20), UNDEFINED)), "E-TOO-LARGE"),
        "deflated elements of an item": (deflated(element(0x0040A730, b"SQ", item + many, UNDEFINED)), "E-TOO-LARGE"),
    }


def check_bombs(folder: Path, bombs: dict[str, tuple[bytes, str]]) -> None:
    files = [folder / f"{name.replace(' ', '-')}.dcm" for name in bombs]
    for path, (content, _) in zip(files, bombs.values(), strict=True):
        assert len(content) < 2 << 20  # most have some kilobytes
        path.write_bytes(content)
    found = fuzz(*files)
    assert not found["failures"]
    assert dict(zip(bombs, found["outcomes"], strict=True)) == {name: expected for name, (_, expected) in bombs.items()}
    assert found["most_mb"] < MEMORY_MB
    assert found["slowest_s"] < COMPUTING_S * READERS, found["slowest"]


def test_pictures_that_unfold_to_gigabytes(tmp_path: Path):
    check_bombs(tmp_path, compressed_bombs())


@pytest.mark.slow
def test_headers_that_unfold_to_gigabytes(tmp_path: Path):
    check_bombs(tmp_path, deflated_bombs())


def nested(depth: int, *, is_defined: bool, vr: bytes = b"SQ") -> bytes:
    value = b""
    for _ in range(depth):
        if is_defined:
            value = element(0x00081140, vr, struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value)
        else:
            ends = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
            inner = struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED) + value + ends
            value = element(0x00081140, vr, inner, UNDEFINED)
    return value


@pytest.mark.parametrize("vr", [b"SQ", b"UN"])
@pytest.mark.parametrize("is_defined", [True, False])
def test_sequences_a_thousand_deep(tmp_path: Path, is_defined: bool, vr: bytes):
    whole = film(ExplicitVRLittleEndian, NATIVE)
    at = whole.index(struct.pack("<HH", 0x0008, 0x0060))
    for depth, expected in ((3, ""), (1000, "E-NESTED"), (30_000, "E-NESTED")):
        content = whole[:at] + nested(depth, is_defined=is_defined, vr=vr) + whole[at:]
        assert first_error(tmp_path / "a.dcm", content) == expected


def heads(content: bytes) -> Iterator[int]:
    """Of the data set's elements: where the value representation is."""
    own = seed("", content)
    return (at for at in own.heads if own.head < at < own.header_end)


def test_every_representation_in_the_place_of_every_other(tmp_path: Path):
    whole, path = film(ExplicitVRLittleEndian, NATIVE), tmp_path / "a.dcm"
    for at in heads(whole):
        for vr in (*VRS, b"ZZ", b"\0\0"):
            if whole[at : at + 2] != vr:
                assert codes(path, whole[:at] + vr + whole[at + 2 :])


def test_every_element_without_a_value(tmp_path: Path):
    whole, path = film(ExplicitVRLittleEndian, NATIVE), tmp_path / "a.dcm"
    for at in heads(whole):
        is_long = whole[at : at + 2] in (b"OB", b"OW", b"SQ", b"UN", b"UT")
        size = int.from_bytes(whole[at + 4 : at + 8] if is_long else whole[at + 2 : at + 4], "little")
        end = at + (8 if is_long else 4)
        codes(path, whole[: at + 2] + bytes(end - at - 2) + whole[end + size :])
        codes(path, whole[: at + 2] + bytes(end - at - 2) + whole[end:])


@pytest.mark.parametrize(
    "content",
    [b"", b"DICM", bytes(131), bytes(132), b"\x89PNG\r\n\x1a\n" + bytes(200), b"PatientID: 1\n" * 40],
)
def test_what_is_no_dicom(tmp_path: Path, content: bytes):
    assert codes(tmp_path / "a.dcm", content) == ["E-NOT-DICOM"]


def test_a_prefix_and_nothing_else(tmp_path: Path):
    assert first_error(tmp_path / "a.dcm", bytes(128) + b"DICM") == "E-SYNTAX"


def test_links_in_circles_and_what_cannot_be_opened():
    """As another user where this one is allowed everything."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "a").mkdir()
        (root / "a" / "up").symlink_to(root)
        (root / "self.dcm").symlink_to(root / "self.dcm")
        (root / "folder.dcm").mkdir()
        for path in (root / "secret.dcm", root / "secret"):
            path.write_bytes(film(ExplicitVRLittleEndian, NATIVE))
            path.chmod(0)
        (root / "closed").mkdir(mode=0)
        if is_root:
            os.seteuid(65534)
        try:
            listing = list_dicom([root])
            found = {path.name: [f.code for f in verify_file(path)] for path in listing.files}
        finally:
            if is_root:
                os.seteuid(0)
        assert found == {"self.dcm": ["E-UNREADABLE"], "secret.dcm": ["E-UNREADABLE"]}
        assert {error.code for error in listing.refused} == {"E-UNREADABLE"}
        assert {Path(error.path).name for error in listing.refused} == {"secret", "closed"}


def test_syntaxes_that_contradict_the_pixels(tmp_path: Path):
    for syntax in (RLELossless, JPEG2000Lossless):
        whole = film(syntax, encapsulate([b"\0" * 600]))
        for other in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, UID("1.2.3")):
            old, new = (str(uid).encode() for uid in (syntax, other))
            content = whole.replace(old + b"\0" * (len(old) % 2), new.ljust(len(old) + len(old) % 2, b"\0"), 1)
            assert first_error(tmp_path / "a.dcm", content) == "E-SYNTAX"
