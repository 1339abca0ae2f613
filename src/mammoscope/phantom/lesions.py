"""From a planned abnormality to a finding that two views share, and from a finding to a patch on one film."""

from dataclasses import dataclass

import numpy as np

from mammoscope.phantom import clinical
from mammoscope.phantom.calcifications import Cluster, draw_cluster
from mammoscope.phantom.clinical import Finding
from mammoscope.phantom.geometry import Anatomy
from mammoscope.phantom.habits import CBIS_DDSM, Habits
from mammoscope.phantom.ideal import draw_latents
from mammoscope.phantom.masses import BODIES, Mass, draw_mass
from mammoscope.phantom.patch import Patch
from mammoscope.phantom.plan import PlannedAbnormality
from mammoscope.vocabulary import AbnormalityKind

RADIUS = (0.032, 0.055)  # fractions of the film's height; the upper end comes down where a breast has several
CONTRAST = {AbnormalityKind.mass: (0.17, 0.26), AbnormalityKind.calc: (0.2, 0.4)}
RATIO = (0.6, 1.0)
CLEAR = 1.3  # radii between centre and skin
BODIES_APART = 3.6  # mean radii between two centres: neither body then lies in the other's usual window
PLACES = 240


@dataclass(frozen=True, slots=True)
class Lesion:
    """One abnormality, as both views show it. radius and depth: fractions of the film's height and of the breast's."""

    planned: PlannedAbnormality
    latents: np.ndarray
    finding: Finding
    body: str  # of a mass
    ratio: float  # of a cluster's region
    radius: float
    contrast: float
    depth: float


def draw_lesion(
    rng: np.random.Generator,
    planned: PlannedAbnormality,
    d_prime: float,
    crowd: int,
    habits: Habits = CBIS_DDSM,
) -> Lesion:
    """crowd: how many abnormalities the breast has."""
    latents = draw_latents(rng, planned.malignant, planned.deviation, d_prime)
    low, high = CONTRAST[planned.kind]
    visibility, body, ratio = rng.random(), str(rng.choice(BODIES)), rng.uniform(*RATIO)
    return Lesion(
        planned=planned,
        latents=latents,
        finding=_write_up(rng, planned, latents, d_prime, visibility, body, ratio, habits.incomplete[planned.kind]),
        body=body,
        ratio=ratio,
        radius=rng.uniform(RADIUS[0], RADIUS[1] - 0.007 * min(crowd - 1, 2)),
        contrast=low + (high - low) * visibility,
        depth=rng.uniform(0.35, 0.78),
    )


def _write_up(
    rng: np.random.Generator,
    planned: PlannedAbnormality,
    latents: np.ndarray,
    d_prime: float,
    visibility: float,
    body: str,
    ratio: float,
    incomplete: float,
) -> Finding:
    impression = clinical.read_impression(rng, planned.kind, latents)
    if planned.kind is AbnormalityKind.mass:
        descriptors = clinical.describe_mass(rng, body, latents)
    else:
        descriptors = clinical.describe_cluster(rng, ratio, latents)
    return Finding(
        pathology=clinical.judge(planned.kind, planned.malignant, impression, d_prime),
        assessment=clinical.assess(rng, planned.kind, impression, d_prime, incomplete),
        subtlety=clinical.rate_subtlety(rng, visibility),
        descriptor_1=descriptors[0],
        descriptor_2=descriptors[1],
    )


def place(
    rng: np.random.Generator, anatomy: Anatomy, lesion: Lesion, taken: list[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """(row, column, radius) in px: at the lesion's depth, off skin, film edges, muscle and what is there already.

    The first of many random places that is free; where none is, the one that is nearest to it.
    """
    rows, columns = anatomy.inside.shape
    radius = lesion.radius * rows
    row = rng.uniform(0.04 * rows, 0.96 * rows, PLACES)
    spread = np.linspace(0, 0.25, PLACES)  # the depth gives way as places run out
    column = np.clip(anatomy.nipple[1] * (lesion.depth + spread * rng.normal(size=PLACES)), 0, columns - 1)
    at = row.astype(int), column.astype(int)
    room = np.minimum(anatomy.skin_px[at] / (CLEAR * radius), column / (1.6 * radius))
    room = np.minimum(room, np.minimum(row, rows - row) / (CLEAR * radius))
    room = np.minimum(room, 1.1 - anatomy.pectoral[at])
    for other_row, other_column, other_radius in taken:
        apart = np.maximum(np.abs(row - other_row), np.abs(column - other_column))
        room = np.minimum(room, apart / (BODIES_APART / 2 * (radius + other_radius)))
    best = int(np.argmax(np.minimum(room, 1)))
    return float(row[best]), float(column[best]), radius


def draw_patch(rng: np.random.Generator, lesion: Lesion, where: tuple[float, float, float]) -> Patch:
    row, column, radius = where
    angle, latents = rng.uniform(0, np.pi), (float(lesion.latents[0]), float(lesion.latents[1]))
    if lesion.planned.kind is AbnormalityKind.mass:
        return draw_mass(rng, Mass(lesion.body, angle, radius, lesion.contrast, latents), (row, column))
    return draw_cluster(rng, Cluster(lesion.ratio, angle, radius, lesion.contrast, latents), (row, column))
