"""Small sets of predictions, written as a table of rows."""

from collections.abc import Callable

import numpy as np
import pytest

from mammoscope.metrics.levels import Units
from mammoscope.records import Predictions
from mammoscope.vocabulary import Level, Partition

Row = tuple[str, str, str, str, int, float]  # patient, laterality, view, film, target, score


@pytest.fixture(scope="session")
def predictions_of() -> Callable[..., Predictions]:
    def build(
        rows: list[Row], *, finest: Level = Level.abnormality, partition: Partition = Partition.validation
    ) -> Predictions:
        patients, lateralities, views, films, targets, scores = zip(*rows, strict=True) if rows else [()] * 6
        return Predictions(
            partition=partition,
            finest=finest,
            ids=np.array([f"row_{number}" for number in range(len(rows))], dtype=np.str_),
            patients=np.array(patients, dtype=np.str_),
            lateralities=np.array(lateralities, dtype=np.str_),
            views=np.array(views, dtype=np.str_),
            kinds=np.array(["mass"] * len(rows), dtype=np.str_),
            films=np.array(films, dtype=np.str_),
            targets=np.array(targets, dtype=np.int8),
            scores=np.array(scores, dtype=np.float64),
        )

    return build


@pytest.fixture(scope="session")
def units_of() -> Callable[..., Units]:
    def build(targets: list[int], scores: list[float], patients: list[str] | None = None) -> Units:
        names = [f"P_{number:05d}" for number in range(len(targets))]
        return Units(
            level=Level.breast,
            keys=np.array(names, dtype=np.str_),
            patients=np.array(names if patients is None else patients, dtype=np.str_),
            targets=np.array(targets, dtype=np.int8),
            scores=np.array(scores, dtype=np.float64),
        )

    return build
