"""The prepared store: fixed-shape arrays that are memory-mapped, and one Parquet index.

<store.root>/<preprocessing hash>-<content digest>/<kind>-<view>/
    shard-0000.images.npy   uint16 (rows, height_px, width_px)
    shard-0000.masks.npy    uint8  (rows, height_px, ceil(width_px / 8)): the ROI, 8 pixels a byte
    shard-0000.parquet      its rows; written last, so a shard without it is not there
    index.parquet           all rows; written last of all, so a store without it is not finished
    defects.parquet         what the pixels contradicted
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.data.frame import CENTRE, Frame, Shift
from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.records import Defect

INDEX, DEFECTS = "index.parquet", "defects.parquet"
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


@dataclass(frozen=True, slots=True)
class PreparedStore:
    """A finished store, opened. `rows` are in a fixed order; `images` and `masks` read single rows of it."""

    name: str
    folder: Path
    rows: tuple[StoreRow, ...]
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


def open_store(folder: Path) -> PreparedStore | None:
    """None where the store is not there or not finished. Raises MammoscopeError where it was damaged."""
    if not (folder / INDEX).is_file():
        return None
    try:
        table = pq.read_table(folder / INDEX)
        shape = json.loads(table.schema.metadata[b"mammoscope"])
        rows = tuple(StoreRow(**record) for record in table.to_pylist())
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
    return PreparedStore(f"{folder.parent.name}/{folder.name}", folder, rows, defects, images, masks, width_px, frame)


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
        rows, _ = read_shard_rows(folder, number)
        images, masks = (_mapped(folder, number, what) for what in ("images", "masks"))
    except UNREADABLE:
        return False
    return len(rows) == len(images) == len(masks)


def drop_leftovers(folder: Path) -> None:
    """What a killed process had half written. Call it under the store's lock: nobody else writes there then."""
    for path in folder.glob(".shard-*"):
        path.unlink(missing_ok=True)


def write_shard(
    folder: Path,
    number: int,
    images: np.ndarray,
    masks: np.ndarray,
    rows: Sequence[StoreRow],
    defects: Sequence[Defect],
) -> None:
    """images uint16 (n, h, w), masks bool (n, h, w); the rows' file comes last and makes the shard count."""
    _save(shard_file(folder, number, "images"), images)
    _save(shard_file(folder, number, "masks"), np.packbits(masks, axis=-1))
    facts = json.dumps([asdict(defect) for defect in defects])
    write_table(shard_file(folder, number, "rows"), rows_table(rows, {"defects": facts}))


def read_shard_rows(folder: Path, number: int) -> tuple[list[StoreRow], list[Defect]]:
    table = pq.read_table(shard_file(folder, number, "rows"))
    defects = json.loads(table.schema.metadata[b"defects"])
    return [StoreRow(**record) for record in table.to_pylist()], [Defect(**record) for record in defects]


def finish_store(folder: Path, shards: int, width_px: int, frame: Frame | None = None) -> None:
    """Gathers the shards' rows into the one index.

    width_px: of the images as stored; frame: what the network sees of them, None for all.
    """
    rows: list[StoreRow] = []
    defects: list[Defect] = []
    for number in range(shards):
        of_shard, found = read_shard_rows(folder, number)
        rows += of_shard
        defects += found
    write_table(folder / DEFECTS, _records_table(Defect, [asdict(defect) for defect in defects], {}))
    seen = {} if frame is None else {"frame": asdict(frame)}
    facts = json.dumps({"shards": shards, "width_px": width_px, **seen})
    write_table(folder / INDEX, rows_table(rows, {"mammoscope": facts}))


def rows_table(rows: Sequence[StoreRow], metadata: dict[str, str]) -> pa.Table:
    return _records_table(StoreRow, [asdict(row) for row in rows], metadata)


def _records_table(record: type, rows: list[dict[str, object]], metadata: dict[str, str]) -> pa.Table:
    arrow = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), float: pa.float64()}
    fields = [(name, arrow[kind]) for name, kind in record.__annotations__.items()]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata=metadata))


def write_table(path: Path, table: pa.Table) -> None:
    with _store_written(path) as temporary:
        pq.write_table(table, temporary)


def _save(path: Path, array: np.ndarray) -> None:
    with _store_written(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


@contextmanager
def _store_written(path: Path) -> Iterator[Path]:
    try:
        with written_whole(path) as temporary:
            yield temporary
    except OSError as error:
        raise MammoscopeError(f"store.root: cannot write {path}: {error.strerror or error}") from error
