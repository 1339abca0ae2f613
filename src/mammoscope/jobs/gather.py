"""Config -> samples, stores and certificate: all that is settled before a run begins, and that evaluation shares."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammoscope.catalog.cache import load_catalog
from mammoscope.catalog.census import census
from mammoscope.catalog.certificate import Certificate, certify
from mammoscope.catalog.selection import select_rows
from mammoscope.catalog.splits import Assignment, assign_partitions
from mammoscope.config import TrainConfig
from mammoscope.data.cut import FilmWork, prepare_film
from mammoscope.data.prepare import plan_store, prepare_store, store_folder
from mammoscope.data.samples import build_samples
from mammoscope.data.store import INDEX, PreparedStore
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.sources import find_root
from mammoscope.phantom import read_marker
from mammoscope.records import Abnormality, Catalog, Sample
from mammoscope.reporting.console import progress, say
from mammoscope.vocabulary import ImageVariant, Partition, TargetPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredData:
    root: Path
    catalog: Catalog
    stores: Mapping[str, PreparedStore]
    samples: Mapping[Partition, tuple[Sample, ...]]
    certificate: Certificate
    ideal_auc: float | None  # phantom: what no observer can beat in the long run; None where it is not known
    notes: tuple[str, ...]  # what a reader of the numbers should know: partial download, upsampling, ...

    @property
    def is_phantom(self) -> bool:
        return self.catalog.is_phantom


def gather(config: TrainConfig) -> GatheredData:
    """Indexes, prepares what is missing, splits, certifies. Raises MammoscopeError for all that would spoil a run."""
    root = find_root(config)
    say(f"source {config.source.name} at {root}")
    say(
        f"variant data={config.data.name} image={config.image.name} view={config.view.name} target={config.target.name}"
    )
    with progress("reading headers") as step:
        catalog = load_catalog(
            root, Path(config.store.root) / "catalogs", workers=config.store.workers, progress=step, say=say
        )
    assignment = assign_partitions(
        catalog,
        config.data.kinds,
        config.view.views,
        config.split.name,
        config.split.seed,
        config.split.validation_fraction,
        config.target.name,
    )
    stores = open_stores(config, root, catalog)
    samples = partition_samples(config, catalog, assignment, stores)
    certificate = certify(
        samples,
        scheme=config.split.name,
        seed=config.split.seed,
        fraction=config.split.validation_fraction,
        dropped=assignment.dropped,
    )
    return GatheredData(
        root=root,
        catalog=catalog,
        stores={store.name: store for store in stores},
        samples=samples,
        certificate=certificate,
        ideal_auc=_ideal_auc(config, root),
        notes=_notes(config, catalog, samples, stores),
    )


def say_partitions(data: GatheredData) -> None:
    """Who is in which partition, and what a reader of the numbers should know."""
    for partition, samples in data.samples.items():
        patients = len({sample.patient for sample in samples})
        say(f"{partition}: {len(samples)} samples of {patients} patients, {sum(s.target for s in samples)} malignant")
    for note in data.notes:
        say(f"note: {note}")


def open_stores(config: TrainConfig, root: Path, catalog: Catalog) -> tuple[PreparedStore, ...]:
    """One store a kind and view, prepared first where it is not there yet."""
    stores = []
    for kind in config.data.kinds:
        for view in config.view.views:
            work = plan_store(catalog, kind, view, config.image)
            if not work:
                raise MammoscopeError(
                    f"data={config.data.name} view={config.view.name}: the source has no usable {kind} in {view} view"
                    + (" with an ROI mask" if config.image.context else "")
                )
            folder = store_folder(Path(config.store.root), kind, view, work, config.image)
            _say_estimate(config, root, folder, work)
            with progress(f"preparing {kind} {view}") as step:
                store = prepare_store(
                    root, folder, work, config.image, workers=config.store.workers, progress=step, say=say
                )
            stores.append(store)
    return tuple(stores)


def _say_estimate(config: TrainConfig, root: Path, folder: Path, work: Sequence[FilmWork]) -> None:
    """Time and disk of a store that has to be prepared, from its first film."""
    if (folder / INDEX).exists():
        say(f"prepared already: {folder.name}, {len(work)} films")
        return
    started = time.perf_counter()
    try:
        list(prepare_film(root, work[0], config.image, []))
    except MammoscopeError:
        return  # preparing will say what is wrong with it
    processes = config.store.workers or os.cpu_count() or 1
    seconds = (time.perf_counter() - started) * len(work) / processes
    rows = sum(len(w.abnormalities) for w in work) if config.image.context else len(work)
    megabytes = rows * config.image.height_px * config.image.width_px * (2 + 1 / 8) / 1e6
    say(f"preparing {folder.name}: {len(work)} films, about {seconds:.0f} s and {megabytes:.0f} MB of disk")


def partition_samples(
    config: TrainConfig, catalog: Catalog, assignment: Assignment, stores: Sequence[PreparedStore]
) -> dict[Partition, tuple[Sample, ...]]:
    """Each partition's samples; a mammogram published as test never comes into train, nor the reverse."""
    mammograms = {mammogram.key: mammogram for mammogram in catalog.mammograms}
    rows: dict[Partition, list[Abnormality]] = {partition: [] for partition in Partition}
    for row in select_rows(catalog, config.data.kinds, config.view.views, config.target.name):
        partition = assignment.partition_of(row)
        if partition is not None:
            rows[partition].append(row)
    return {p: build_samples(own, mammograms, stores, config.image.name) for p, own in rows.items()}


def _ideal_auc(config: TrainConfig, root: Path) -> float | None:
    """Known where a sample is an abnormality and all of them count: the latents are Gaussian given that class alone."""
    marker = read_marker(root)
    is_known = config.image.name is ImageVariant.roi and config.target.name is TargetPolicy.malignancy
    return marker.ideal_auc if marker is not None and is_known else None


def _notes(
    config: TrainConfig,
    catalog: Catalog,
    samples: Mapping[Partition, Sequence[Sample]],
    stores: Sequence[PreparedStore],
) -> tuple[str, ...]:
    notes = []
    if catalog.is_phantom:
        notes.append("phantom: synthetic images; nothing here says anything about real mammography")
    counted = census(catalog)
    if counted.is_partial:
        notes.append(counted.summary())
    if counted.defects:
        told = ", ".join(f"{count} {problem}" for problem, count in counted.defects.items())
        notes.append(f"the source's ledger of defects (`mammoscope data index`): {told}")
    pixels = sum(len(store.defects) for store in stores)
    if pixels:
        notes.append(f"{pixels} defects found in the pixels while preparing (defects.parquet of the stores)")
    rows = [row for store in stores for row in store.rows]
    enlarged = sum(row.enlarged > 1 for row in rows)
    if enlarged > len(rows) / 2:
        size = f"{config.image.height_px} x {config.image.width_px} px"
        notes.append(f"the source's pixels are enlarged to reach {size} in {enlarged} of {len(rows)} images")
    odd = sum(not row.chest_wall_agrees for row in rows)
    if odd:
        notes.append(
            f"{odd} of {len(rows)} images have their chest wall on the other side than Laterality suggests; "
            "all are turned to one side, judged by their pixels"
        )
    if not samples[Partition.test]:
        notes.append("the test partition is empty in this download: no test evidence can be had")
    return tuple(notes)
