"""The prepared store: fixed-shape arrays that are memory-mapped, and one Parquet index.

<store.root>/<preprocessing hash>-<content digest>/<kind>-<view>/
    store.json                  what is in it and what it was made of; written first (data/store_facts.py)
    shard-0000.images.npy       uint16 (rows, height_px, width_px)
    shard-0000.masks.npy        uint8  (rows, height_px, ceil(width_px / 8)): the ROI, 8 pixels a byte
    shard-0000.thumbnails.npy   uint8  (films, 128, 128): by them near-duplicates are found
    shard-0000.parquet          its rows, films, defects and the hashes of its arrays; written last, so a shard without
                                it is not there
    films.parquet               all films
    defects.parquet             what the pixels contradicted
    index.parquet               all rows; written last of all, so a store without it is not finished
    locks/                      one a shard, held by the process that writes it
"""

import errno
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from mammoscope.data.frame import CENTRE, Frame, Shift
from mammoscope.errors import MammoscopeError
from mammoscope.files import all_written_whole
from mammoscope.records import Defect

INDEX, FILMS, DEFECTS = "index.parquet", "films.parquet", "defects.parquet"
NO_THUMBNAILS = np.zeros((0, 128, 128), np.uint8)
ARRAYS = ("images", "masks", "thumbnails")
UNREADABLE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)  # what a damaged file of a store raises


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRow:
    """What is known of one prepared image."""

    id: str
    mammogram: str
    film: str  # xxh3-128 of the raw pixels
    shard: int
    row: int  # within the shard
    mirrored: bool
    chest_wall_agrees: bool  # with Laterality: left breasts lie against the left edge as DDSM scanned them
    enlarged: float  # output pixels per film pixel
    top_px: int  # the window, in film pixels
    left_px: int
    height_px: int
    width_px: int
    is_normal: bool = False  # cut from tissue away from every ROI


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFilm:
    """One film that was read, and where its thumbnail lies."""

    mammogram: str
    film: str  # xxh3-128 of the raw pixels
    shard: int
    row: int  # among the shard's thumbnails


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardTables:
    """What a shard says of itself."""

    rows: tuple[StoreRow, ...]
    films: tuple[StoreFilm, ...]
    defects: tuple[Defect, ...]
    hashes: Mapping[str, str]  # xxh3-128 of each array's file


@dataclass(frozen=True, slots=True)
class PreparedStore:
    """A finished store, opened. `rows` are in a fixed order; `images` and `masks` read single rows of it."""

    name: str
    folder: Path
    rows: tuple[StoreRow, ...]
    films: tuple[StoreFilm, ...]
    defects: tuple[Defect, ...]
    shards: tuple[np.ndarray, ...]
    mask_shards: tuple[np.ndarray, ...]
    width_px: int  # as stored
    frame: Frame

    def __reduce__(self) -> tuple[object, ...]:
        return open_store, (self.folder,)  # a loader process maps the files itself instead of receiving their content

    def image(self, index: int, shift: Shift = CENTRE) -> np.ndarray:
        """uint16 (height_px, width_px), a view of the memory map; `shift` moves it within the margin."""
        row = self.rows[index]
        return self.frame.window(self.shards[row.shard][row.row], shift)

    def mask(self, index: int, shift: Shift = CENTRE) -> np.ndarray:
        """bool (height_px, width_px)."""
        row = self.rows[index]
        stored = np.unpackbits(self.mask_shards[row.shard][row.row], axis=-1, count=self.width_px).astype(bool)
        return self.frame.window(stored, shift)

    def thumbnails(self) -> np.ndarray:
        """uint8 (films, 128, 128), in the order of `films`; read into memory."""
        return np.concatenate([_mapped(self.folder, number, "thumbnails") for number in range(len(self.shards))])


def open_store(folder: Path) -> PreparedStore | None:
    """None where the store is not there or not finished. Raises MammoscopeError where it was damaged."""
    if not (folder / INDEX).is_file():
        return None
    try:
        table = pq.read_table(folder / INDEX)
        shape = json.loads(table.schema.metadata[b"mammoscope"])
        rows = tuple(StoreRow(**record) for record in table.to_pylist())
        films = tuple(StoreFilm(**record) for record in pq.read_table(folder / FILMS).to_pylist())
        defects = tuple(Defect(**record) for record in pq.read_table(folder / DEFECTS).to_pylist())
        numbers = range(shape["shards"])
        images = tuple(_mapped(folder, n, "images") for n in numbers)
        masks = tuple(_mapped(folder, n, "masks") for n in numbers)
        _check_lengths(rows, images, masks)
    except UNREADABLE as error:
        raise MammoscopeError(
            f"prepared store {folder.name}/ is damaged ({error}): delete its folder {folder}"
        ) from error
    height_px, width_px = images[0].shape[1:]
    frame = Frame(**shape.get("frame", {"height_px": height_px, "width_px": width_px}))
    name = f"{folder.parent.name}/{folder.name}"
    return PreparedStore(name, folder, rows, films, defects, images, masks, width_px, frame)


def shard_file(folder: Path, number: int, what: str) -> Path:
    return folder / (f"shard-{number:04d}.parquet" if what == "rows" else f"shard-{number:04d}.{what}.npy")


