"""All that one patient adds to the tree: files, rows of the CSVs, rows of the sidecar."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.config import PhantomConfig
from mammoscope.phantom.filing import Picture, file_film, file_roi
from mammoscope.phantom.film import Film, draw_film
from mammoscope.phantom.geometry import draw_build
from mammoscope.phantom.ideal import log_likelihood_ratio
from mammoscope.phantom.lesions import Lesion, draw_lesion
from mammoscope.phantom.marker import LatentRow
from mammoscope.phantom.plan import PlannedPatient
from mammoscope.phantom.tables import CaseRow, SeriesRow

DENSITIES, DENSITY_SHARES = (1, 2, 3, 4), (0.18, 0.40, 0.28, 0.14)


@dataclass(frozen=True, slots=True)
class PatientRows:
    cases: tuple[CaseRow, ...]
    series: tuple[SeriesRow, ...]
    latents: tuple[LatentRow, ...]


def write_patient(root: Path, config: PhantomConfig, planned: PlannedPatient) -> PatientRows:
    """Draw and write one patient. Depends on nothing but the config and the patient's number."""
    rng = np.random.default_rng([config.seed, 1, planned.number])
    density = int(rng.choice(DENSITIES, p=DENSITY_SHARES))
    parts = []
    for breast in planned.breasts:
        build = draw_build(rng, config.width_px / config.height_px)
        lesions = tuple(
            draw_lesion(rng, finding, config.d_prime, len(breast.abnormalities)) for finding in breast.abnormalities
        )
        for view in breast.views:
            shape = (config.height_px, config.width_px)
            film = draw_film(rng, build, density, lesions, breast.laterality, view, shape)
            for kind, published in planned.published:
                if breast.of_kind(kind):
                    picture = Picture(kind, published, planned.name, breast.laterality, view)
                    parts.append(_write_picture(rng, root, config, picture, density, film, lesions))
    return PatientRows(
        cases=tuple(row for part in parts for row in part.cases),
        series=tuple(row for part in parts for row in part.series),
        latents=tuple(row for part in parts for row in part.latents),
    )


def _write_picture(
    rng: np.random.Generator,
    root: Path,
    config: PhantomConfig,
    picture: Picture,
    density: int,
    film: Film,
    lesions: tuple[Lesion, ...],
) -> PatientRows:
    """The film with its abnormalities of one kind. A film with both kinds is written twice, as CBIS-DDSM does."""
    namespace = repr(config)
    film_row, film_path = file_film(root, namespace, picture, film.pixels)
    cases, series, latents = [], [film_row], []
    for lesion, mask in zip(lesions, film.masks, strict=True):
        if lesion.planned.kind is not picture.kind:
            continue
        roi = file_roi(rng, root, namespace, picture, lesion.planned.number, film.pixels, mask)
        series += roi.series
        cases.append(_case(picture, density, lesion, film_path, roi.crop_path, roi.mask_path))
        ratio = float(log_likelihood_ratio(lesion.latents, config.d_prime))
        key = f"{picture.key}_{lesion.planned.number}"
        latents.append(LatentRow(key, tuple(map(float, lesion.latents)), ratio))
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
