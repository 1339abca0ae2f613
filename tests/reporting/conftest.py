"""One small validation partition, and the evidence of it."""

import numpy as np
import pytest

from mammoscope.metrics.evidence import Evidence, gather_evidence
from mammoscope.records import Predictions
from mammoscope.vocabulary import Level, Partition


@pytest.fixture(scope="session")
def predictions() -> Predictions:
    """60 patients, both views of the left breast, one abnormality: 120 rows, 40 malignant."""
    rng = np.random.default_rng(0)
    patients = np.repeat([f"P_{number:05d}" for number in range(60)], 2)
    views = np.tile(["CC", "MLO"], 60)
    targets = np.repeat(np.arange(60) % 3 == 0, 2).astype(np.int8)
    return Predictions(
        partition=Partition.validation,
        finest=Level.abnormality,
        ids=np.array([f"Mass-Training_{p}_LEFT_{v}_1" for p, v in zip(patients, views, strict=True)]),
        patients=patients,
        lateralities=np.full(120, "left"),
        views=views,
        kinds=np.full(120, "mass"),
        films=np.array([f"{number:032x}" for number in range(120)]),
        targets=targets,
        scores=1 / (1 + np.exp(1 - 2 * targets - rng.normal(size=120))),
    )


@pytest.fixture(scope="session")
def evidence(predictions) -> Evidence:
    return gather_evidence(predictions, thresholds=None, rng=np.random.default_rng(0), replicates=200)
