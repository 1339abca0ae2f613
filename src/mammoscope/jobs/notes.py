"""What a reader of a run's numbers should know of its data."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mammoscope.catalog.census import census
from mammoscope.catalog.splits import name_some
from mammoscope.config import TrainConfig
from mammoscope.data.normal_patches import NO_NORMAL_PATCHES
from mammoscope.data.store import PreparedStore, StoreRow
from mammoscope.records import Catalog, Sample
from mammoscope.vocabulary import Partition


def notes_on(
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
    if config.target.normal_per_image is not None:
        notes.append(_normal_note(config.target.normal_per_image, rows, stores))
    enlarged = sum(row.enlarged > 1 for row in rows)
    if enlarged > len(rows) / 2:
        size = f"{config.image.height_px} x {config.image.width_px} px"
        notes.append(f"the source's pixels are enlarged to reach {size} in {enlarged} of {len(rows)} images")
    if shared := _shared_films(samples):
        notes.append(f"{len(shared)} films stand under more than one patient, pixel for pixel: {name_some(shared)}")
    odd = sum(not row.chest_wall_agrees for row in rows)
    if odd:
        notes.append(
            f"{odd} of {len(rows)} images have their chest wall on the other side than Laterality suggests; "
            "all are turned to one side, judged by their pixels"
        )
    if not samples[Partition.test]:
        notes.append("the test partition is empty in this download: no test evidence can be had")
    return tuple(notes)


def _normal_note(per_image: int, rows: Sequence[StoreRow], stores: Sequence[PreparedStore]) -> str:
    films = {row.mammogram for row in rows if not row.is_normal}
    having = {row.mammogram for row in rows if row.is_normal}
    refused = {d.row for store in stores for d in store.defects if d.problem == NO_NORMAL_PATCHES}
    patches = sum(row.is_normal for row in rows)
    return (
        f"{patches} normal patches of {len(having)} films, at most {per_image} a film; none of {len(refused)} films "
        f"whose ROIs are not all known, and of {len(films - having - refused)} without room away from their ROIs"
    )


def _shared_films(samples: Mapping[Partition, Sequence[Sample]]) -> list[str]:
    """`P_00004 = P_00013`, for each film that is the same under both: one of them is not what it says it is."""
    patients: dict[str, set[str]] = defaultdict(set)
    for own in samples.values():
        for sample in own:
            for film in sample.films:
                patients[film].add(sample.patient)
    return sorted({" = ".join(sorted(names)) for names in patients.values() if len(names) > 1})
