"""Config -> samples, stores and certificate: all that is settled before a run begins, and that evaluation shares."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mammoscope.catalog.cache import load_catalog
from mammoscope.catalog.certificate import Certificate, certify
from mammoscope.catalog.reviewed import read_reviewed
from mammoscope.catalog.selection import select_rows
from mammoscope.catalog.splits import Assignment, assign_partitions
from mammoscope.catalog.table_split import assign_table
from mammoscope.config import TrainConfig
from mammoscope.data.breasts import breast_samples
from mammoscope.data.samples import build_samples
from mammoscope.data.store import PreparedStore
from mammoscope.jobs.near_duplicates import find_near, notes_on_near, propose_review
from mammoscope.jobs.notes import notes_on
from mammoscope.jobs.sources import Source, find_root
from mammoscope.jobs.stores import check_rows, open_stores, plan_stores
from mammoscope.jobs.table import load_table
from mammoscope.phantom import read_marker
from mammoscope.records import Abnormality, Catalog, Sample
from mammoscope.reporting.console import progress, say
from mammoscope.vocabulary import CLASSES, ImageVariant, Partition, SourceName, TargetPolicy


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


def gather(
    config: TrainConfig, *, refuse_early: bool = True, needed: Collection[Partition] = tuple(Partition)
) -> GatheredData:
    """Indexes, prepares what is missing, splits, certifies. Raises MammoscopeError for all that would spoil a run.

    refuse_early: a split that no preparing could make good is refused before it; else after, and the store is there.
    needed: the partitions that are used: an evaluation does without training images.
    """
    reviewed = read_reviewed(Path(config.split.allow)) if config.split.allow is not None else ()
    source = load_source(config)
    root, catalog = source.root, source.catalog
    assignment = _assign(config, source)
    rows = partition_rows(config, catalog, assignment)
    plans = plan_stores(config, catalog)
    if refuse_early:
        check_rows(rows, plans, config.image.name, config.target.name, needed)
    stores = open_stores(config, root, plans)
    mammograms = {mammogram.key: mammogram for mammogram in catalog.mammograms}
    samples = {
        p: build_samples(own, mammograms, stores, config.image.name, config.target.name) for p, own in rows.items()
    }
    if config.view.fusion is not None:
        samples = {p: breast_samples(films, config.view.views) for p, films in samples.items()}
    near = find_near(stores, mammograms)
    propose_review(Path(config.store.root), samples, near, reviewed)
    certificate = certify(
        samples,
        scheme=config.split.name,
        seed=config.split.seed,
        fraction=config.split.validation_fraction,
        fold=config.split.fold,
        dropped=assignment.dropped,
        classes=CLASSES[config.target.name],
        near=near,
        reviewed=reviewed,
        needed=needed,
    )
    return GatheredData(
        root=root,
        catalog=catalog,
        stores={store.name: store for store in stores},
        samples=samples,
        certificate=certificate,
        ideal_auc=_ideal_auc(config, root),
        notes=(*notes_on(config, catalog, samples, stores), *notes_on_near(samples, near)),
    )


def data_key(config: TrainConfig) -> str:
    """Equal for configs that gather the same."""
    groups = ("source", "phantom", "store", "data", "image", "view", "target", "split")
    return repr([asdict(getattr(config, name)) for name in groups])


def load_source(config: TrainConfig) -> Source:
    """What `source` names, after a line that says which and one that says what is wanted of it."""
    variant = (
        f"variant data={config.data.name} image={config.image.name} view={config.view.name} target={config.target.name}"
    )
    if config.source.name is SourceName.table:
        source = load_table(config)
        say(variant)
        return source
    root = find_root(config)
    say(f"source {config.source.name} at {root}")
    say(variant)
    with progress("reading headers") as step:
        catalog = load_catalog(
            root, Path(config.store.root) / "catalogs", workers=config.store.workers, progress=step, say=say
        )
    return Source(root=root, catalog=catalog)


def _assign(config: TrainConfig, source: Source) -> Assignment:
    if config.source.name is SourceName.table:
        return assign_table(
            source.catalog, source.drawn_by, config.data.kinds, config.view.views, config.split, config.target.name
        )
    return assign_partitions(
        source.catalog,
        config.data.kinds,
        config.view.views,
        config.split.name,
        config.split.seed,
        config.split.validation_fraction,
        config.target.name,
        config.split.fold,
    )


def say_partitions(data: GatheredData) -> None:
    """Who is in which partition, and what a reader of the numbers should know."""
    for partition, samples in data.samples.items():
        patients = len({sample.patient for sample in samples})
        say(
            f"{partition}: {len(samples)} samples of {patients} patients, {sum(s.malignant for s in samples)} malignant"
        )
    for note in data.notes:
        say(f"note: {note}")


def partition_rows(config: TrainConfig, catalog: Catalog, assignment: Assignment) -> dict[Partition, list[Abnormality]]:
    """Each partition's rows; a mammogram published as test never comes into train, nor the reverse."""
    rows: dict[Partition, list[Abnormality]] = {partition: [] for partition in Partition}
    for row in select_rows(catalog, config.data.kinds, config.view.views, config.target.name):
        partition = assignment.partition_of(row)
        if partition is not None:
            rows[partition].append(row)
    return rows


def _ideal_auc(config: TrainConfig, root: Path) -> float | None:
    """Known where a lesion is one abnormality and all count: the latents are Gaussian given their malignancy alone."""
    marker = None if config.source.name is SourceName.table else read_marker(root)
    is_abnormality = config.image.name is not ImageVariant.full
    is_known = is_abnormality and config.target.name is not TargetPolicy.malignancy_without_bwc
    return marker.ideal_auc if marker is not None and is_known else None
