"""Catalog + stores -> samples: one row for everything that the model scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mammoscope.catalog.selection import target_of, worst_class
from mammoscope.data.store import PreparedStore, StoreRow
from mammoscope.records import Abnormality, Mammogram, Sample, StoredImage
from mammoscope.vocabulary import CLASSES, NORMAL, ImageVariant, TargetPolicy

Place = tuple[PreparedStore, int, StoreRow]


def build_samples(
    abnormalities: Sequence[Abnormality],
    mammograms: Mapping[str, Mammogram],
    stores: Sequence[PreparedStore],
    variant: ImageVariant,
    target: TargetPolicy = TargetPolicy.malignancy,
) -> tuple[Sample, ...]:
    """The samples of the given abnormalities, whose images lie in `stores`; those without an image there are left out.

    roi, released_crop: one sample an abnormality. full: one a film; two mammograms of one film (stored as Mass- and as
    Calc-) are one sample, and a film is what the worst of its given abnormalities is.
    """
    places: dict[str, Place] = {row.id: (store, index, row) for store in stores for index, row in enumerate(store.rows)}
    groups: dict[tuple[str, ...], list[Abnormality]] = defaultdict(list)
    for abnormality in abnormalities:
        name = abnormality.mammogram if variant is ImageVariant.full else abnormality.key
        if name in places:
            film = places[name][2].film
            # one film that stands under two patients stays two samples: whose it is, nobody knows
            breast = (abnormality.patient, abnormality.laterality, abnormality.view)
            groups[(*breast, film) if variant is ImageVariant.full else (name,)].append(abnormality)
    samples = tuple(_sample(rows, places, mammograms, variant, target) for rows in groups.values())
    return samples + _normal_samples(samples, places, mammograms, target)


def _normal_samples(
    samples: Sequence[Sample], places: Mapping[str, Place], mammograms: Mapping[str, Mammogram], target: TargetPolicy
) -> tuple[Sample, ...]:
    """The normal patches of the samples' films, once a film: its Mass- and its Calc- record were cut at one place.

    A film that stands under two patients, pixel for pixel, gives none: the ROIs of each are unknown to the other.
    """
    if NORMAL not in CLASSES[target]:
        return ()
    of_film: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    breasts: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for id, (_, _, row) in places.items():
        mammogram = mammograms[row.mammogram]
        breasts[row.film].add((mammogram.patient, mammogram.laterality, mammogram.view))
        if row.is_normal:
            of_film[row.film][row.mammogram].append(id)
    found = []
    for film, first in {sample.films[0]: sample for sample in reversed(samples)}.items():
        if len(breasts[film]) == 1 and film in of_film:
            found += [_normal_sample(id, first, places[id], target) for id in next(iter(of_film[film].values()))]
    return tuple(sorted(found, key=lambda sample: sample.id))


def _normal_sample(id: str, of_film: Sample, place: Place, target: TargetPolicy) -> Sample:
    """`of_film` is any sample of the same film."""
    store, index, _ = place
    return replace(
        of_film,
        id=id,
        target=CLASSES[target].index(NORMAL),
        malignant=0,
        abnormalities=(),
        images=(StoredImage(store.name, index),),
    )


def _sample(
    rows: Sequence[Abnormality],
    places: Mapping[str, Place],
    mammograms: Mapping[str, Mammogram],
    variant: ImageVariant,
    target: TargetPolicy,
) -> Sample:
    first = rows[0]
    id = first.mammogram if variant is ImageVariant.full else first.key
    store, index, row = places[id]
    return Sample(
        id=id,
        patient=first.patient,
        laterality=first.laterality,
        views=(first.view,),
        kinds=tuple(sorted({a.kind for a in rows})),
        films=(row.film,),
        published=mammograms[first.mammogram].published,
        target=worst_class(rows, target),
        malignant=max(target_of(a) for a in rows),
        abnormalities=tuple(a.key for a in rows),
        density=first.density,
        images=(StoredImage(store.name, index),),
    )
