"""Catalog -> opened stores, prepared first where they are not there yet; what cannot become a run is refused before."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mammoscope.catalog.certificate import check_classes
from mammoscope.catalog.selection import class_name
from mammoscope.config import TrainConfig
from mammoscope.data.cut import FilmWork, prepare_film
from mammoscope.data.frame import frame_of
from mammoscope.data.prepare import missing_shards, plan_store, prepare_store, store_folder
from mammoscope.data.store import INDEX, PreparedStore
from mammoscope.errors import MammoscopeError
from mammoscope.fingerprint import local_name
from mammoscope.records import Abnormality, Catalog
from mammoscope.reporting.console import progress, say
from mammoscope.vocabulary import CLASSES, NORMAL, AbnormalityKind, ImageVariant, Partition, TargetPolicy, View

Plans = Mapping[tuple[AbnormalityKind, View], tuple[FilmWork, ...]]


def plan_stores(config: TrainConfig, catalog: Catalog) -> Plans:
    """The films of one store a kind and view. Raises MammoscopeError where the source has none of one of them."""
    plans = {}
    for kind in config.data.kinds:
        for view in config.view.views:
            plans[kind, view] = plan_store(catalog, kind, view, config.image, config.target.normal_per_image)
            if not plans[kind, view]:
                raise MammoscopeError(
                    f"data={config.data.name} view={config.view.name}: the source has no usable {kind} in {view} view"
                    + _NEEDED.get(config.image.name, "")
                )
    return plans


_NEEDED = {ImageVariant.roi: " with an ROI mask", ImageVariant.released_crop: " with a film and a released crop"}


def check_rows(
    rows: Mapping[Partition, Sequence[Abnormality]],
    plans: Plans,
    variant: ImageVariant,
    target: TargetPolicy,
    needed: Collection[Partition],
) -> None:
    """Refuses, before hours of preparing, a split that no preparing could make good; `needed` as certify has it."""
    planned = {key for plan in plans.values() for work in plan for key in _keys(work, variant)}
    check_classes(
        {
            partition: [(row.patient, class_name(row, target)) for row in own if {row.key, row.mammogram} & planned]
            for partition, own in rows.items()
            if partition in needed
        },
        [name for name in CLASSES[target] if name != NORMAL],  # which are cut from films that preparing has yet to see
    )


def _keys(work: FilmWork, variant: ImageVariant) -> list[str]:
    return [work.mammogram.key] if variant is ImageVariant.full else [a.key for a in work.abnormalities]


def open_stores(config: TrainConfig, root: Path, plans: Plans) -> tuple[PreparedStore, ...]:
    """The stores, prepared first where they are not there yet."""
    stores = [_prepare(config, root, key, work, None) for key, work in plans.items()]
    return tuple(store for store in stores if store is not None)


def prepare_part(config: TrainConfig, root: Path, plans: Plans, part: tuple[int, int]) -> bool:
    """One share of each store, and the end of each of which it was the last. False where shards are still missing."""
    finished = [_prepare(config, root, key, work, part) is not None for key, work in plans.items()]
    return all(finished)


def _prepare(
    config: TrainConfig,
    root: Path,
    key: tuple[AbnormalityKind, View],
    work: Sequence[FilmWork],
    part: tuple[int, int] | None,
) -> PreparedStore | None:
    kind, view = key
    folder = store_folder(Path(config.store.root), root, kind, view, work, config.image)
    _say_estimate(config, root, folder, work)
    with progress(f"preparing {kind} {view}") as step:
        store = prepare_store(
            root,
            folder,
            work,
            config.image,
            workers=config.store.workers,
            progress=step,
            say=say,
            part=part,
            source_name=None if config.source.csv is None else local_name(config.source.csv),
        )
    if store is None:
        missing, shards = missing_shards(folder, len(work))
        say(f"{folder.name}: {missing} of {shards} shards are left to other parts")
    return store


def _say_estimate(config: TrainConfig, root: Path, folder: Path, work: Sequence[FilmWork]) -> None:
    """Time and disk of a store that has to be prepared, from its first film."""
    if (folder / INDEX).exists():
        say(f"prepared already: {folder.name}, {len(work)} films")
        return
    started = time.perf_counter()
    try:
        list(prepare_film(root, work[0], config.image, [], []))
    except MammoscopeError:
        return  # preparing will say what is wrong with it
    processes = config.store.workers or os.cpu_count() or 1
    seconds = (time.perf_counter() - started) * len(work) / processes
    patches = sum(len(w.abnormalities) + (w.normal.per_image if w.normal else 0) for w in work)
    rows = len(work) if config.image.name is ImageVariant.full else patches
    height_px, width_px = frame_of(config.image).stored
    megabytes = rows * height_px * width_px * (2 + 1 / 8) / 1e6
    say(f"preparing {folder.name}: {len(work)} films, about {seconds:.0f} s and {megabytes:.0f} MB of disk")
