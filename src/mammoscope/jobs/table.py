"""source=table: a user's own images. What its columns settle of a config, and its catalog."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mammoscope.catalog.pseudonyms import load_pseudonyms
from mammoscope.catalog.table import ImageTable, read_table
from mammoscope.catalog.table_index import index_table
from mammoscope.catalog.table_split import draw_names
from mammoscope.config import DataConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.sources import Source
from mammoscope.records import Abnormality, Catalog
from mammoscope.reporting.console import progress, say
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, ImageVariant, Partition, SourceName, SplitScheme

NAME = "table"  # what data= is called where a table does not tell kinds apart


def settle_table(config: TrainConfig) -> TrainConfig:
    """The config with what the table decides in place of `data` and `split`; any other source's as it is.

    What a run on a table is evaluated on elsewhere: every kind, split as that source is by default.

    Raises MammoscopeError: as read_table does, so that bad cells are told before anything else.
    """
    if config.source.name is not SourceName.table:
        if config.data.name == NAME:
            config = replace(config, data=DataConfig(name=NAME, kinds=list(CBIS_DDSM_KINDS)))
        if config.split.name in (SplitScheme.table, SplitScheme.carved):
            config = replace(config, split=replace(config.split, name=SplitScheme.official_strict))
        return config
    table = _read(config)
    if not table.has_kinds:
        config = replace(config, data=DataConfig(name=NAME, kinds=[AbnormalityKind.unknown]))
    elif config.data.name == NAME:
        config = replace(config, data=DataConfig(name=NAME, kinds=list(CBIS_DDSM_KINDS)))
    scheme = SplitScheme.table if table.has_partitions else SplitScheme.carved
    return replace(
        config,
        source=replace(config.source, csv=str(table.path)),  # whole, so that its digest and not its name is logged
        split=replace(config.split, name=scheme, fold=None),
    )


def load_table(config: TrainConfig) -> Source:
    """Its root is the table's folder; says first where it lies and what follows from its columns."""
    table = _read(config)
    say(f"source table at {table.path}: {_says(table, config)}")
    names = load_pseudonyms(Path(config.tracking.home))
    boxes = Path(config.store.root) / "boxes"
    with progress("reading headers") as step:
        catalog = index_table(table, names, boxes, workers=config.store.workers, progress=step)
    for defect in catalog.defects:
        say(f"{defect.problem}: {defect.found}; taken as: {defect.taken_as}")
    _refuse_without_rois(config, catalog)
    return Source(root=table.root, catalog=catalog, drawn_by=draw_names(table, names))


def table_notes(config: TrainConfig, catalog: Catalog) -> list[str]:
    """How many rows image=roi cannot show."""
    rows = _selected(config, catalog)
    without = sum(row.mask_path is None for row in rows)
    if config.image.name is not ImageVariant.roi or not without:
        return []
    return [f"{without} of {len(rows)} rows of the table have neither roi nor box: image=roi leaves them out"]


def _refuse_without_rois(config: TrainConfig, catalog: Catalog) -> None:
    rows = _selected(config, catalog)
    if config.image.name is ImageVariant.roi and rows and all(row.mask_path is None for row in rows):
        raise MammoscopeError(
            f"image=roi: none of the {len(rows)} rows of source.csv={config.source.csv} that are selected has an roi "
            "or a box; allowed: image=full, or a table with one of these columns"
        )


def _selected(config: TrainConfig, catalog: Catalog) -> Sequence[Abnormality]:
    return [a for a in catalog.abnormalities if a.kind in config.data.kinds and a.view in config.view.views]


def _read(config: TrainConfig) -> ImageTable:
    assert config.source.csv is not None, "composition asks for source.csv"
    return read_table(Path(config.source.csv))


def _says(table: ImageTable, config: TrainConfig) -> str:
    by_patient = f"by patient from split.seed={config.split.seed}"
    if not table.has_partitions:
        split = f"no column partition, so train, validation and test are carved {by_patient}"
    elif {row.partition for row in table.rows} & {Partition.train, Partition.validation} != {Partition.train}:
        split = "split by its column partition"
    else:
        split = f"split by its column partition, and validation, which it lacks, is carved out of train {by_patient}"
    return split if table.has_kinds else f"{split}; no column kind, so data= is ignored"
