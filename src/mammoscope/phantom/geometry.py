"""Outline, pectoral muscle and skin of one breast in one view. Pure functions; randomness arrives as an argument.

The canonical film has the chest wall at column 0. Lengths are fractions of the film's height until they become pixels,
so that a film of any size shows the same breast.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from mammoscope.vocabulary import View

# (row, depth) of the MLO's skin line: axilla, bulge, nipple, inframammary fold, abdomen. Fractions of height and depth.
MLO_ROWS = np.array([0.0, 0.16, 0.34, 0.50, 0.62, 0.73, 0.82, 0.885, 0.93, 1.0])
MLO_DEPTHS = np.array([0.50, 0.56, 0.74, 0.93, 1.0, 0.93, 0.70, 0.38, 0.20, 0.13])


@dataclass(frozen=True, slots=True)
class Build:
    """What the two views of one breast share. Fractions of the film's height."""

    depth: float  # chest wall to nipple
    width: float  # half of the CC's extent along the chest wall
    roundness: float  # exponent of the outline: 2 is an ellipse


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One view, canonical. Float32 arrays of (rows, columns)."""

    inside: np.ndarray  # 0 air, 1 breast, soft over a pixel
    skin_px: np.ndarray  # distance to the skin; 0 in air
    pectoral: np.ndarray  # 0 to 1; all 0 in CC
    nipple: tuple[float, float]  # row, column in px


def draw_build(rng: np.random.Generator, aspect: float) -> Build:
    """aspect: the film's width over its height."""
    size = rng.uniform(0.62, 0.9)
    return Build(
        depth=size * aspect * rng.uniform(0.92, 1.0), width=0.47 * size + 0.06, roundness=rng.uniform(1.75, 2.25)
    )


def draw_anatomy(rng: np.random.Generator, view: View, build: Build, shape: tuple[int, int]) -> Anatomy:
    rows, columns = shape
    skin = _cc_edge(rng, build, rows) if view is View.CC else _mlo_edge(rng, build, rows)
    row = int(np.argmax(skin))
    skin = skin + _nipple(rng, row / rows, rows) + _wobble(rng, rows) * np.clip(skin / 0.05, 0, 1)
    edge_px = np.clip(skin * rows, 0, columns * 0.97).astype(np.float32)
    reach = np.arange(columns, dtype=np.float32)[None]
    inside = np.clip(edge_px[:, None] - reach, 0, 1)
    skin_px = cv2.distanceTransform((inside > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    pectoral = np.zeros(shape, np.float32) if view is View.CC else _pectoral(rng, edge_px, shape)
    return Anatomy(inside, skin_px, pectoral, (float(row), float(edge_px[row])))


def _cc_edge(rng: np.random.Generator, build: Build, rows: int) -> np.ndarray:
    centre = 0.5 + rng.uniform(-0.03, 0.03)
    across = (np.arange(rows) / rows - centre) / build.width
    across = across + rng.uniform(-0.12, 0.12) * (1 - across**2)  # the nipple is rarely in the middle
    return build.depth * np.clip(1 - np.abs(across) ** build.roundness, 0, None) ** (1 / rng.uniform(1.6, 2.0))


def _mlo_edge(rng: np.random.Generator, build: Build, rows: int) -> np.ndarray:
    at = MLO_ROWS.copy()
    at[1:-1] += rng.uniform(-0.04, 0.04) + rng.uniform(-0.012, 0.012, len(at) - 2)
    depths = MLO_DEPTHS * rng.uniform(0.96, 1.04, len(at))
    depths[:2] *= rng.uniform(0.8, 1.2)
    return build.depth * 0.98 * PchipInterpolator(at, depths)(np.arange(rows) / rows)


def _nipple(rng: np.random.Generator, at: float, rows: int) -> np.ndarray:
    offset = (np.arange(rows) / rows - at) / rng.uniform(0.013, 0.02)
    return rng.uniform(0.004, 0.018) * np.exp(-(offset**4))


def _wobble(rng: np.random.Generator, rows: int) -> np.ndarray:
    turns = np.arange(3, 11)
    phase = rng.uniform(0, 2 * np.pi, len(turns))
    waves = np.sin(2 * np.pi * turns[:, None] * np.arange(rows)[None] / rows + phase[:, None])
    return (0.009 / turns[:, None] * waves).sum(axis=0)


def _pectoral(rng: np.random.Generator, edge_px: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = shape
    top = rng.uniform(0.55, 0.85) * float(edge_px[: rows // 8].mean())
    end, bow = rng.uniform(0.42, 0.7) * rows, rng.uniform(0.8, 1.25)
    down = np.clip(1 - np.arange(rows, dtype=np.float32) / end, 0, 1)
    softness = rng.uniform(0.004, 0.011) * rows
    border = (top + 6 * softness) * down**bow - 6 * softness
    across = (border[:, None] - np.arange(columns, dtype=np.float32)[None]) / softness
    return (1 / (1 + np.exp(-np.clip(across, -20, 20)))).astype(np.float32)
