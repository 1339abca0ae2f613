"""Files that were right, damaged in every way, and what becomes of them: `python fuzzing.py FIRST LAST FOLDER`.

The number of a file says all about it: `python fuzzing.py 1234 1235 FOLDER` makes and reads that one alone, and leaves
it in FOLDER; `python fuzzing.py FILE...` reads files that are there. Prints one JSON object. It is a program, so that
a crash is seen, and memory and time are its own.
"""

import io
import json
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

import imagecodecs
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)
from pydicom.valuerep import VR

from mammoscope.dicom.codes import CODES
from mammoscope.dicom.conformance.verify import verify_file
from mammoscope.dicom.frames.frame import display_frame, image_facts
from mammoscope.dicom.headers.row import RowReader
from mammoscope.dicom.layout import open_dicom
from mammoscope.dicom.read import read_header
from mammoscope.errors import DicomError

HANGS_AFTER_S: Final = 120.0  # of the clock, on a machine that does other things too; the limit is one of computing
NAMES: Final = (  # of pydicom's own files: one or more of each transfer syntax
    "693_J2KI.dcm",
    "DICOMDIR-empty.dcm",
    "ExplVR_BigEnd.dcm",
    "JPEG-lossy.dcm",
    "JPEG2000.dcm",
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_rle_32bit.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "UN_sequence.dcm",
    "nested_priv_SQ.dcm",
    "priv_SQ.dcm",
    "rtdose.dcm",
    "rtdose_expb_1frame.dcm",
    "rtdose_rle_1frame.dcm",
    "rtplan.dcm",
    "test-SR.dcm",
    "waveform_ecg.dcm",
    "liver_1frame.dcm",
)
MAX_SEED_BYTES: Final = 40_000
EXTREMES: Final = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VRS: Final = [vr.value.encode() for vr in VR if len(vr) == 2]
ROWS: Final = RowReader()
SYNTAXES: Final = [str(uid).encode() for uid in AllTransferSyntaxes]


@dataclass(frozen=True, slots=True)
class Seed:
    name: str
    content: bytes  # a deflated file's data set: inflated
    head: int  # where the data set begins
    header_end: int  # where the pixels begin
    heads: tuple[int, ...]  # of elements: offsets of their VR or length
    is_deflated: bool


def own_files() -> dict[str, bytes]:
    """Small films of the syntaxes that pydicom's own files lack, or have large."""
    pixels = (np.arange(18 * 14, dtype=np.uint16).reshape(18, 14) * 13) & 0xFFF
    native = pixels.tobytes()
    streams = {
        HTJ2K: imagecodecs.htj2k_encode(pixels),
        JPEGLosslessSV1: imagecodecs.ljpeg_encode(pixels, bitspersample=12),
    }
    files = {f"film {UID(uid).name}": film(uid, encapsulate([stream])) for uid, stream in streams.items()}
    for uid in (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        files[f"film {uid.name}"] = film(uid, native)
    files["film of two frames"] = film(ExplicitVRLittleEndian, native * 2, frames=2)
    files["film of two frames, HTJ2K"] = film(HTJ2K, encapsulate([streams[HTJ2K]] * 2), frames=2)
    return files


def film(syntax: str, data: bytes, frames: int = 1) -> bytes:
    d, code, lut = Dataset(), Dataset(), Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = UID(syntax)
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = "1.2.3.4"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.Modality, d.PatientID = "1.2.3", "1.2.3.5", "MG", "P"
    d.SpecificCharacterSet, d.PatientName, d.StudyDate = "ISO_IR 192", "Müller", "20260101"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "R-10242", "SRT", "cranio-caudal"
    d.ViewCodeSequence, lut.LUTDescriptor = [code], [4, 0, 16]
    lut.LUTData = [0, 1, 2, 3]
    d.ModalityLUTSequence = [lut]
    lut["LUTDescriptor"].VR = lut["LUTData"].VR = "US"
    d.private_block(0x0013, "CTP", create=True).add_new(0x10, "LO", "CBIS-DDSM")
    d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME1", 18, 14
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
    d.NumberOfFrames, d.WindowCenter, d.WindowWidth = frames, "2048", "4096"
    d.PixelData = data
    d["PixelData"].VR = "OB" if UID(syntax).is_encapsulated else "OW"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, d, enforce_file_format=True)
    return buffer.getvalue()


