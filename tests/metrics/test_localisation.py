import numpy as np
import pytest

from mammoscope.metrics.localisation import localisation

PATIENTS = np.repeat([f"P_{n:05d}" for n in range(30)], 2)


def found(peak: np.ndarray, bright: np.ndarray):
    return localisation(
        {"peak": peak, "bright": bright},
        PATIENTS,
        blind="bright",
        models=("peak",),
        rng=np.random.default_rng(0),
        replicates=500,
    )


def test_shares_and_gain_are_those_of_the_images():
    peak, bright = np.arange(60) % 4 != 0, np.arange(60) % 3 == 0
    result = found(peak, bright)
    assert result.shares["peak"].value == pytest.approx(0.75)
    assert result.gains["peak"].value == pytest.approx(0.75 - 1 / 3)
    assert result.shares["peak"].low < 0.75 < result.shares["peak"].high
    assert (result.n, result.patients) == (60, 30)
    assert result.flat()["peak_over_bright"] == pytest.approx(0.75 - 1 / 3)


def test_the_gain_is_paired():
    """Who points where the other points gains nothing, however uncertain the share of either is."""
    same = np.arange(60) % 2 == 0
    gain = found(same, same).gains["peak"]
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


def test_images_of_one_patient_come_together():
    """Both images of a patient agree here, so the interval is that of 30 and not of 60."""
    by_patient = np.repeat(np.arange(30) % 2 == 0, 2)
    share = found(by_patient, by_patient).shares["peak"]
    assert share.high - share.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(30), rel=0.15)
