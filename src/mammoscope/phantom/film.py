"""One film: tissue, lesions, what lies beside the breast, scanner. Transmission from 0, air, to 1, film base."""

from dataclasses import dataclass

import numpy as np

from mammoscope.phantom.geometry import Anatomy, Build, draw_anatomy
from mammoscope.phantom.habits import CBIS_DDSM
from mammoscope.phantom.lesions import Lesion, draw_patch, place
from mammoscope.phantom.nuisance import draw_nuisance
from mammoscope.phantom.patch import blend, roi_mask
from mammoscope.phantom.texture import draw_fields, draw_strands, fan_out
from mammoscope.vocabulary import Laterality, View

FAT, GLAND, MUSCLE = 0.34, 0.30, 0.82
THRESHOLD = {1: 3.1, 2: 2.05, 3: 1.15, 4: 0.2}  # by density class: tissue above it is glandular
SHOULDER = 0.75  # from here to 1 the film's response flattens
FOG, GRAIN, FULL_SCALE = 0.006, 0.004, 62000


@dataclass(frozen=True, slots=True)
class Film:
    pixels: np.ndarray  # uint16 (rows, columns)
    masks: tuple[np.ndarray, ...]  # uint8 0 or 255, one a lesion, in their order


def draw_film(
    rng: np.random.Generator,
    build: Build,
    density: int,
    lesions: tuple[Lesion, ...],
    laterality: Laterality,
    view: View,
    shape: tuple[int, int],
    mirrored: float = CBIS_DDSM.mirrored,
) -> Film:
    anatomy = draw_anatomy(rng, view, build, shape)
    tissue = draw_tissue(rng, anatomy, density)
    taken: list[tuple[float, float, float]] = []
    masks = []
    for lesion in lesions:
        taken.append(place(rng, anatomy, lesion, taken))
        patch = draw_patch(rng, lesion, taken[-1])
        blend(tissue, patch)
        masks.append(roi_mask(shape, patch))
    # Standard hanging: the chest wall of a left breast is on the left of the picture.
    on_left = (laterality is Laterality.left) != (rng.random() < mirrored)
    turn = np.s_[:, :] if on_left else np.s_[:, ::-1]
    exposed = _expose(tissue * rng.uniform(0.88, 1.06), anatomy.inside)[turn]
    draw_nuisance(rng, exposed, laterality, view)
    return Film(_scan(rng, exposed), tuple(np.ascontiguousarray(mask[turn]) for mask in masks))


def draw_tissue(rng: np.random.Generator, anatomy: Anatomy, density: int) -> np.ndarray:
    """Float32 (rows, columns), canonical, without lesions. density: BI-RADS 1 to 4."""
    rows = anatomy.inside.shape[0]
    field, fine = draw_fields(rng, anatomy.inside.shape)
    fine = fan_out(fine, anatomy.nipple, 2.6)
    gland = _gland(0.75 * field + 0.65 * fine, anatomy, density)
    lines = draw_strands(rng, field.shape, anatomy.nipple, 80)
    tissue = FAT + 0.03 * field + 0.02 * fine
    tissue += gland * (GLAND + 0.05 * fine + 0.04 * field) + (0.09 + 0.06 * gland) * lines
    tissue *= 1 - 0.85 * np.exp(-anatomy.skin_px / (0.04 * rows))
    tissue += anatomy.pectoral * (MUSCLE + 0.03 * field - tissue) * 0.75
    return tissue * anatomy.inside


def _gland(field: np.ndarray, anatomy: Anatomy, density: int) -> np.ndarray:
    """0 fat, 1 gland: behind the nipple, and never right under the skin."""
    rows, columns = field.shape
    row, column = anatomy.nipple
    down = (np.arange(rows, dtype=np.float32) - row + 0.03 * rows) / (0.27 * rows)
    across = (np.arange(columns, dtype=np.float32) - 0.58 * column) / (0.40 * column)
    bump = 1.6 * np.exp(-0.5 * down[:, None] ** 2) * np.exp(-0.5 * across[None] ** 2)
    return np.clip(anatomy.skin_px / (0.06 * rows), 0, 1) / (1 + np.exp((THRESHOLD[density] - field - bump) / 0.6))


def _expose(tissue: np.ndarray, inside: np.ndarray) -> np.ndarray:
    over = np.maximum(tissue - SHOULDER, 0)
    response = tissue - over + (1 - SHOULDER) * np.tanh(over / (1 - SHOULDER))
    return (np.maximum(response, 0) * (inside > 0)).astype(np.float32)  # what a lesion adds ends at the skin


def _scan(rng: np.random.Generator, exposed: np.ndarray) -> np.ndarray:
    grain = rng.standard_normal(exposed.shape, dtype=np.float32)
    return np.clip((exposed + FOG + GRAIN * grain) * FULL_SCALE, 0, 65535).astype(np.uint16)
