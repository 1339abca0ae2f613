"""A file with other elements and the very same pixels: how it is written, and how it is looked at before it is used."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from mammoscope.dicom.elements import refuse
from mammoscope.dicom.layout import Layout, open_dicom
from mammoscope.dicom.privacy.encode import Item, Written, encode
from mammoscope.dicom.privacy.judging import vr_of
from mammoscope.dicom.privacy.phi import Seen, findings_in, pixel_findings, see
from mammoscope.dicom.privacy.profile import Options, vrs_of
from mammoscope.dicom.privacy.pseudonyms import DicomPseudonyms, is_well_known
from mammoscope.errors import DicomError, MammoscopeError

_CHUNK: Final = 1 << 20
_EXPLICIT_HEAD: Final = 12  # bytes of PixelData before its value
_IMPLICIT_HEAD: Final = 8
_VERSION_NAME: Final = b"MAMMOSCOPE"  # of the implementation that wrote the file: 16 letters at most


def write_rewritten(layout: Layout, elements: Item, sop_class: str, sop_uid: str, result: Path) -> None:
    """layout: of the file whose pixels it gets, open. Its transfer syntax stays, its preamble and file meta do not."""
    is_implicit = layout.transfer_syntax == ImplicitVRLittleEndian
    body = encode(elements, is_implicit=is_implicit, is_little=layout.transfer_syntax != ExplicitVRBigEndian)
    chunks: Iterator[bytes] = chain([body], _pixel_element(layout, is_implicit))
    if layout.transfer_syntax == DeflatedExplicitVRLittleEndian:
        chunks = _deflated(chunks)
    head = bytes(128) + b"DICM" + _meta(sop_class, sop_uid, layout.transfer_syntax)
    _write(result, chain([head], chunks))


def _write(result: Path, chunks: Iterator[bytes]) -> None:
    """Raises: MammoscopeError where the disk is full: that is no fault of the file that is read, and stops all."""
    try:
        with open(result, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        raise MammoscopeError(f"{result.parent}: cannot be written to: {error.strerror or error}") from error


def _meta(sop_class: str, sop_uid: str, transfer_syntax: str) -> bytes:
    """PS3.10 7.1, without all that is optional."""
    uids = {0x00020002: sop_class, 0x00020003: sop_uid, 0x00020010: transfer_syntax}
    uids[0x00020012] = str(PYDICOM_IMPLEMENTATION_UID)
    elements = [Written(tag, "UI", uid.encode()) for tag, uid in uids.items()]
    elements += [Written(0x00020001, "OB", b"\0\1"), Written(0x00020013, "SH", _VERSION_NAME)]
    group = encode(elements, is_implicit=False, is_little=True)
    length = Written(0x00020000, "UL", len(group).to_bytes(4, "little"))
    return encode([length], is_implicit=False, is_little=True) + group


def _pixel_element(layout: Layout, is_implicit: bool) -> Iterator[bytes]:
    assert layout.pixels is not None, "who has none is refused"
    head = _IMPLICIT_HEAD if is_implicit else _EXPLICIT_HEAD
    yield from _read(layout.stream, layout.pixels.at - head, layout.pixels.length + head)


def _deflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """PS3.5 A.5: without zlib's header, of an even number of bytes."""
    deflater, length = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in chunks:
        done = deflater.compress(chunk)
        length += len(done)
        yield done
    rest = deflater.flush()
    yield rest + b"\0" * ((length + len(rest)) % 2)


def _read(stream: BinaryIO, at: int, length: int) -> Iterator[bytes]:
    stream.seek(at)
    while length > 0 and (chunk := stream.read(min(length, _CHUNK))):
        length -= len(chunk)
        yield chunk


def check_rewritten(layout: Layout, seen: Seen, pseudonyms: DicomPseudonyms, result: Path, source: Path) -> None:
    """layout, seen: of the source. The result is read as any file is, and judged as one that claims to be de-identified
    and that must not hold what identifies its source.

    Raises: DicomError E-AUDIT.
    """
    try:
        with open_dicom(result, after=True) as again:
            found = see(again, result, Options(), is_held_to_claim=True)
            held = replace(found, judge=replace(found.judge, identity=seen.identity))
            left = next(chain(findings_in(again, held), pixel_findings(again, held)), None)
            if left is not None:
                refuse("E-AUDIT", source, f"the result still has something in {left.place}: {left.why}")
            strange = _uids(found) - {pseudonyms.uid(uid) for uid in _uids(seen)}
            if not all(is_well_known(uid) for uid in strange):
                refuse("E-AUDIT", source, "the result has a UID that was not made from one of its source")
            if again.transfer_syntax != layout.transfer_syntax or not _has_same_pixels(layout, again):
                refuse("E-AUDIT", source, "the pixels of the result are not those of its source")
    except DicomError as error:
        if error.code == "E-AUDIT":
            raise
        refuse("E-AUDIT", source, f"the result cannot be read again: {error.code}: {error.reason}", error)


def _uids(seen: Seen) -> set[str]:
    values = (
        stored.value.decode("latin-1")
        for _, stored in (*seen.places, *seen.behind)
        if isinstance(stored.value, bytes) and "UI" in (vr_of(stored), *vrs_of(int(stored.tag)))
    )
    return {uid.strip(" \0") for value in values for uid in value.split("\\")} - {""}


def _has_same_pixels(one: Layout, other: Layout) -> bool:
    a, b = one.pixels, other.pixels
    if a is None or b is None or (a.tag, a.length, a.is_encapsulated) != (b.tag, b.length, b.is_encapsulated):
        return False
    pairs = zip(_read(one.stream, a.at, a.length), _read(other.stream, b.at, b.length), strict=True)
    return all(mine == theirs for mine, theirs in pairs)