@cache
def seeds() -> tuple[Seed, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paths = [Path(str(get_testdata_file(name, download=False))) for name in NAMES]
        files = {path.name: path.read_bytes() for path in paths} | own_files()
    return tuple(seed(name, content) for name, content in files.items() if len(content) <= MAX_SEED_BYTES)


def seed(name: str, content: bytes) -> Seed:
    head = content.find(b"\x02\x00\x00\x00UL\x04\x00")
    head = 144 + int.from_bytes(content[head + 8 : head + 12], "little") if head == 132 else 132
    at = content.find(b"\x02\x00\x10\x00UI") + 8
    syntax = content[at : at + content[at - 2]].rstrip(b"\0").decode("latin-1")
    is_deflated = syntax == DeflatedExplicitVRLittleEndian
    if is_deflated:
        content = content[:head] + zlib.decompress(content[head:], -zlib.MAX_WBITS)
    is_implicit = syntax == ImplicitVRLittleEndian
    order = "big" if syntax == ExplicitVRBigEndian else "little"
    end = max(content.rfind(b"\xe0\x7f\x10\x00"), content.rfind(b"\x7f\xe0\x00\x10"))
    heads = _heads(content, 132, head, False, "little") + _heads(content, head, len(content), is_implicit, order)
    return Seed(name, content, head, end if end > 0 else len(content), tuple(heads), is_deflated)


def _heads(content: bytes, at: int, end: int, is_implicit: bool, order: str) -> list[int]:
    """Elements of the top, and what lies in sequences of undefined length, roughly: enough to aim at."""
    found = []
    while at + 8 <= end:
        found.append(at + 4)
        if content[at : at + 4] in (b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0") or is_implicit:
            length, at = int.from_bytes(content[at + 4 : at + 8], order), at + 8  # type: ignore[arg-type]
            length = 0 if content[at - 8 : at - 4] == b"\xfe\xff\x00\xe0" else length
        elif content[at + 4 : at + 6] in (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"):
            length, at = int.from_bytes(content[at + 8 : at + 12], order), at + 12  # type: ignore[arg-type]
        else:
            length, at = int.from_bytes(content[at + 6 : at + 8], order), at + 8  # type: ignore[arg-type]
        at += 0 if length == 0xFFFFFFFF else length
    return found


Mutation = Callable[[bytearray, Seed, random.Random], None]


def _place(data: bytearray, seed: Seed, chance: random.Random) -> int:
    """As often in the header as anywhere: a bit of a picture is a picture."""
    end = min(seed.header_end + 64, len(data)) if chance.random() < 0.5 else len(data)
    return chance.randrange(132 if chance.random() < 0.95 else 0, max(end, 133))


def flip_bits(data: bytearray, seed: Seed, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = _place(data, seed, chance)
        if at < len(data):
            data[at] ^= 1 << chance.randrange(8)


def flip_pixel_bits(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """What decoders get, most of all the beginning of a stream."""
    start = seed.header_end + 8
    for _ in range(chance.choice((1, 1, 2, 8))):
        if start + 1 < len(data):
            at = start + min(int(chance.expovariate(1 / 200)), len(data) - start - 1)
            data[at] = chance.choice((data[at] ^ 1 << chance.randrange(8), 0, 0xFF, chance.randrange(256)))


def edit_fact(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Of the picture: Rows, Columns, bits, samples, NumberOfFrames, photometric interpretation ..."""
    facts = [at for at in seed.heads if data[at - 4 : at - 2] in (b"\x28\x00", b"\x00\x28")]
    if facts:
        at = chance.choice(facts) + 4
        data[at : at + 2] = chance.choice((*range(20), 32, 64, 255, 256, 0x7FFF, 0xFFFF)).to_bytes(2, "little")


def insert_bytes(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = _place(data, seed, chance)
    data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 8, 100)))


def delete_bytes(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = _place(data, seed, chance)
    del data[at : at + chance.choice((1, 2, 4, 8, 100))]


def truncate(data: bytearray, seed: Seed, chance: random.Random) -> None:
    del data[_place(data, seed, chance) :]


def edit_length(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = chance.choice(seed.heads) + chance.choice((0, 2, 4))
    form = chance.choice(("<H", "<L", ">H", ">L"))
    size = struct.calcsize(form)
    if at + size > len(data):
        return
    (now,) = struct.unpack(form, data[at : at + size])
    new = chance.choice((*EXTREMES, now + 1, now - 1, now + 2, now - 2, now * 2, chance.getrandbits(32)))
    data[at : at + size] = struct.pack(form, new & (1 << 8 * size) - 1)


def edit_vr(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = chance.choice(seed.heads)
    data[at : at + 2] = chance.choice(VRS) if chance.random() < 0.9 else chance.randbytes(2)


def edit_value(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Numbers where numbers are, and other bytes where they are not."""
    at = chance.choice(seed.heads) + 4
    size = chance.choice((1, 2, 4))
    data[at : at + size] = chance.choice(EXTREMES).to_bytes(4, chance.choice(("little", "big")))[:size]


def splice(data: bytearray, seed: Seed, chance: random.Random) -> None:
    other = chance.choice(seeds())
    start = chance.choice(other.heads) - 4
    piece = other.content[start : start + chance.choice((8, 32, 200, 2000))]
    at = chance.choice(seed.heads) - 4
    data[at : at + (len(piece) if chance.random() < 0.5 else 0)] = piece


def repeat(data: bytearray, seed: Seed, chance: random.Random) -> None:
    start = chance.choice(seed.heads) - 4
    piece = data[start : start + chance.choice((8, 12, 20, 60))]
    data[start:start] = piece * chance.choice((1, 2, 50, 400))


def change_syntax(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = data.find(b"\x02\x00\x10\x00UI")
    if at >= 0:
        uid = chance.choice(SYNTAXES)
        length = int.from_bytes(data[at + 6 : at + 8], "little")
        data[at + 6 : at + 8 + length] = struct.pack("<H", len(uid) + len(uid) % 2) + uid + b"\0" * (len(uid) % 2)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    flip_bits,
    flip_pixel_bits,
    flip_pixel_bits,
    flip_pixel_bits,
    edit_fact,
    edit_fact,
    insert_bytes,
    delete_bytes,
    truncate,
    edit_length,
    edit_length,
    edit_vr,
    edit_value,
    edit_value,
    splice,
    repeat,
    change_syntax,
)


def damaged(number: int) -> tuple[str, bytes]:
    """What is damaged and how, and the file."""
    chance = random.Random(number)
    seed = chance.choice(seeds())
    chosen = chance.choices(MUTATIONS, k=chance.choice((1, 1, 1, 2, 3)))
    data = bytearray(seed.content)
    for mutation in chosen:
        mutation(data, seed, chance)
    if seed.is_deflated:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = packer.compress(bytes(data[seed.head :])) + packer.flush()
        if chance.random() < 0.2 and packed:
            at = chance.randrange(len(packed))
            packed = packed[:at] + bytes([packed[at] ^ 1 << chance.randrange(8)]) + packed[at + 1 :]
        data[seed.head :] = packed
    return f"{seed.name}: {', '.join(m.__name__ for m in chosen)}", bytes(data)


def outcome(path: Path) -> str:
    """The codes that the file gets; `result` where it has pixels all the same. Raises: what it must not."""
    found = verify_file(path)
    codes = [finding.code for finding in found]
    try:
        ROWS.read(path)
    except DicomError as error:
        codes.append(error.code)
    try:
        read_header(path)
    except DicomError as error:
        codes.append(error.code)
    try:
        with open_dicom(path) as layout:
            display_frame(layout, image_facts(layout, path), path, 0, isolated=True)
    except DicomError as error:
        codes.append(error.code)
    unknown = set(codes) - set(CODES)
    assert not unknown, f"codes that the menu does not have: {unknown}"
    return next((code for code in codes if code.startswith("E-") and code != "E-NOT-MG"), "result")


class Hang(BaseException):
    """No Exception: nothing that catches those may swallow it."""


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang


def most_mb() -> float:
    """Of memory that this process, or one that it started, ever had."""
    used = [resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]  # of itself, it tells what its parent had, too
    for process in (Path("/proc/self"), *children()):
        lines = (process / "status").read_text().splitlines()
        used += [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return max(used) / 1024


def computed_s() -> float:
    """Of this process and of those that it started, one that decodes among them."""
    ended, ticks = resource.getrusage(resource.RUSAGE_CHILDREN), 0
    for process in children():
        ticks += sum(int(field) for field in (process / "stat").read_text().rpartition(")")[2].split()[11:13])
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def children() -> list[Path]:
    lists = Path("/proc/self/task").glob("*/children")
    return [Path("/proc", pid) for found in lists for pid in found.read_text().split()]


def main(files: Iterable[tuple[str, Path]]) -> None:
    """What each is, and where: one is written when it is asked for, and may take the place of the one before."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _hang)
    outcomes, failures = list[str](), list[str]()
    slowest, slowest_s, waited_s = "", 0.0, 0.0
    for what, path in files:
        signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_S)
        started, on_the_clock = computed_s(), time.monotonic()
        try:
            outcomes.append(outcome(path))
        except (Exception, Hang):
            failures.append(f"{what}: {traceback.format_exc()[-1500:]}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        took, waited_s = computed_s() - started, max(waited_s, time.monotonic() - on_the_clock)
        if took > slowest_s:
            slowest, slowest_s = what, took
    said = {
        "outcomes": outcomes,
        "failures": failures,
        "slowest": slowest,
        "slowest_s": slowest_s,
        "waited_s": waited_s,
        "most_mb": most_mb(),
    }
    print(json.dumps(said))


def numbered(first: int, last: int, folder: Path) -> Iterator[tuple[str, Path]]:
    path = folder / f"{first}.dcm"
    for number in range(first, last):
        what, content = damaged(number)
        path.write_bytes(content)
        yield f"{number} ({what})", path


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0].isdecimal():
        main(numbered(int(words[0]), int(words[1]), Path(words[2])))
    else:
        main((word, Path(word)) for word in words)
