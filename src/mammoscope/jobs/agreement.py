"""Two runs of one config: whether they came to the same, to the last bit or nearly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mammoscope.records import Predictions

# What a training must come to again; what else a run holds tells of clocks and machines, or was evaluated later.
REPEATED = re.compile(r"(epoch|step|validation)/(?!.*images_per_s)|kept/epoch$")
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    predictions: Predictions  # of validation
    metrics: Values  # the last value of each
    weights: str | None  # their digest; None where it is not known


class Verdict(StrEnum):
    bit_equal = "bit-equal"
    within = "within tolerance"
    differs = "differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    scores: float  # the largest difference of two scores or class probabilities; infinite where the rows are others
    metrics: float  # the largest difference of two metrics' last values; infinite where one lacks some
    metric: str  # which that is
    same_weights: bool | None  # None: not known of one of the runs

    def verdict(self, tolerance: float) -> Verdict:
        if self.scores == self.metrics == 0 and self.same_weights is not False:
            return Verdict.bit_equal
        return Verdict.within if max(self.scores, self.metrics) <= tolerance else Verdict.differs

    def in_words(self) -> str:
        weights = {True: "the same", False: "others", None: "not compared, for one run does not know its own"}
        where = f" ({self.metric})" if self.metric else ""
        return (
            f"scores differ by at most {self.scores:.3g}, metrics by at most {self.metrics:.3g}{where}; "
            f"the weights are {weights[self.same_weights]}"
        )


def compare(first: Outcome, second: Outcome) -> Agreement:
    metric, difference = _largest(_repeated(first.metrics), _repeated(second.metrics))
    return Agreement(
        scores=_scores_differ(first.predictions, second.predictions),
        metrics=difference,
        metric=metric,
        same_weights=first.weights == second.weights if first.weights and second.weights else None,
    )


def _repeated(metrics: Values) -> Values:
    return {key: value for key, value in metrics.items() if REPEATED.match(key)}


def _largest(first: Values, second: Values) -> tuple[str, float]:
    """Blank and 0 where all are the same."""
    if alone := sorted(first.keys() ^ second.keys()):
        return f"{alone[0]} is in one of them only", float("inf")
    differences = {key: abs(first[key] - second[key]) for key in first}
    worst = max(differences, key=lambda key: differences[key], default="")
    return (worst, differences[worst]) if worst and differences[worst] else ("", 0.0)


def _scores_differ(first: Predictions, second: Predictions) -> float:
    if not np.array_equal(first.ids, second.ids) or (first.classes is None) != (second.classes is None):
        return float("inf")
    differences = np.abs(first.scores - second.scores).max(initial=0.0)
    if first.classes is not None and second.classes is not None:
        if first.classes.names != second.classes.names:
            return float("inf")
        both = first.classes.probabilities - second.classes.probabilities
        differences = max(differences, np.abs(both).max(initial=0.0))
    return float(differences)
