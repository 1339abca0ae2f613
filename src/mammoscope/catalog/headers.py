"""The headers of many files at once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from mammoscope.dicom.read import Header, read_header
from mammoscope.errors import DicomError
from mammoscope.pool import can_fork, open_pool

Progress = Callable[[int, int], None]  # done, in all

_CHUNK: Final = 64  # files handed to a process at once


def read_headers(
    root: Path, paths: Sequence[str], *, workers: int, progress: Progress | None
) -> Iterator[tuple[str, Header | DicomError]]:
    """Each path with its header, or with why it has none, in the given order, as soon as it is read.

    workers: processes; 0: as many as there are cores. Threads are slower than one process (the parser holds the
    interpreter's lock: 1.9 s against 0.8 s for 3,577 files), spawned processes take longer to start than to read, so
    there are forked ones or none.
    """
    read = partial(_read, str(root))
    with open_pool(workers, is_worth_it=len(paths) >= 2 * _CHUNK and can_fork()) as pool:
        for done, result in enumerate(pool.map(read, paths, at_once=_CHUNK), start=1):
            yield result
            if progress is not None and (done % _CHUNK == 0 or done == len(paths)):
                progress(done, len(paths))


def _read(root: str, path: str) -> tuple[str, Header | DicomError]:
    try:
        return path, read_header(Path(root, path))
    except DicomError as error:
        return path, error
