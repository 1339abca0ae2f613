"""All headers of a tree as one table, an instance a row: read in shards, by several processes, and merged."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from mammoscope.collection.anomalies import find_anomalies
from mammoscope.collection.census import write_census
from mammoscope.collection.files import check_root
from mammoscope.collection.merge import Merge, merged_schema, reduce_shards
from mammoscope.collection.reading import Progress, Step, drop_of_others, keep_valid, read_into_shards, spool_files
from mammoscope.collection.tables import Outputs, outputs_of, put_in_place, write_parts
from mammoscope.dicom.headers.selection import Selection
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.pool import open_pool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadersResult:
    outputs: Outputs
    files: int  # in the tree, of any kind
    resumed: int  # of these, read by an earlier command that was interrupted
    rows: int
    columns: int
    rejects: dict[str, int]  # files without a row, by code
    errors: dict[str, int]  # rows that are not whole, or whose pixels are not, by code
    untyped: int  # values that are not what their VR allows: their text is kept
    anomalies: dict[str, int]  # by code


def _silent(what: str) -> AbstractContextManager[Step]:
    return nullcontext(lambda done, total: None)


def headers_table(
    root: Path,
    output: Path,
    *,
    selection: Selection = Selection(),  # noqa: B008  (frozen)
    same_pixels: bool = False,
    workers: int = 0,
    progress: Progress = _silent,
) -> HeadersResult:
    """Write `output` (.parquet or .csv) and beside it .census, .anomalies and .rejects of the same kind.

    What was read is kept beside the output until the table is whole: where a command is killed, the next one reads
    only files that are new, or have another size or time. Pixel data is read for same_pixels only, and then of those
    files whose headers say that theirs may be the same. Memory does not depend on the number of files, but for some
    tens of bytes a file. workers: processes; 0: as many as there are cores.

    Raises: MammoscopeError for a root that is no folder, an output of another kind, inside the root, or that cannot be
    written, or that another process writes.
    """
    check_root(root)
    outputs = outputs_of(output)
    refuse_inside(root, output, f"-o {output}", source_key="ROOT")
    unfinished = output.with_name(f".{output.name}.unfinished")
    pa.array([0])  # at its first array pyarrow loads pandas, where that is: once, before processes are forked
    with open_pool(workers) as pool, _owned(unfinished):
        drop_of_others(unfinished, root, selection)
        listing = spool_files(root, unfinished, progress)
        kept = keep_valid(unfinished, listing.states)
        shards = read_into_shards(root, unfinished, listing, kept, selection, pool, progress)
        with progress("sorting rows") as step:
            few = reduce_shards(shards, unfinished, step)
            parts = write_parts(Merge(few, merged_schema(few)), unfinished, len(listing.states), step)
        with progress("census") as step:
            write_census(parts, pool, step)
        with progress("anomalies") as step:
            anomalies = find_anomalies(root, parts, listing, pool if same_pixels else None, step)
        put_in_place(parts, outputs)
        shutil.rmtree(unfinished)
    return HeadersResult(
        outputs=outputs,
        files=len(listing.states),
        resumed=len(kept),
        rows=parts.tally.rows,
        columns=len(parts.columns),
        rejects=dict(sorted(parts.tally.rejects.items())),
        errors=dict(sorted(parts.tally.errors.items())),
        untyped=parts.tally.untyped.total(),
        anomalies=anomalies,
    )


@contextlib.contextmanager
def _owned(unfinished: Path) -> Iterator[None]:
    """For this process alone. Raises: MammoscopeError where another has it, or it cannot be written."""
    lock = FileLock(unfinished.with_name(f"{unfinished.name}.lock"))
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise MammoscopeError(f"-o {unfinished.parent}: another process writes this table now") from error
    except OSError as error:
        raise MammoscopeError(f"-o {unfinished.parent} cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()
