"""Files that were published, that lie in the tree, and that can be used: by kind, partition and image type."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from mammoscope.catalog.published import PUBLISHED
from mammoscope.records import Abnormality, Catalog, Mammogram
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, ImageType, Partition, Trap

# The ledger's words for a file that lies there and cannot be used.
_FOUND_BUT: dict[ImageType, tuple[str, ...]] = {
    ImageType.full: ("unusable_image",),
    ImageType.mask: ("unusable_mask", Trap.mask_size),
    ImageType.crop: ("unusable_crop",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRow:
    kind: AbnormalityKind
    partition: Partition  # as published
    image: ImageType
    published: int  # that the case descriptions name; official count where the file is absent
    found: int
    usable: int


def take_inventory(
    catalog: Catalog, unusable: Collection[tuple[str, ImageType]], absent: Collection[tuple[AbnormalityKind, Partition]]
) -> tuple[InventoryRow, ...]:
    """unusable: rows whose file's pixels cannot be used. absent: whose case descriptions are not there."""
    return tuple(_rows(catalog, set(unusable), absent))


def _rows(
    catalog: Catalog, unusable: set[tuple[str, ImageType]], absent: Collection[tuple[AbnormalityKind, Partition]]
) -> Iterator[InventoryRow]:
    defects = {(d.row, d.problem) for d in catalog.defects}
    for kind in CBIS_DDSM_KINDS:
        for partition in (Partition.train, Partition.test):
            films = [m for m in catalog.mammograms if (m.kind, m.published) == (kind, partition)]
            rows = [a for a in catalog.abnormalities if (a.kind, a.published) == (kind, partition)]
            if not films and (kind, partition) not in absent:
                continue
            for image in ImageType:
                paths = list(_paths(films, rows, image))
                found = sum(path is not None or _lies_there(key, image, defects) for key, path in paths)
                usable = sum(path is not None and (key, image) not in unusable for key, path in paths)
                published = len(paths) if films else PUBLISHED[kind, partition].count(image)
                yield InventoryRow(
                    kind=kind, partition=partition, image=image, published=published, found=found, usable=usable
                )


def _paths(
    films: Iterable[Mammogram], rows: Iterable[Abnormality], image: ImageType
) -> Iterator[tuple[str, str | None]]:
    if image is ImageType.full:
        yield from ((film.key, film.path) for film in films)
    elif image is ImageType.mask:
        yield from ((row.key, row.mask_path) for row in rows)
    else:
        yield from ((row.key, row.crop_path) for row in rows)


def _lies_there(key: str, image: ImageType, defects: Collection[tuple[str, str]]) -> bool:
    return any((key, problem) in defects for problem in _FOUND_BUT[image])
