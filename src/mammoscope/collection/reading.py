"""A tree -> shards of its headers, which a command that was killed leaves behind for the next one."""

import json
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from mammoscope.collection.shards import ShardTask, read_shard, shards_in, state_of, without_rows, write_shard
from mammoscope.dicom.headers.selection import Selection
from mammoscope.files import written_whole
from mammoscope.listing import ListedFile, list_files
from mammoscope.pool import Pool

Step = Callable[[int, int], None]  # done, in all
Progress = Callable[[str], AbstractContextManager[Step]]  # reporting.console.progress is one

FORMAT: Final = 1  # of the shards
_MOST_FILES, _FEWEST_FILES = 500, 64  # of a shard
_SAID_EVERY: Final = 500  # files that are listed


def drop_of_others(unfinished: Path, root: Path, selection: Selection) -> None:
    """What was left by a command with another root or selection, or by another version, is of no use."""
    asked = json.dumps({"format": FORMAT, "root": str(root.resolve()), **asdict(selection)})
    plan = unfinished / "plan.json"
    if not plan.exists() or plan.read_text() != asked:
        for path in unfinished.iterdir():
            path.unlink()
        with written_whole(plan) as temporary:
            temporary.write_text(asked)
    for path in (*unfinished.glob(".*"), *unfinished.glob("level*")):
        path.unlink(missing_ok=True)  # a process that outlived its command for a moment may have renamed it


@dataclass(frozen=True, slots=True)
class Listing:
    spool: Path  # a line a file: of millions none is kept in memory
    states: "array[int]"

    def files(self) -> Iterator[ListedFile]:
        with open(self.spool) as lines:
            for line in lines:
                yield ListedFile(*json.loads(line))


def spool_files(root: Path, unfinished: Path, progress: Progress) -> Listing:
    listed = Listing(unfinished / "files.jsonl", array("Q"))
    with progress("listing files") as step, open(listed.spool, "w") as lines:
        for file in list_files(root):
            lines.write(json.dumps((file.path, file.size, file.mtime_ns, file.fault)) + "\n")
            listed.states.append(state_of(file))
            if len(listed.states) % _SAID_EVERY == 0:
                step(len(listed.states), len(listed.states))
    return listed


def keep_valid(unfinished: Path, states: "array[int]") -> set[int]:
    """The states of files that an earlier command has read; rows of others are taken out of its shards.

    A file that the system refused is read again: it may open today, and looks the same.
    """
    kept: set[int] = set()
    shards = shards_in(unfinished)
    now = pa.array(np.frombuffer(states, np.uint64)) if shards and states else pa.array([], pa.uint64())
    for shard in shards:
        with pa.ipc.open_file(pa.OSFile(str(shard))) as reader:
            table = reader.read_all()
        is_valid = pc.is_in(table["@state"], now)
        is_valid = pc.and_(is_valid, pc.invert(pc.fill_null(pc.equal(table["error_code"], "E-UNREADABLE"), False)))
        valid = table.filter(is_valid)
        if not valid.num_rows:
            shard.unlink()
        elif valid.num_rows < table.num_rows:
            write_shard(without_rows(valid), shard)
        kept.update(valid["@state"].to_pylist())
    return kept


def read_into_shards(
    root: Path, unfinished: Path, listed: Listing, kept: set[int], selection: Selection, pool: Pool, progress: Progress
) -> list[Path]:
    """All shards that the table is made of, those of earlier commands too."""
    total, done = len(listed.states), len(kept)
    size = max(_FEWEST_FILES, min(_MOST_FILES, -(-(total - done) // (pool.workers * 4))))
    shards = list(shards_in(unfinished))
    first = int(shards[-1].name.partition("-")[0]) + 1 if shards else 0

    files = (file for file in listed.files() if not kept or state_of(file) not in kept)
    tasks = (
        ShardTask(root=str(root), files=chunk, folder=unfinished, number=number, selection=selection)
        for number, chunk in enumerate(_chunks(files, size), start=first)
    )
    with progress("reading headers") as step:
        step(done, total)
        for shard in pool.map(read_shard, tasks):
            shards += shard.written
            done += shard.files
            step(done, total)
    return shards


def _chunks(files: Iterator[ListedFile], size: int) -> Iterator[tuple[ListedFile, ...]]:
    while chunk := tuple(islice(files, size)):
        yield chunk
