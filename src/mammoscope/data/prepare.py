"""Catalog -> prepared store. Each film is read once: hashed, its breast found, its masks confirmed, its images cut."""

import hashlib
import json
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import xxhash
from filelock import FileLock, Timeout

from mammoscope.config import ImageConfig
from mammoscope.data.preprocess import (
    Breast,
    Prepared,
    find_breast,
    mask_box,
    prepare_full,
    prepare_roi,
    preprocessing_hash,
)
from mammoscope.data.store import PreparedStore, StoreRow, finish_store, open_store, shard_is_written, write_shard
from mammoscope.dicom.read import Film, read_film, read_pixels
from mammoscope.errors import MammoscopeError
from mammoscope.processes import end_with_parent
from mammoscope.records import Abnormality, Catalog, Defect, Mammogram
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, Laterality, View

MAMMOGRAMS_PER_SHARD = 48
CROP_MARGIN_PX = 5  # the released crop is the mask's box and this much around it

Progress = Callable[[int, int], None]  # (mammograms done, mammograms in all)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FilmWork:
    """One mammogram and those of its abnormalities whose masks are at hand."""

    mammogram: Mammogram
    abnormalities: tuple[Abnormality, ...]


def plan_store(catalog: Catalog, kind: AbnormalityKind, view: View, image: ImageConfig) -> tuple[FilmWork, ...]:
    """The films that go into one store, in the catalog's order."""
    with_mask: dict[str, list[Abnormality]] = defaultdict(list)
    for abnormality in catalog.abnormalities:
        if abnormality.mask_path is not None:
            with_mask[abnormality.mammogram].append(abnormality)
    films = (m for m in catalog.mammograms if m.kind is kind and m.view is view and m.path is not None)
    work = (FilmWork(mammogram, tuple(with_mask[mammogram.key])) for mammogram in films)
    return tuple(w for w in work if w.abnormalities or image.name is ImageVariant.full)


def store_folder(root: Path, kind: AbnormalityKind, view: View, work: Sequence[FilmWork], image: ImageConfig) -> Path:
    """Named by the preprocessing and by which files go in, never by where they lie."""
    content = [[w.mammogram.sop_uid, w.mammogram.file_bytes, [a.mask_sop_uid for a in w.abnormalities]] for w in work]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
    return root / f"{preprocessing_hash(image)}-{digest}" / f"{kind}-{view}"


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
    finish_store(folder, len(shards), image.width_px)


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
    shape = (len(prepared), image.height_px, image.width_px)
    images, masks = np.zeros(shape, np.uint16), np.zeros(shape, bool)
    for index, cut in enumerate(prepared):
        images[index], masks[index] = cut.image, cut.mask
    write_shard(Path(folder), number, images, masks, rows, defects)
    return number


def prepare_film(
    source_root: Path, work: FilmWork, image: ImageConfig, defects: list[Defect]
) -> Iterator[tuple[Callable[[int, int], StoreRow], Prepared]]:
    """Reads one film and yields its images, each with its row but for the place in the store. Adds to `defects`."""
    mammogram = work.mammogram
    assert mammogram.path is not None, "the plan names films that are there"
    film = read_film(source_root / mammogram.path)
    film_hash = hash_film(film.raw)
    breast = find_breast(film.image)
    masks = list(_confirmed_masks(source_root, work, film, defects))
    if image.name is ImageVariant.full:
        union = np.logical_or.reduce([mask for _, mask in masks]) if masks else None
        cut = prepare_full(film.image, breast, union, image)
        yield _row(mammogram.key, mammogram, film_hash, breast, cut), cut
        return
    for abnormality, mask in masks:
        cut = prepare_roi(film.image, breast, mask, image)
        yield _row(abnormality.key, mammogram, film_hash, breast, cut), cut


def hash_film(raw: np.ndarray) -> str:
    """xxh3-128 of a film's raw pixels and shape: equal for the same film under two UIDs."""
    digest = xxhash.xxh3_128(repr((raw.shape, raw.dtype.str)).encode())
    digest.update(np.ascontiguousarray(raw).data)
    return digest.hexdigest()


def _row(
    id: str, mammogram: Mammogram, film_hash: str, breast: Breast, cut: Prepared
) -> Callable[[int, int], StoreRow]:
    # DDSM scanned left breasts with the chest wall at the left edge; copies in circulation are often mirrored
    agrees = (breast.chest_wall is Laterality.left) == (mammogram.laterality is Laterality.left)

    def placed(shard: int, row: int) -> StoreRow:
        return StoreRow(
            id=id,
            mammogram=mammogram.key,
            film=film_hash,
            shard=shard,
            row=row,
            mirrored=cut.mirrored,
            chest_wall_agrees=agrees,
            enlarged=cut.enlarged,
            **asdict(cut.window),
        )

    return placed


def _confirmed_masks(
    source_root: Path, work: FilmWork, film: Film, defects: list[Defect]
) -> Iterator[tuple[Abnormality, np.ndarray]]:
    """The masks that really are masks of this film; what contradicts that goes into `defects`."""
    for abnormality in work.abnormalities:
        assert abnormality.mask_path is not None, "the plan names abnormalities with masks"
        try:
            pixels, _ = read_pixels(source_root / abnormality.mask_path)
            mask = _as_mask(pixels, film.raw.shape)
            box = mask_box(mask)
        except MammoscopeError as error:
            defects.append(
                Defect(
                    row=abnormality.key,
                    problem="unusable_mask",
                    found=str(error),
                    taken_as="no ROI",
                    reason="not a mask",
                )
            )
            continue
        expected = _crop_shape(box, film.raw.shape)
        found = (abnormality.crop_rows_px, abnormality.crop_columns_px)
        if None not in found and found != expected:
            defects.append(
                Defect(
                    row=abnormality.key,
                    problem="crop_size",
                    found=f"released crop of {found[0]} x {found[1]} px, the mask's box and {CROP_MARGIN_PX} px make "
                    f"{expected[0]} x {expected[1]} px",
                    taken_as="mask",
                    reason="the ROI is re-cut from the film by its mask; the released crop is not used",
                )
            )
        yield abnormality, mask


def _as_mask(pixels: np.ndarray, film_shape: tuple[int, ...]) -> np.ndarray:
    if pixels.shape != film_shape:
        raise MammoscopeError(f"mask of {pixels.shape} px on a film of {film_shape} px")
    values = np.unique(pixels)
    if len(values) > 2:
        raise MammoscopeError(f"mask with {len(values)} grey levels: at most two are allowed")
    return pixels > values[0] if len(values) == 2 else pixels > 0


def _crop_shape(box: tuple[int, int, int, int], film_shape: tuple[int, ...]) -> tuple[int, int]:
    top, left, bottom, right = box
    rows = min(bottom + CROP_MARGIN_PX, film_shape[0]) - max(top - CROP_MARGIN_PX, 0)
    columns = min(right + CROP_MARGIN_PX, film_shape[1]) - max(left - CROP_MARGIN_PX, 0)
    return rows, columns
