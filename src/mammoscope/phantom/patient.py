"""All that one patient adds to the tree: files, rows of the CSVs, rows of the sidecar."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.config import PhantomConfig
from mammoscope.phantom.filing import Picture, file_film, file_roi
from mammoscope.phantom.film import Film, draw_film
from mammoscope.phantom.geometry import draw_build
from mammoscope.phantom.habits import Habits
from mammoscope.phantom.ideal import log_likelihood_ratio
from mammoscope.phantom.lesions import Lesion, draw_lesion
from mammoscope.phantom.marker import LatentRow
from mammoscope.phantom.plan import PlannedPatient
from mammoscope.phantom.tables import CaseRow, SeriesRow

DENSITIES, DENSITY_SHARES = (1, 2, 3, 4), (0.18, 0.40, 0.28, 0.14)


@dataclass(frozen=True, slots=True)
class Tree:
    """One phantom in the making."""

    root: Path
    config: PhantomConfig
    namespace: str  # what its UIDs are made from


@dataclass(frozen=True, slots=True)
class PatientRows:
    cases: tuple[CaseRow, ...]
    series: tuple[SeriesRow, ...]
    latents: tuple[LatentRow, ...]


def write_patient(tree: Tree, planned: PlannedPatient) -> PatientRows:
    """Draw and write one patient, who depends on nothing but these two."""
    config = tree.config
    rng = np.random.default_rng([config.seed, 1, planned.drawn_as or planned.number])
    density = int(rng.choice(DENSITIES, p=DENSITY_SHARES))
    parts = []
    for breast in planned.breasts:
        build = draw_build(rng, config.width_px / config.height_px)
        lesions = tuple(
            draw_lesion(rng, finding, config.d_prime, len(breast.abnormalities), planned.habits)
            for finding in breast.abnormalities
        )
        for view in breast.views:
            shape = (config.height_px, config.width_px)
            film = draw_film(rng, build, density, lesions, breast.laterality, view, shape, planned.habits.mirrored)
            for kind, published in planned.published:
                if breast.of_kind(kind):
                    picture = Picture(kind, published, planned.name, breast.laterality, view)
                    parts.append(_write_picture(rng, tree, picture, density, film, lesions, planned.habits))
    return PatientRows(
        cases=tuple(row for part in parts for row in part.cases),
        series=tuple(row for part in parts for row in part.series),
        latents=tuple(row for part in parts for row in part.latents),
    )


def _write_picture(
    rng: np.random.Generator,
    tree: Tree,
    picture: Picture,
    density: int,
    film: Film,
    lesions: tuple[Lesion, ...],
    habits: Habits,
) -> PatientRows:
    """The film with its abnormalities of one kind. A film with both kinds is written twice, as CBIS-DDSM does."""
    film_row, film_path = file_film(tree.root, tree.namespace, picture, film.pixels)
    cases, series, latents = [], [film_row], []
    for lesion, mask in zip(lesions, film.masks, strict=True):
        if lesion.planned.kind is not picture.kind:
            continue
        number = lesion.planned.number
        roi = file_roi(rng, tree.root, tree.namespace, picture, number, film.pixels, mask, habits.separate_series)
        series += roi.series
        cases.append(_case(picture, density, lesion, film_path, roi.crop_path, roi.mask_path))
        ratio = float(log_likelihood_ratio(lesion.latents, tree.config.d_prime))
        latents.append(LatentRow(f"{picture.key}_{number}", tuple(map(float, lesion.latents)), ratio))
    return PatientRows(tuple(cases), tuple(series), tuple(latents))


def _case(picture: Picture, density: int, lesion: Lesion, film_path: str, crop_path: str, mask_path: str) -> CaseRow:
    return CaseRow(
        kind=picture.kind,
        published=picture.published,
        patient=picture.patient,
        density=density,
        laterality=picture.laterality,
        view=picture.view,
        number=lesion.planned.number,
        finding=lesion.finding,
        film_path=film_path,
        crop_path=crop_path,
        mask_path=mask_path,
    )
