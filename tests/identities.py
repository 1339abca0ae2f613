"""Patients who are nobody, and a search for what is left of them in files of any kind."""

import base64
import hashlib
import io
import json
import re
import sqlite3
import tarfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

DIGEST_DIGITS = 12  # of an unkeyed digest: so many confirm a guess
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{%d,}" % DIGEST_DIGITS)
_DATA_URL = re.compile(rb"base64,([A-Za-z0-9+/=]{40,})")
_GZIP, _ZLIB, _SQLITE = b"\x1f\x8b", (b"\x78\x01", b"\x78\x9c", b"\x78\xda"), b"SQLite format 3\0"
_PNG, _PARQUET, _ZIP = b"\x89PNG\r\n\x1a\n", b"PAR1", b"PK\x03\x04"


@dataclass(frozen=True)
class Planted:
    """words: by what they are; whoever carries one of them, in upper or lower case, carries an identity.

    numbers: decimal, as dates and times have them, no part of a longer number. whole: of which no digest may be found.
    """

    words: Mapping[str, str]
    numbers: Mapping[str, str]
    whole: tuple[str, ...]

    def search(self, content: bytes) -> Iterator[str]:
        """What of it `content` carries as it stands; see `leaks` for what it has packed."""
        lower = content.lower()
        for pattern, (word, encoding) in self._patterns.items():
            if pattern in (content if encoding == "base64" else lower):
                yield f"{word} ({encoding})"
        for what, number in self.numbers.items():
            digits = number.encode()
            if digits in content and re.search(rb"(?<!\d)" + re.escape(digits) + rb"(?!\d)", content):
                yield f"{what} {number}"
        for run in _HEX.finditer(lower):
            if found := self._digests.get(run[0][:DIGEST_DIGITS]):
                yield found

    @cached_property
    def _patterns(self) -> dict[bytes, tuple[str, str]]:
        patterns: dict[bytes, tuple[str, str]] = {}
        for what, word in self.words.items():
            for encoding, pattern in _encoded(word):
                patterns.setdefault(pattern, (f"{what} {word!r}", encoding))
        return patterns

    @cached_property
    def _digests(self) -> dict[bytes, str]:
        return {
            hashlib.new(kind, text.encode()).hexdigest()[:DIGEST_DIGITS].encode(): f"{kind} of {text!r}"
            for text in self.whole
            for kind in ("md5", "sha1", "sha256", "sha512", "blake2b")
        }


def _encoded(word: str) -> Iterator[tuple[str, bytes]]:
    """As content whose ASCII letters are lower case has it."""
    for spelt in {word, word.lower(), word.upper()}:
        yield "UTF-8", spelt.encode().lower()
        yield "Latin-1", spelt.encode("latin-1", "replace").lower()
        yield "UTF-16", spelt.encode("utf-16-le")[:-1].lower()  # without its last zero it is part of the big endian one
        yield "UTF-32", spelt.encode("utf-32-le")[:-3].lower()
        yield "escaped", spelt.encode("unicode_escape").lower()
        yield "JSON", json.dumps(spelt)[1:-1].encode().lower()
        yield "URL", urllib.parse.quote(spelt, safe="").encode().lower()
        yield "hexadecimal", spelt.encode().hex().encode()
        for offset in range(3):  # without the digits that what stands before and behind has a share in
            packed = base64.b64encode(b"\0" * offset + spelt.encode())
            yield "base64", packed[(0, 2, 3)[offset] : -4].rstrip(b"=")


def leaks(planted: Planted, name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """(where, what) for `content` and all that is packed in it, however deep; its name is looked at as well."""
    for found in {*planted.search(name.encode(errors="surrogateescape")), *planted.search(content)}:
        yield name, found
    for inner, unpacked in _unpacked(content):
        yield from leaks(planted, f"{name} > {inner}", unpacked)


def _unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What is plain to see in `content` already is not unpacked again."""
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((member, archive.read(member)) for member in archive.namelist())
    elif content.startswith(_GZIP):
        yield "gzip", zlib.decompressobj(31).decompress(content)
    elif content.startswith(_ZLIB):
        try:
            yield "zlib", zlib.decompressobj().decompress(content)
        except zlib.error:
            return
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            yield from ((m.name, file.read()) for m in archive if (file := archive.extractfile(m)) is not None)
    elif content.startswith(_PARQUET):
        yield "parquet", _parquet_text(content)
    elif content.startswith(_PNG):
        yield "text chunks", repr(Image.open(io.BytesIO(content)).info).encode()
    for number, found in enumerate(_DATA_URL.finditer(content)):
        yield f"data URL {number}", base64.b64decode(found[1])


def _parquet_text(content: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(content))
    return b"\n".join(map(_text, [table.schema.metadata, *table.to_pylist()]))


def _text(value: Any) -> bytes:
    """Of nested values; bytes as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        return b" ".join(b"%s=%s" % (_text(key), _text(one)) for key, one in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return b" ".join(map(_text, value))
    return str(value).encode(errors="surrogateescape")


def leaks_of_tree(planted: Planted, root: Path) -> Iterator[tuple[str, str]]:
    """As leaks, of every file and folder below `root`; the same content is looked at once."""
    seen: set[bytes] = set()
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        content = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(content).digest()
        yield from leaks(planted, name, b"" if digest in seen else content)
        seen.add(digest)
        if content.startswith(_SQLITE):
            yield from leaks(planted, f"{name} > rows", _rows(path))


def _rows(database: Path) -> bytes:
    """Every cell of every table; what a write-ahead log holds is in it."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = [name.decode() for (name,) in connection.execute("select name from sqlite_master where type='table'")]
        return b"\n".join(_text(row) for name in tables for row in connection.execute(f'select * from "{name}"'))
