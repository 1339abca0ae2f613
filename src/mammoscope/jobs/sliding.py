"""A model of target=tissue over the whole mammograms of a partition.

It gives the probabilities of an image, and tells whether the places that the model points at were annotated.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mammoscope.catalog.selection import worst_class
from mammoscope.config import TrainConfig
from mammoscope.data.cut import FilmWork, confirmed_masks
from mammoscope.data.films import read_source_film
from mammoscope.data.preprocess import Breast, find_breast
from mammoscope.inference.sliding import Score, image_probabilities, slide
from mammoscope.jobs.gather import GatheredData
from mammoscope.jobs.map_looks import map_look
from mammoscope.metrics.localisation import Localisation, localisation
from mammoscope.records import Abnormality, Sample
from mammoscope.reporting.console import progress
from mammoscope.reporting.figures_class_map import MapLook
from mammoscope.vocabulary import CLASSES

LOOKS = 6
BLIND = "brightest_tissue"
MODELS = ("abnormality_peak", "malignancy_peak")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlidFilm:
    sample: Sample  # the film as one thing that is scored
    probabilities: np.ndarray  # float64 (classes,)
    hits: Mapping[str, bool]  # by who points: whether at a ROI
    look: MapLook | None  # of the few that are shown


def slide_partition(
    config: TrainConfig, data: GatheredData, samples: Sequence[Sample], score: Score
) -> tuple[SlidFilm, ...]:
    """Every film that has a sample, once. Raises MammoscopeError for a film that can no longer be read."""
    films = film_samples(config, data, samples)
    shown = {int(number) for number in np.linspace(0, len(films) - 1, min(LOOKS, len(films))).round()}
    found = []
    with progress("sliding over whole mammograms") as step:
        for number, film in enumerate(films):
            found.append(_slide_film(config, data, film, score, with_look=number in shown))
            step(number + 1, len(films))
    return tuple(found)


def film_samples(config: TrainConfig, data: GatheredData, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """One sample a film in place of one a patch: as image=full has it, of the same abnormalities."""
    by_key = {abnormality.key: abnormality for abnormality in data.catalog.abnormalities}
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.abnormalities:
            groups[(sample.patient, sample.laterality, *sample.views, *sample.films)].append(sample)
    return tuple(_film_sample(config, own, by_key) for own in groups.values())


def _film_sample(config: TrainConfig, own: Sequence[Sample], by_key: Mapping[str, Abnormality]) -> Sample:
    abnormalities = [by_key[key] for sample in own for key in sample.abnormalities]
    return replace(
        own[0],
        id=abnormalities[0].mammogram,
        kinds=tuple(sorted({a.kind for a in abnormalities})),
        target=worst_class(abnormalities, config.target.name),
        malignant=max(sample.malignant for sample in own),
        abnormalities=tuple(a.key for a in abnormalities),
        images=(),
    )


def _slide_film(config: TrainConfig, data: GatheredData, sample: Sample, score: Score, *, with_look: bool) -> SlidFilm:
    mammogram = next(m for m in data.catalog.mammograms if m.key == sample.id)
    assert mammogram.path is not None, "its samples were cut from it"
    film = read_source_film(data.root / mammogram.path)
    breast = find_breast(film.grey)
    own = tuple(a for a in data.catalog.abnormalities if a.key in sample.abnormalities)
    rois = np.logical_or.reduce([mask for _, mask in confirmed_masks(data.root, FilmWork(mammogram, own), film, [])])
    names = CLASSES[config.target.name]
    found = slide(film.grey, breast, config.image, names, score)
    places = {
        "abnormality_peak": found.at(int(found.abnormality.argmax())),
        "malignancy_peak": found.at(int(found.malignancy.argmax())),
        BLIND: found.at(int(found.brightness.argmax())),
        "centre": _centre(breast),
    }
    probabilities = image_probabilities(found)
    truth = names[sample.target].replace("_", " ")
    said = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in zip(names, probabilities, strict=True))
    caption = f"{sample.id}: {truth}\nimage: {said}"
    return SlidFilm(
        sample=sample,
        probabilities=probabilities,
        hits={who: _is_inside(rois, place) for who, place in places.items()},
        look=map_look(film.image, breast, rois, found, caption) if with_look else None,
    )


def _centre(breast: Breast) -> tuple[int, int]:
    rows, columns = np.nonzero(breast.mask)
    return round(rows.mean() * breast.step), round(columns.mean() * breast.step)


def _is_inside(rois: np.ndarray, place: tuple[int, int]) -> bool:
    row, column = place
    return 0 <= row < rois.shape[0] and 0 <= column < rois.shape[1] and bool(rois[row, column])


def localisation_of(films: Sequence[SlidFilm]) -> Localisation:
    hits = {who: np.array([film.hits[who] for film in films]) for who in films[0].hits}
    patients = np.array([film.sample.patient for film in films])
    return localisation(hits, patients, blind=BLIND, models=MODELS, rng=np.random.default_rng(0))
