"""The best score that any observer can reach on the phantom, and the latents that it is known from.

Malignancy is carried by LATENTS numbers, normal with unit variance given the class and d' apart: benign around
-d'/2 along DIRECTION, malignant around +d'/2. All else in a film, a mask or a CSV is drawn from these latents or from
nothing, so nobody can beat their likelihood ratio.
"""

import math

import numpy as np

LATENTS = 2
DIRECTION = np.full(LATENTS, 1 / math.sqrt(LATENTS))


def ideal_auc(d_prime: float) -> float:
    """Phi(d'/sqrt 2): area under the ideal observer's ROC curve, a row an abnormality on a view."""
    return 0.5 * (1 + math.erf(d_prime / 2))


def log_likelihood_ratio(latents: np.ndarray, d_prime: float) -> np.ndarray:
    """log p(latents | malignant) - log p(latents | benign) of latents (..., LATENTS); shape (...)."""
    return d_prime * along_direction(latents)


def draw_latents(rng: np.random.Generator, malignant: bool, deviation: float, d_prime: float) -> np.ndarray:
    """Float64 (LATENTS,). deviation: a standard normal draw, where they lie along DIRECTION within their class."""
    noise = rng.standard_normal(LATENTS)
    along = (0.5 if malignant else -0.5) * d_prime + deviation
    return noise + (along - along_direction(noise)) * DIRECTION


def along_direction(latents: np.ndarray) -> np.ndarray:
    """Where latents (..., LATENTS) lie along DIRECTION; shape (...).

    Not by `@`: BLAS adds up in an order of its own on each make of CPU, and a phantom is to be the same anywhere.
    """
    return (np.asarray(latents) * DIRECTION).sum(axis=-1)
