"""What a user's own table of images (source=table) takes and does not take, for checks.py."""

from collections.abc import Callable

from mammoscope.config import TrainConfig
from mammoscope.vocabulary import ImageVariant, SourceName, SplitScheme, TargetPolicy

_OF_TABLES = (SplitScheme.table, SplitScheme.carved)


def _is_table(config: TrainConfig) -> bool:
    return config.source.name is SourceName.table


# what makes no sense, and the reason, formatted with `config`
TABLE_COMBINATIONS: tuple[tuple[Callable[[TrainConfig], bool], str], ...] = (
    (
        lambda c: _is_table(c) and not (c.source.csv or "").strip(),
        "source.csv is not set: source=table needs the list of images; give source.csv=<file>",
    ),
    (
        lambda c: not _is_table(c) and c.source.csv is not None,
        "source.csv={config.source.csv}: source={config.source.name} reads a folder; use source=table, or source.root",
    ),
    (
        lambda c: _is_table(c) and c.source.root is not None,
        "source.root={config.source.root}: the paths of a table are seen from the folder that it lies in; leave it out",
    ),
    (
        lambda c: _is_table(c) and c.target.name is not TargetPolicy.malignancy,
        "target={config.target.name}: a table says malignant or not, and no more (no recall without biopsy, no tissue "
        "that is known to be normal); use target=malignancy",
    ),
    (
        lambda c: _is_table(c) and c.image.name is ImageVariant.released_crop,
        "image=released_crop: a table has no patches that were published; use image=roi or image=full",
    ),
    (
        lambda c: _is_table(c) and c.split.name in (SplitScheme.official, SplitScheme.cv5),
        "split={config.split.name}: a scheme of CBIS-DDSM; a table is split by its column partition, or by patient "
        "from split.seed where it has none: leave split out",
    ),
    (
        lambda c: not _is_table(c) and (c.data.name == "table" or c.split.name in _OF_TABLES),
        "data.name={config.data.name} split.name={config.split.name}: names of a table's data; use source=table",
    ),
)
