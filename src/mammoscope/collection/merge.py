"""Shards -> sorted batches of the whole table, in memory that depends on the columns, not on the rows.

The sort is external: each shard is sorted, some of them are merged at a time, and of each one batch is in memory.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from mammoscope.collection.shards import BATCH_ROWS, FIXED

FAN_IN: Final = 64  # shards merged at once
MOST_CELLS: Final = 400_000  # of a batch that is given on
_MOST_ROWS, _FEWEST_ROWS = 8192, BATCH_ROWS

Pick = tuple[str, int, pa.RecordBatch, int]  # sort key, shard, batch, row in it


def merged_schema(shards: Sequence[Path]) -> pa.Schema:
    """All columns of all shards, in the order of tags; lists where any shard has lists. Counts are summed."""
    found: dict[str, pa.Field] = {}
    for shard in shards:
        with pa.ipc.open_file(pa.OSFile(str(shard))) as reader:
            for field in reader.schema:
                known = found.get(field.name)
                found[field.name] = field if known is None else _joined(known, field)
    elements = [field for name, field in found.items() if name not in FIXED.names]
    return pa.schema([*FIXED, *sorted(elements, key=_by_tag)])


def _joined(one: pa.Field, other: pa.Field) -> pa.Field:
    if one.metadata is None or other.metadata is None:
        return one
    vrs = {*one.metadata[b"vr"].split(b"/"), *other.metadata[b"vr"].split(b"/")}
    count = int(one.metadata[b"count"]) + int(other.metadata[b"count"])
    told = {b"tag": one.metadata[b"tag"], b"vr": b"/".join(sorted(vrs)), b"count": str(count).encode()}
    return pa.field(one.name, other.type if pa.types.is_list(other.type) else one.type, metadata=told)


def _by_tag(field: pa.Field) -> tuple[list[tuple[str, int]], str, bool]:
    kind, _, name = field.name.partition(":")
    steps = (step.partition("[") for step in field.metadata[b"tag"].decode().split("."))
    tags = [(tag, int(item.rstrip("]") or 0)) for tag, _, item in steps]
    return tags, name, kind == "original"


@dataclass(frozen=True, slots=True)
class Merge:
    """Sorted batches with the columns of the schema. Final."""

    shards: Sequence[Path]
    schema: pa.Schema

    @property
    def rows_at_once(self) -> int:
        return max(_FEWEST_ROWS, min(_MOST_ROWS, MOST_CELLS // len(self.schema)))

    def batches(self) -> Iterator[pa.RecordBatch]:
        picks: list[Pick] = []
        for pick in heapq.merge(*(_rows(number, shard) for number, shard in enumerate(self.shards))):
            picks.append(pick)
            if len(picks) == self.rows_at_once:
                yield _gathered(picks, self.schema)
                picks = []
        if picks:
            yield _gathered(picks, self.schema)


def reduce_shards(shards: Sequence[Path], folder: Path, step: Callable[[int, int], None]) -> Sequence[Path]:
    """Not more than FAN_IN shards that hold the same rows. Larger ones are written in the folder."""
    level = 0
    while len(shards) > FAN_IN:
        level += 1
        larger: list[Path] = []
        for first in range(0, len(shards), FAN_IN):
            group = shards[first : first + FAN_IN]
            larger.append(folder / f"level{level}-{first:08}.arrow")
            merge = Merge(group, merged_schema(group))
            with pa.ipc.new_file(str(larger[-1]), merge.schema) as writer:
                for batch in merge.batches():
                    writer.write_table(pa.Table.from_batches([batch]), max_chunksize=BATCH_ROWS)
            step(first, len(shards))
        shards = larger
    return shards


def _rows(number: int, shard: Path) -> Iterator[Pick]:
    with pa.ipc.open_file(pa.OSFile(str(shard))) as reader:
        for batch_number in range(reader.num_record_batches):
            batch = reader.get_batch(batch_number)
            for row, key in enumerate(batch.column(0).to_pylist()):
                yield key, number, batch, row


def _gathered(picks: Sequence[Pick], schema: pa.Schema) -> pa.RecordBatch:
    batches, starts, total = list[pa.RecordBatch](), dict[int, int](), 0
    for _, _, batch, _ in picks:
        if id(batch) not in starts:
            starts[id(batch)] = total
            batches.append(batch)
            total += batch.num_rows
    rows = pa.array(np.fromiter((starts[id(batch)] + row for _, _, batch, row in picks), np.int64, len(picks)))
    places = [{name: k for k, name in enumerate(batch.schema.names)} for batch in batches]
    arrays = []
    for field in schema:
        parts = [_part(batch, place.get(field.name), field.type) for batch, place in zip(batches, places, strict=True)]
        arrays.append(pa.concat_arrays(parts).take(rows))
    return pa.record_batch(arrays, schema=schema)


def _part(batch: pa.RecordBatch, place: int | None, data_type: pa.DataType) -> pa.Array:
    if place is None:
        return pa.nulls(batch.num_rows, data_type)
    array = batch.column(place)
    return array if array.type == data_type else _as_lists(array, data_type)


def _as_lists(array: pa.Array, data_type: pa.DataType) -> pa.Array:
    is_there = array.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(is_there)]).astype(np.int32)
    is_null = np.append(~is_there, False)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=is_null), array.drop_null()).cast(data_type)
