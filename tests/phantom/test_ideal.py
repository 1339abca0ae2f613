import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from mammoscope.phantom.ideal import DIRECTION, LATENTS, draw_latents, ideal_auc, log_likelihood_ratio


def draw(d_prime: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    malignant = rng.random(count) < 0.45
    deviation = rng.standard_normal(count)
    return np.array([draw_latents(rng, m, d, d_prime) for m, d in zip(malignant, deviation, strict=True)]), malignant


@pytest.mark.parametrize("d_prime", [0.5, 1.8, 3.0])
def test_ideal_auc_is_phi_of_d_prime_over_root_two(d_prime: float):
    assert ideal_auc(d_prime) == pytest.approx(norm.cdf(d_prime / np.sqrt(2)), abs=1e-12)


@pytest.mark.parametrize("d_prime", [0.5, 1.8])
def test_latents_are_normal_given_the_class_and_d_prime_apart(d_prime: float):
    latents, malignant = draw(d_prime)
    for truth, mean in ((True, 0.5 * d_prime * DIRECTION), (False, -0.5 * d_prime * DIRECTION)):
        own = latents[malignant == truth]
        np.testing.assert_allclose(own.mean(axis=0), mean, atol=0.04)
        np.testing.assert_allclose(np.cov(own.T), np.eye(LATENTS), atol=0.05)
    auc = roc_auc_score(malignant, log_likelihood_ratio(latents, d_prime))
    assert auc == pytest.approx(ideal_auc(d_prime), abs=0.01)


def test_the_ratio_is_that_of_the_two_densities():
    latents = np.random.default_rng(0).normal(size=(7, LATENTS))
    mean = 0.9 * DIRECTION
    expected = norm.logpdf(latents, mean).sum(axis=1) - norm.logpdf(latents, -mean).sum(axis=1)
    np.testing.assert_allclose(log_likelihood_ratio(latents, 1.8), expected, atol=1e-12)
