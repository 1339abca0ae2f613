"""Another scorer on the same rows, so that a model is never shown beside a number of other units."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mammoscope.errors import MammoscopeError
from mammoscope.records import Predictions


def with_scores(predictions: Predictions, scores_by_id: Mapping[str, float]) -> Predictions:
    """The same rows as another scorer sees them, such as the phantom's ideal observer.

    Where its scores are no probabilities (log-likelihood ratios), only what ranks them can be asked: AUC, curves.

    Raises MammoscopeError where an id has no score.
    """
    missing = [id for id in predictions.ids.tolist() if id not in scores_by_id]
    if missing:
        raise MammoscopeError(
            f"id {missing[0]} of the {predictions.partition} partition has no score "
            f"({len(missing)} of {len(predictions)} are missing); allowed is one for every row"
        )
    scores = np.array([scores_by_id[id] for id in predictions.ids.tolist()], dtype=np.float64)
    return replace(predictions, scores=scores, classes=None)
