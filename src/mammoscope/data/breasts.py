"""Films -> breasts: what view=pair scores."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mammoscope.records import Sample
from mammoscope.vocabulary import View


def breast_samples(films: Sequence[Sample], views: Sequence[View]) -> tuple[Sample, ...]:
    """One sample for the films (samples of image=full) of each breast; an image is None where a view has no film.

    A breast is what the worst of its films is, which is what `view=both` makes of it at breast level too. Where it has
    several films of a view, the network sees the first by id.
    """
    breasts: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for film in films:
        breasts[film.patient, film.laterality].append(film)
    return tuple(_breast(sorted(own, key=lambda film: film.id), views) for own in breasts.values())


def _breast(films: Sequence[Sample], views: Sequence[View]) -> Sample:
    first = {film.views[0]: film for film in reversed(films)}
    shown = [first[view] for view in views if view in first]
    worst = max(films, key=lambda film: (film.malignant, film.target))
    return replace(
        worst,
        id=f"{worst.patient}_{worst.laterality.upper()}",
        views=tuple(film.views[0] for film in shown),
        kinds=tuple(sorted({kind for film in films for kind in film.kinds})),
        films=tuple(film.films[0] for film in shown),
        abnormalities=tuple(key for film in films for key in film.abnormalities),
        images=tuple(first[view].images[0] if view in first else None for view in views),
    )
