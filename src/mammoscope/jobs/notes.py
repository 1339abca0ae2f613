"""What a reader of a run's numbers should know of its data."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mammoscope.catalog.census import census
from mammoscope.catalog.splits import name_some
from mammoscope.config import TrainConfig
from mammoscope.data.cut import CROP_MARGIN_PX
from mammoscope.data.normal_patches import NO_NORMAL_PATCHES
from mammoscope.data.store import PreparedStore, StoreRow
from mammoscope.jobs.table import table_notes
from mammoscope.records import Abnormality, Catalog, Sample
from mammoscope.vocabulary import ImageVariant, Partition, SourceName


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
    if config.source.name is SourceName.table:
        notes += table_notes(config, catalog)
    elif counted.is_partial:
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
    notes += _patch_notes(config, catalog, rows)
    if config.view.fusion is not None:
        notes += _pair_notes(config, samples, {row.mammogram: row.film for row in rows})
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


def _patch_notes(config: TrainConfig, catalog: Catalog, rows: Sequence[StoreRow]) -> list[str]:
    """What patches do not show, or show otherwise than they look."""
    image, notes = config.image, []
    if image.name is ImageVariant.released_crop:
        notes.append("released crops: each was stretched to its own maximum, so grey levels do not compare")
        have_film = {mammogram.key for mammogram in catalog.mammograms if mammogram.path is not None}
        alone = [a.key for a in _of_variant(config, catalog) if a.crop_path and a.mammogram not in have_film]
        if alone:
            notes.append(
                f"{len(alone)} released crops are left out: without their film nobody can tell in which partition else "
                f"its pixels stand ({name_some(alone)})"
            )
    if image.window_px is not None:
        crops = {a.key: (a.crop_rows_px, a.crop_columns_px) for a in catalog.abnormalities}
        known = [
            (h, w) for h, w in (crops[row.id] for row in rows if row.id in crops) if h is not None and w is not None
        ]
        sides = [max(crop) - 2 * CROP_MARGIN_PX for crop in known]
        larger = sum(side > image.window_px for side in sides)
        if larger:
            notes.append(
                f"{larger} of {len(sides)} ROIs are larger than image.window_px={image.window_px}: only their middle "
                "is seen"
            )
    return notes


def _of_variant(config: TrainConfig, catalog: Catalog) -> list[Abnormality]:
    return [a for a in catalog.abnormalities if a.kind in config.data.kinds and a.view in config.view.views]


def _pair_notes(
    config: TrainConfig, samples: Mapping[Partition, Sequence[Sample]], film_of: Mapping[str, str]
) -> list[str]:
    breasts = [sample for own in samples.values() for sample in own]
    notes = []
    if alone := Counter(sample.views[0] for sample in breasts if None in sample.images):
        told = " and ".join(f"{alone[view]} with {view} alone" for view in config.view.views)
        notes.append(f"{alone.total()} of {len(breasts)} breasts have one view only: {told}; they are scored by it")
    if hidden := [sample.id for sample in breasts if _films(sample, film_of) - set(sample.films)]:
        notes.append(
            f"{len(hidden)} breasts have several films of a view, of which the network sees the first by name: "
            f"{name_some(hidden)}"
        )
    return notes


def _films(sample: Sample, film_of: Mapping[str, str]) -> set[str]:
    return {film_of[key.rpartition("_")[0]] for key in sample.abnormalities}


def _shared_films(samples: Mapping[Partition, Sequence[Sample]]) -> list[str]:
    """`P_00004 = P_00013`, for each film that is the same under both: one of them is not what it says it is."""
    patients: dict[str, set[str]] = defaultdict(set)
    for own in samples.values():
        for sample in own:
            for film in sample.films:
                patients[film].add(sample.patient)
    return sorted({" = ".join(sorted(names)) for names in patients.values() if len(names) > 1})
