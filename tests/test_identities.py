"""What the search for planted identities finds: all that it is believed to find."""

import base64
import gzip
import hashlib
import io
import sqlite3
import tarfile
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from .identities import Planted, leaks, leaks_of_tree

NAME = "Käßbohrer"
PLANTED = Planted({"name": NAME, "UID": "1.2.276.0.4711"}, {"birth date": "19610319"}, ("KHM-0815",))


def packed(kind: str) -> bytes:
    text, file = f"of {NAME}, that".encode(), io.BytesIO()
    match kind:
        case "zip":
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a.txt", text)
        case "tar":
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                archive.addfile(tarfile.TarInfo(NAME))
        case "npz":
            np.savez_compressed(file, names=np.array([NAME]))
        case "parquet":
            pq.write_table(pa.table({"name": ["a", NAME]}), file, compression="zstd")
        case "parquet's facts":
            pq.write_table(pa.table({"a": [1]}, metadata={"films": f'[{{"why": "{NAME}"}}]'}), file)
        case "png":
            info = PngImagePlugin.PngInfo()
            info.add_text("Patient", NAME, zip=True)
            Image.fromarray(np.zeros((2, 2), np.uint8)).save(file, "png", pnginfo=info)
        case "gzip":
            return gzip.compress(text)
        case "zlib":
            return zlib.compress(text)
        case "page":
            return b'<img src="data:image/png;base64,' + base64.b64encode(packed("png")) + b'">'
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "npz", "tar", "parquet", "parquet's facts", "png", "gzip", "zlib", "page"])
def test_what_is_packed_is_found(kind):
    assert any(NAME in what for _, what in leaks(PLANTED, "file", packed(kind)))


@pytest.mark.parametrize(
    "content",
    [
        NAME.encode(),
        NAME.upper().encode("latin-1"),
        NAME.encode("utf-16-be"),
        NAME.encode("utf-16-le"),
        b"K\\xe4\\xdfbohrer",
        b"K\\u00e4\\u00dfbohrer",
        b"K%C3%A4%C3%9Fbohrer",
        NAME.encode().hex().encode(),
        *(base64.b64encode(b"x" * before + NAME.encode() + b"yz") for before in range(4)),
        b"uid 1.2.276.0.4711.3.5",
        b"born 19610319.",
        b"x-" + hashlib.sha256(b"KHM-0815").hexdigest()[:16].encode(),
        hashlib.md5(b"KHM-0815").hexdigest().encode(),
    ],
)
def test_spellings_and_digests_are_found(content):
    assert list(leaks(PLANTED, "file", b"\1\2" + content + b"\3"))


def test_what_is_nobody_is_not_found():
    assert not list(leaks(PLANTED, "file", b"119610319 1961031 bohrer 1.2.276.0 " + hashlib.sha256(b"x").digest()))


def test_a_tree_is_searched_with_its_names_and_its_databases(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table t (a text, b blob)")
        database.execute("insert into t values (?, ?)", (f"{NAME}, Erika", zlib.compress(b"nothing")))
    database.close()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / f"{NAME}.txt").touch()
    found = {where for where, _ in leaks_of_tree(PLANTED, tmp_path)}
    assert found == {"a.db", "a.db > rows", f"empty/{NAME}.txt"}
