"""The shards of one store, prepared by as many processes as want to: each is claimed by a lock of its own.

A lock dies with its process, files take their names when they are whole, and any two processes write the same bytes, so
that a process killed at any moment costs its one shard and nothing else.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from filelock import FileLock, Timeout

from mammoscope.config import ImageConfig
from mammoscope.data.cut import FilmWork, SeenFilm, prepare_film, why_unusable
from mammoscope.data.frame import frame_of
from mammoscope.data.preprocess import Prepared
from mammoscope.data.store import (
    StoreFilm,
    StoreRow,
    drop_leftovers,
    not_writable,
    shard_is_written,
    write_shard,
)
from mammoscope.data.thumbnails import THUMBNAIL_PX
from mammoscope.errors import MammoscopeError
from mammoscope.pool import open_pool
from mammoscope.processes import keep_freed_memory
from mammoscope.records import Defect

Progress = Callable[[int, int], None]  # (mammograms done, mammograms in all)
Say = Callable[[str], None]

_AHEAD_BYTES: Final = 8 << 20  # asked for at once: of a longer range Linux fetches the beginning alone
_SHARDS: Final = 64  # of a large store: enough for an array job, few enough to map
_MOST_FILMS, _FEWEST_FILMS = 48, 4  # a shard; the films of a shard are what a kill costs at most


@dataclass(frozen=True, slots=True)
class ShardWork:
    number: int
    films: tuple[FilmWork, ...]


def films_per_shard(films: int) -> int:
    """The same for everybody who prepares the same store."""
    return min(_MOST_FILMS, max(_FEWEST_FILMS, -(-films // _SHARDS)))


def prepare_shards(
    source_root: Path,
    folder: Path,
    shards: Sequence[ShardWork],
    image: ImageConfig,
    *,
    workers: int,
    progress: Progress,
    say: Say,
) -> None:
    """Returns when all of them are written, by whom ever. Raises: MammoscopeError where one cannot be."""
    total = sum(len(shard.films) for shard in shards)
    for wait in (False, True):  # first what nobody has, then what others had and may have left
        missing = [shard for shard in shards if not shard_is_written(folder, shard.number)]
        done = total - sum(len(shard.films) for shard in missing)
        progress(done, total)
        if wait and missing:
            say(f"another process prepares {len(missing)} of the {len(shards)} shards of {folder.name}; waiting for it")
        claim = partial(claim_shard, str(source_root), str(folder), image, wait)
        with open_pool(workers, is_worth_it=len(missing) > 1, uses_cv2=True) as pool:
            for films in pool.map(claim, missing):
                done += films
                progress(done, total)


def claim_shard(source_root: str, folder: str, image: ImageConfig, wait: bool, shard: ShardWork) -> int:
    """How many films are written now: the shard's, or none where another process has it and `wait` is not set."""
    store = Path(folder)
    try:
        lock = FileLock(store / "locks" / f"shard-{shard.number:04d}.lock")
        held = lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        return 0
    except OSError as error:
        raise not_writable(store, error) from error
    with held:
        if not shard_is_written(store, shard.number):  # by the process that held it before
            drop_leftovers(store, shard.number)
            _prepare(Path(source_root), store, shard, image)
    return len(shard.films)


def _prepare(source_root: Path, folder: Path, shard: ShardWork, image: ImageConfig) -> None:
    cv2.setNumThreads(1)
    keep_freed_memory()
    rows: list[StoreRow] = []
    cuts: list[Prepared] = []
    defects: list[Defect] = []
    seen: list[SeenFilm] = []
    for work, next_one in zip(shard.films, (*shard.films[1:], None), strict=True):
        if next_one is not None:
            _read_ahead(source_root, next_one)
        try:
            for row, cut in prepare_film(source_root, work, image, defects, seen):
                rows.append(row(shard.number, len(cuts)))
                cuts.append(cut)
        except MammoscopeError as error:
            defects.append(
                Defect(
                    row=work.mammogram.key,
                    problem="unusable_film",
                    found=why_unusable(error),
                    taken_as="left out",
                    reason="its pixels cannot be used",
                )
            )
    shape = (len(cuts), *frame_of(image).stored)
    images, masks = np.zeros(shape, np.uint16), np.zeros(shape, bool)
    for index, cut in enumerate(cuts):
        images[index], masks[index] = cut.image, cut.mask
    thumbnails = np.zeros((len(seen), THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
    for index, film in enumerate(seen):
        thumbnails[index] = film.thumbnail
    films = [
        StoreFilm(mammogram=film.mammogram, film=film.film, shard=shard.number, row=index)
        for index, film in enumerate(seen)
    ]
    write_shard(folder, shard.number, images, masks, rows, defects, films, thumbnails)


def _read_ahead(source_root: Path, work: FilmWork) -> None:
    """Has the system fetch the film while the one before it is worked on; files that are not there are told later."""
    assert work.mammogram.path is not None, "the plan names films that are there"
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError), open(source_root / work.mammogram.path, "rb") as file:
            for start in range(0, os.fstat(file.fileno()).st_size, _AHEAD_BYTES):
                os.posix_fadvise(file.fileno(), start, _AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
