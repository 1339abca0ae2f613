"""Catalog + stores -> samples: one row for everything that the model scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mammoscope.catalog.selection import target_of, worst_class
from mammoscope.data.store import PreparedStore, StoreRow
from mammoscope.records import Abnormality, Mammogram, Sample, StoredImage
from mammoscope.vocabulary import ImageVariant, TargetPolicy

Place = tuple[PreparedStore, int, StoreRow]


def build_samples(
    abnormalities: Sequence[Abnormality],
    mammograms: Mapping[str, Mammogram],
    stores: Sequence[PreparedStore],
    variant: ImageVariant,
    target: TargetPolicy = TargetPolicy.malignancy,
) -> tuple[Sample, ...]:
    """The samples of the given abnormalities, whose images lie in `stores`; those without an image there are left out.

    roi: one sample an abnormality. full: one a film; two mammograms of one film (stored as Mass- and as Calc-) are one
    sample, and a film is what the worst of its given abnormalities is.
    """
    places: dict[str, Place] = {row.id: (store, index, row) for store in stores for index, row in enumerate(store.rows)}
    groups: dict[tuple[str, ...], list[Abnormality]] = defaultdict(list)
    for abnormality in abnormalities:
        name = abnormality.key if variant is ImageVariant.roi else abnormality.mammogram
        if name in places:
            film = places[name][2].film
            # one film that stands under two patients stays two samples: whose it is, nobody knows
            breast = (abnormality.patient, abnormality.laterality, abnormality.view)
            groups[(name,) if variant is ImageVariant.roi else (*breast, film)].append(abnormality)
    return tuple(_sample(rows, places, mammograms, variant, target) for rows in groups.values())


def _sample(
    rows: Sequence[Abnormality],
    places: Mapping[str, Place],
    mammograms: Mapping[str, Mammogram],
    variant: ImageVariant,
    target: TargetPolicy,
) -> Sample:
    first = rows[0]
    id = first.key if variant is ImageVariant.roi else first.mammogram
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
