"""Catalog -> prepared store: which films go in, where it lies, and who prepares what of it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from filelock import FileLock

from mammoscope.config import ImageConfig
from mammoscope.data.cut import FilmWork
from mammoscope.data.frame import frame_of
from mammoscope.data.normal_patches import plan_normal
from mammoscope.data.prepare_shards import Progress, Say, ShardWork, films_per_shard, prepare_shards
from mammoscope.data.preprocess import VERSION, preprocessing_hash
from mammoscope.data.store import (
    PreparedStore,
    drop_leftovers,
    finish_store,
    not_writable,
    open_store,
    shard_is_written,
)
from mammoscope.data.store_facts import FORMAT, SourceFile, StoreFacts, file_state, mark_used, write_facts
from mammoscope.records import Abnormality, Catalog
from mammoscope.vocabulary import AbnormalityKind, ImageVariant, View


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
            [w.mammogram.sop_uid or w.mammogram.key, *_state(source_root, w.mammogram.path)],
            *([_uid(a, image), *_state(source_root, cut_from(a, image))] for a in w.abnormalities),
            *([] if w.normal is None else [w.normal.fingerprint]),
            *([a.mask_sop_uid, *_state(source_root, a.mask_path)] for a in (w.normal.others if w.normal else ())),
        ]
        for w in work
    ]
    digest = hashlib.sha256(json.dumps([FORMAT, content]).encode()).hexdigest()[:12]
    return root / f"{preprocessing_hash(image)}-{digest}" / f"{kind}-{view}"


def cut_from(abnormality: Abnormality, image: ImageConfig) -> str | None:
    """The file that an abnormality's patch is cut by, or is."""
    return abnormality.crop_path if image.name is ImageVariant.released_crop else abnormality.mask_path


def _uid(abnormality: Abnormality, image: ImageConfig) -> str | None:
    # the catalog keeps no UID of crops, and a user's table has none; the path tells files apart as well
    is_mask = image.name is not ImageVariant.released_crop
    return (abnormality.mask_sop_uid if is_mask else None) or cut_from(abnormality, image)


def _state(source_root: Path, path: str | None) -> tuple[int, int]:
    assert path is not None, "the plan names files that are there"
    _, size, mtime_ns = astuple(file_state(source_root, path))
    return size, mtime_ns


def prepare_store(
    source_root: Path,
    folder: Path,
    work: Sequence[FilmWork],
    image: ImageConfig,
    *,
    workers: int,
    progress: Progress,
    say: Say,
    part: tuple[int, int] | None = None,
    source_name: str | None = None,
) -> PreparedStore | None:
    """Opens the store, preparing first what is missing of it; with `part` (i of n, from 1), its share of that only.

    Any number of processes, on this host or on others that share the folder, prepare one store together: each shard is
    claimed by a lock, and what others hold is waited for. Whoever finds all shards written makes a store of them.
    Returns None where shards of other parts are still missing.

    source_name: stands in store.json for `source_root`, and keys for the paths below it.

    Raises:
        MammoscopeError: where the store is damaged or cannot be written, for want of room among others.
    """
    found = open_store(folder)
    if found is not None:
        mark_used(folder)
        return found
    size = films_per_shard(len(work))
    shards = [tuple(work[i : i + size]) for i in range(0, len(work), size)]
    try:
        (folder / "locks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    write_facts(folder, _facts(source_root, folder, work, image, len(shards), source_name))
    first, parts = part or (1, 1)
    own = [ShardWork(n, shards[n]) for n in range(first - 1, len(shards), parts)]
    prepare_shards(source_root, folder, own, image, workers=workers, progress=progress, say=say)
    if missing_shards(folder, len(work))[0]:
        assert part is not None, "all shards were ours"
        return None
    _finish(folder, len(shards), image)
    found = open_store(folder)
    assert found is not None, "a store that was just finished opens"
    return found


def missing_shards(folder: Path, films: int) -> tuple[int, int]:
    """How many shards of a store of so many films are not written yet, and how many it has."""
    shards = -(-films // films_per_shard(films))
    return sum(not shard_is_written(folder, number) for number in range(shards)), shards


def _finish(folder: Path, shards: int, image: ImageConfig) -> None:
    try:
        held = FileLock(folder / "locks" / "store.lock").acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    with held:
        if open_store(folder) is None:
            drop_leftovers(folder)  # all shards are there, so nobody writes any
            frame = frame_of(image)
            finish_store(folder, shards, frame.stored[1], frame)


def _facts(
    source_root: Path,
    folder: Path,
    work: Sequence[FilmWork],
    image: ImageConfig,
    shards: int,
    source_name: str | None,
) -> StoreFacts:
    kind, _, view = folder.name.partition("-")
    return StoreFacts(
        kind=kind,
        view=view,
        image=f"{image.name} {image.height_px} x {image.width_px} px",
        version=VERSION,
        source_root=source_name or str(source_root.resolve()),
        shards=shards,
        films=len(work),
        files=tuple(_files(source_root, work, image) if source_name is None else _keys(work)),
    )


def _files(source_root: Path, work: Sequence[FilmWork], image: ImageConfig) -> list[SourceFile]:
    cuts = [cut_from(a, image) for w in work for a in w.abnormalities]
    others = [a.mask_path for w in work if w.normal is not None for a in w.normal.others]
    paths = [*(w.mammogram.path for w in work), *cuts, *others]
    return [file_state(source_root, path) for path in paths if path is not None]


def _keys(work: Sequence[FilmWork]) -> Iterator[SourceFile]:
    for film in work:
        for key in (film.mammogram.key, *(a.key for a in film.abnormalities)):
            yield SourceFile(path=key, size=0, mtime_ns=0)