def _mapped(folder: Path, number: int, what: str) -> np.ndarray:
    array: np.ndarray = np.load(shard_file(folder, number, what), mmap_mode="r")
    return array


def _check_lengths(rows: Sequence[StoreRow], images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> None:
    counts = Counter(row.shard for row in rows)
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if (len(image), len(mask)) != (counts[number],) * 2:
            raise ValueError(f"shard {number} has {len(image)} images, {len(mask)} masks, {counts[number]} rows")


def shard_is_written(folder: Path, number: int) -> bool:
    """Whole, as far as its shapes tell; one that a crash of the machine cut short is made again."""
    try:
        tables = read_shard(folder, number)
        images, masks, thumbnails = (_mapped(folder, number, what) for what in ARRAYS)
    except UNREADABLE:
        return False
    return len(tables.rows) == len(images) == len(masks) and len(tables.films) == len(thumbnails)


def drop_leftovers(folder: Path, number: int | None = None) -> None:
    """What killed processes had half written of a shard, or of anything. Call it where nobody else writes that."""
    for path in folder.glob(".*" if number is None else f".shard-{number:04d}.*"):
        path.unlink(missing_ok=True)


def write_shard(
    folder: Path,
    number: int,
    images: np.ndarray,
    masks: np.ndarray,
    rows: Sequence[StoreRow],
    defects: Sequence[Defect],
    films: Sequence[StoreFilm] = (),
    thumbnails: np.ndarray = NO_THUMBNAILS,
) -> None:
    """images uint16 (n, h, w), masks bool (n, h, w), thumbnails uint8 (films, 128, 128).

    The rows' file comes last and makes the shard count.
    """
    arrays = (images, np.packbits(masks, axis=-1), thumbnails)
    with _all_written([shard_file(folder, number, what) for what in (*ARRAYS, "rows")]) as unfinished:
        *array_files, rows_file = unfinished
        hashes = {what: _save(path, array) for what, path, array in zip(ARRAYS, array_files, arrays, strict=True)}
        facts = {
            "films": json.dumps([asdict(film) for film in films]),
            "defects": json.dumps([asdict(defect) for defect in defects]),
            "hashes": json.dumps(hashes),
        }
        pq.write_table(_records_table(StoreRow, rows, facts), rows_file, write_page_checksum=True)


def read_shard(folder: Path, number: int) -> ShardTables:
    table = pq.read_table(shard_file(folder, number, "rows"), page_checksum_verification=True)
    facts = {key: json.loads(table.schema.metadata[key.encode()]) for key in ("films", "defects", "hashes")}
    return ShardTables(
        rows=tuple(StoreRow(**record) for record in table.to_pylist()),
        films=tuple(StoreFilm(**record) for record in facts["films"]),
        defects=tuple(Defect(**record) for record in facts["defects"]),
        hashes=facts["hashes"],
    )


def finish_store(folder: Path, shards: int, width_px: int, frame: Frame | None = None) -> None:
    """Gathers the shards' tables into the store's.

    width_px: of the images as stored; frame: what the network sees of them, None for all.
    """
    tables = [read_shard(folder, number) for number in range(shards)]
    write_table(folder / FILMS, _records_table(StoreFilm, [film for t in tables for film in t.films], {}))
    write_table(folder / DEFECTS, _records_table(Defect, [defect for t in tables for defect in t.defects], {}))
    seen = {} if frame is None else {"frame": asdict(frame)}
    facts = json.dumps({"shards": shards, "width_px": width_px, **seen})
    rows = [row for t in tables for row in t.rows]
    write_table(folder / INDEX, _records_table(StoreRow, rows, {"mammoscope": facts}))


def hash_file(path: Path) -> str:
    """xxh3-128 of a file's bytes."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _records_table(record: type, rows: Sequence[StoreRow | StoreFilm | Defect], metadata: dict[str, str]) -> pa.Table:
    arrow = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    fields = [(name, arrow[kind]) for name, kind in record.__annotations__.items()]
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=pa.schema(fields, metadata=metadata))


def write_table(path: Path, table: pa.Table) -> None:
    with store_written(path) as temporary:
        pq.write_table(table, temporary, write_page_checksum=True)


def _save(path: Path, array: np.ndarray) -> str:
    """As np.save, which tells of a full disk by its number alone. Returns the file's hash (hash_file)."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    digest = xxhash.xxh3_128(header.getvalue())
    digest.update(content)
    with open(path, "wb") as file:
        file.write(header.getvalue())
        file.write(content)
    return digest.hexdigest()


@contextmanager
def store_written(path: Path) -> Iterator[Path]:
    """files.written_whole, whose failures name the store. Raises: MammoscopeError."""
    with _all_written([path]) as (temporary,):
        yield temporary


@contextmanager
def _all_written(paths: Sequence[Path]) -> Iterator[list[Path]]:
    try:
        with all_written_whole(paths) as temporaries:
            yield temporaries
    except OSError as error:
        raise not_writable(paths[0], error) from error


def not_writable(path: Path, error: OSError) -> MammoscopeError:
    reason = f"store.root: cannot write {path}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason += (
            ". What was prepared so far stays and is not made again: make room (mammoscope prepare --prune), or choose "
            "another store.root"
        )
    return MammoscopeError(reason)
