"""Masses: a body that is round, oval or lobulated, a margin, and spicules. Pure functions.

The two latents are free of scale, so that a window that is resized to the ROI shows them whatever the film's size:
the strength of the spicules relative to the body's contrast, and the width of the margin relative to its radius.
Everything else about a mass (shape, size, angle, contrast, the number of spicules) is drawn from nothing.
"""

from dataclasses import dataclass

import numpy as np

from mammoscope.phantom.patch import Patch, grid

SPICULATION, SPICULATION_STEP = 1.6, 0.22  # spicules' height over the body's: step x softplus(latent + offset)
MARGIN, MARGIN_STEP = 0.12, 0.40  # width of the margin over the radius at latent 0; growth (log) per unit
BODIES = ("ROUND", "OVAL", "LOBULATED")
GENEROSITY = 1.15  # a radiologist's outline runs a little outside of the body
REACH = 2.4  # radii; what a mass adds ends here


@dataclass(frozen=True, slots=True)
class Mass:
    shape: str  # ROUND, OVAL or LOBULATED: the body under its spicules
    angle: float
    radius_px: float
    contrast: float
    latents: tuple[float, float]


def draw_mass(rng: np.random.Generator, mass: Mass, centre: tuple[float, float]) -> Patch:
    """centre: (row, column) in px."""
    top, left, down, across = grid(centre, REACH * mass.radius_px)
    rho, theta = np.hypot(down, across) / mass.radius_px, np.arctan2(down, across)
    outline = _outline(rng, mass, theta)
    margin = MARGIN * np.exp(MARGIN_STEP * mass.latents[1])
    body = 1 / (1 + np.exp(np.clip((rho - outline) / (margin * 0.5), -30, 30)))
    spicules = _spicules(rng, down / mass.radius_px, across / mass.radius_px) * np.clip((rho - 0.5) / 0.4, 0, 1)
    strength = SPICULATION_STEP * np.log1p(np.exp(mass.latents[0] + SPICULATION))
    return Patch(
        top=top,
        left=left,
        added=(mass.contrast * (body + strength * spicules)).astype(np.float32),
        cover=np.maximum(0.6 * body, 0.45 * np.clip(REACH - rho, 0, 1)).astype(np.float32),
        roi=rho <= GENEROSITY * outline,
    )


def _outline(rng: np.random.Generator, mass: Mass, theta: np.ndarray) -> np.ndarray:
    """Radius of the body in each direction, at most about 1."""
    turned, ratio, lobes = theta - mass.angle, rng.uniform(0.92, 1.0), 0.0
    if mass.shape == "OVAL":
        ratio = rng.uniform(0.66, 0.8)
    elif mass.shape == "LOBULATED":
        ratio, lobes = rng.uniform(0.78, 0.95), rng.uniform(0.16, 0.26)
    oval = ratio / np.sqrt((ratio * np.cos(turned)) ** 2 + np.sin(turned) ** 2)
    # |cos| gives lobes that meet in notches, as lobulated masses have; its notches are rounded off a little.
    notches = np.sqrt(np.cos(0.5 * rng.integers(3, 6) * turned + rng.uniform(0, 6)) ** 2 + 0.02)
    uneven = sum(rng.normal(0, 0.03 / k) * np.cos(k * theta + rng.uniform(0, 2 * np.pi)) for k in range(2, 6))
    return oval * (1 - lobes + lobes * notches) + uneven


def _spicules(rng: np.random.Generator, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Tapering rays, 0 to about 1; down and across in radii."""
    count = int(rng.integers(14, 20))
    angle = 2 * np.pi * (np.arange(count) + rng.uniform(-0.42, 0.42, count)) / count + rng.uniform(0, 2 * np.pi)
    length, width = rng.uniform(1.5, REACH, count), rng.uniform(0.06, 0.085, count)
    bright, bend = rng.uniform(0.75, 1.0, count), rng.normal(0, 0.055, count)
    rays = np.zeros(down.shape, np.float32)
    for k in range(count):
        along = across * np.cos(angle[k]) + down * np.sin(angle[k])
        beside = down * np.cos(angle[k]) - across * np.sin(angle[k]) + bend[k] * along**2
        taper = np.clip(1 - along / length[k], 0, 1) * (along > 0)
        rays = np.maximum(rays, bright[k] * np.sqrt(taper) * np.exp(-((beside / width[k]) ** 2)))
    return rays
