"""Catalog -> prepared store. Each film is read once: hashed, its breast found, its masks confirmed, its images cut."""

import hashlib
import json
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock, Timeout

from mammoscope.config import ImageConfig
from mammoscope.data.cut import FilmWork, prepare_film
from mammoscope.data.frame import frame_of
from mammoscope.data.normal_patches import plan_normal
from mammoscope.data.preprocess import Prepared, preprocessing_hash
from mammoscope.data.store import (
    PreparedStore,
    StoreRow,
    drop_leftovers,
    finish_store,
    open_store,
    shard_is_written,
    write_shard,
)
from mammoscope.errors import MammoscopeError
from mammoscope.processes import end_with_parent
from mammoscope.records import Abnormality, Catalog, Defect
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, View

MAMMOGRAMS_PER_SHARD = 48

Progress = Callable[[int, int], None]  # (mammograms done, mammograms in all)
Say = Callable[[str], None]


def plan_store(
    catalog: Catalog, kind: AbnormalityKind, view: View, image: ImageConfig, normal_per_image: int | None = None
) -> tuple[FilmWork, ...]:
    """The films that go into one store, in the catalog's order, with those abnormalities that can be cut.

    Those are the ones with a mask or, of released crops, with a crop. A film is needed in any case: its hash is what
    tells that no film is in two partitions. normal_per_image: normal patches of each film too.
    """
    with_mask: dict[str, list[Abnormality]] = defaultdict(list)
    for abnormality in catalog.abnormalities:
        if cut_from(abnormality, image) is not None:
            with_mask[abnormality.mammogram].append(abnormality)
    films = (m for m in catalog.mammograms if m.kind is kind and m.view is view and m.path is not None)
    normal = plan_normal(catalog, normal_per_image)
    work = (FilmWork(mammogram, tuple(with_mask[mammogram.key]), normal(mammogram)) for mammogram in films)
    return tuple(w for w in work if w.abnormalities or image.name is ImageVariant.full)


def store_folder(
    root: Path, source_root: Path, kind: AbnormalityKind, view: View, work: Sequence[FilmWork], image: ImageConfig
) -> Path:
    """Named by the preprocessing and by which files go in, in which state: a file that was written again, whatever its
    UID and size, makes another store, so that no leak check rests on the pixels of yesterday."""
    content = [
        [
            [w.mammogram.sop_uid, *_state(source_root, w.mammogram.path)],
            *([_uid(a, image), *_state(source_root, cut_from(a, image))] for a in w.abnormalities),
            *([] if w.normal is None else [w.normal.fingerprint]),
            *([a.mask_sop_uid, *_state(source_root, a.mask_path)] for a in (w.normal.others if w.normal else ())),
        ]
        for w in work
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    return root / f"{preprocessing_hash(image)}-{digest}" / f"{kind}-{view}"


def cut_from(abnormality: Abnormality, image: ImageConfig) -> str | None:
    """The file that an abnormality's patch is cut by, or is."""
    return abnormality.crop_path if image.name is ImageVariant.released_crop else abnormality.mask_path


def _uid(abnormality: Abnormality, image: ImageConfig) -> str | None:
    # the catalog keeps no UID of crops; within a series the path tells files apart as well
    return abnormality.crop_path if image.name is ImageVariant.released_crop else abnormality.mask_sop_uid


def _state(source_root: Path, path: str | None) -> tuple[int, int]:
    """Size and time; of a file that has gone since it was indexed, reading it will say so."""
    assert path is not None, "the plan names files that are there"
    try:
        status = (source_root / path).stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def prepare_store(
    source_root: Path,
    folder: Path,
    work: Sequence[FilmWork],
    image: ImageConfig,
    *,
    workers: int,
    progress: Progress,
    say: Say,
) -> PreparedStore:
    """Opens the store, preparing first what is missing of it. One process prepares, others that want it wait."""
    found = open_store(folder)
    if found is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(folder.name + ".lock"))
    except OSError as error:
        raise MammoscopeError(f"store.root: cannot write {folder}: {error.strerror or error}") from error
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process prepares {folder.name}; waiting for it")
        lock.acquire()
    try:
        found = open_store(folder)  # the process that we waited for may have finished it
        if found is None:
            drop_leftovers(folder)
            _prepare_shards(source_root, folder, work, image, workers=workers, progress=progress)
            found = open_store(folder)
    finally:
        lock.release()
    assert found is not None, "a store that was just finished opens"
    return found


def _prepare_shards(
    source_root: Path, folder: Path, work: Sequence[FilmWork], image: ImageConfig, *, workers: int, progress: Progress
) -> None:
    shards = [tuple(work[i : i + MAMMOGRAMS_PER_SHARD]) for i in range(0, len(work), MAMMOGRAMS_PER_SHARD)]
    missing = [n for n in range(len(shards)) if not shard_is_written(folder, n)]
    done = len(work) - sum(len(shards[n]) for n in missing)
    progress(done, len(work))
    for number in _run(missing, lambda n: (str(source_root), str(folder), n, shards[n], image), workers):
        done += len(shards[number])
        progress(done, len(work))
    frame = frame_of(image)
    finish_store(folder, len(shards), frame.stored[1], frame)


def _run(numbers: Sequence[int], arguments: Callable[[int], tuple], workers: int) -> Iterator[int]:
    processes = min(workers or os.cpu_count() or 1, len(numbers))
    if processes <= 1:
        for number in numbers:
            yield _prepare_shard(*arguments(number))
        return
    # spawn: a fork of a process whose torch has started threads may hang
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        futures = [pool.submit(_prepare_shard, *arguments(number)) for number in numbers]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _prepare_shard(source_root: str, folder: str, number: int, work: Sequence[FilmWork], image: ImageConfig) -> int:
    cv2.setNumThreads(1)
    prepared: list[Prepared] = []
    rows: list[StoreRow] = []
    defects: list[Defect] = []
    for film_work in work:
        try:
            for row, cut in prepare_film(Path(source_root), film_work, image, defects):
                rows.append(row(number, len(prepared)))
                prepared.append(cut)
        except MammoscopeError as error:
            key = film_work.mammogram.key
            defects.append(
                Defect(
                    row=key,
                    problem="unusable_film",
                    found=str(error),
                    taken_as="left out",
                    reason="its pixels cannot be used",
                )
            )
    shape = (len(prepared), *frame_of(image).stored)
    images, masks = np.zeros(shape, np.uint16), np.zeros(shape, bool)
    for index, cut in enumerate(prepared):
        images[index], masks[index] = cut.image, cut.mask
    write_shard(Path(folder), number, images, masks, rows, defects)
    return number
