"""What mattered in a designed experiment: main effects and interactions of two factors, with intervals.

value = mean + block + main effects + interactions of two + rest, by ordinary least squares in sum-to-zero coding
(Montgomery, Design and Analysis of Experiments, chapters 4 and 5). An effect is about means in which all combinations
of the other factors count alike, however many of their values are missing. The rest holds what repetitions differ by,
and what three or more factors do together; its variance is taken to be one for all combinations.

Blocks are what values have in common beside the factors: the place of a training's seed. As an effect of its own, a
block takes its luck out of every comparison. What all blocks share is in no variance: the intervals speak of repeating
the trainings on these patients, not of other patients. A factor that changes who is scored changes the patients too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod, sqrt

import numpy as np
from scipy import stats

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.factorial_design import Observation, Omitted, Part, design_of, matrix_of

COVERAGE = 0.95
NOTHING = 1e-20  # a sum of squares that is rounding, as a share of the values' own


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Of one level, or of two levels together beyond what each does alone; in the values' unit."""

    factors: tuple[str, ...]  # one or two
    levels: tuple[str, ...]  # one of each
    n: int  # values with these levels
    mean: float  # with these levels, by the model
    value: float  # adds up to zero over the levels of each factor
    low: float  # of the 95 % t-interval, of this effect alone
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """All effects of one factor, or of two together, or of the blocks."""

    factors: tuple[str, ...]  # none: the blocks
    df: int
    sum_of_squares: float  # type III: what the model explains less without it, all else in
    f: float
    p: float
    share: float  # of variance: partial omega squared (Olejnik and Algina 2003, doi:10.1037/1082-989X.8.4.434), 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LackOfFit:
    """What three or more factors do together, tested against what repetitions of one combination differ by."""

    df: int
    sum_of_squares: float
    pure_error_df: int
    f: float
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorialAnalysis:
    factors: Mapping[str, tuple[str, ...]]  # with the levels that were seen, two or more
    n: int
    combinations: int  # seen
    blocks: tuple[str, ...]  # none: the model has no blocks
    mean: float  # of all combinations alike, and all blocks
    residual_df: int
    residual_sd: float  # of one training, in the values' unit
    effects: tuple[Effect, ...]  # as factors and their levels stand
    interactions: tuple[Effect, ...]
    terms: tuple[Term, ...]  # of one factor each, then of two
    block: Term | None
    lack_of_fit: LackOfFit | None  # None where no repetitions differ, or the model has all interactions
    omitted: tuple[Omitted, ...]
    unseen: tuple[tuple[str, str], ...]  # (factor, level) without a value

    @property
    def planned(self) -> int:
        """Combinations of the levels that were seen."""
        return prod(map(len, self.factors.values()))

    def term(self, *factors: str) -> Term:
        return next(term for term in self.terms if term.factors == factors)


@dataclass(frozen=True, slots=True)
class _Fit:
    coefficients: np.ndarray  # (columns,), the mean first
    covariance: np.ndarray  # (columns, columns), for a variance of 1
    places: Mapping[tuple[str, ...], slice]
    residual: float  # sum of squares
    df: int  # of it
    quantile: float  # of Student's t: half an interval in standard errors

    @property
    def variance(self) -> float:
        return self.residual / self.df

    def of(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        place = self.places[part.factors]
        return self.coefficients[place], self.covariance[place, place]


def analyse_factorial(factors: Mapping[str, Sequence[str]], observations: Sequence[Observation]) -> FactorialAnalysis:
    """factors: all levels, as they are to be shown. Combinations may be missing, and repeated unequally often.

    Blocks are in the model where every value has one and the factors do not determine it. Interactions that cannot be
    estimated are left out: what is said of the others then holds if there are none.

    Raises MammoscopeError, which says what is missing: for a value that is not finite or without a level of a factor,
    where main effects cannot be told apart, and where nothing is left that would tell how far repetitions differ.
    """
    design = design_of(factors, observations)
    values = np.array([observation.value for observation in observations])
    fit = _fit(design.parts, values)
    terms = [_term(fit, part, len(values)) for part in design.parts]
    ones = [_effects(fit, part, [part]) for part in design.mains]
    by_factor = {part.factors: part for part in design.mains}
    twos = [_effects(fit, part, [*(by_factor[name,] for name in part.factors), part]) for part in design.pairs]
    cells = np.unique(np.array([part.cells for part in design.mains]), axis=1, return_inverse=True)[1].ravel()
    return FactorialAnalysis(
        factors=design.factors,
        n=len(values),
        combinations=int(cells.max()) + 1,
        blocks=() if design.block is None else tuple(level for (level,) in design.block.levels),
        mean=float(fit.coefficients[0]),
        residual_df=fit.df,
        residual_sd=sqrt(fit.variance),
        effects=tuple(chain.from_iterable(ones)),
        interactions=tuple(chain.from_iterable(twos)),
        terms=tuple(term for term in terms if term.factors),
        block=None if design.block is None else terms[-1],
        lack_of_fit=_lack_of_fit(fit, cells, values, design.block),
        omitted=design.omitted,
        unseen=design.unseen,
    )


def _fit(parts: Sequence[Part], values: np.ndarray) -> _Fit:
    matrix, places = matrix_of(parts, len(values))
    df = len(values) - matrix.shape[1]
    if df < 1:
        raise MammoscopeError(
            f"effects: {len(values)} values for a model of {matrix.shape[1]} numbers leave nothing that would tell how "
            "far repetitions differ; missing: more seeds of each combination"
        )
    q, r = np.linalg.qr(matrix)
    coefficients = np.linalg.solve(r, q.T @ values)
    residual = float(np.sum((values - matrix @ coefficients) ** 2))
    if residual <= NOTHING * np.sum(values**2):
        raise MammoscopeError(
            f"effects: {len(values)} values that the factors explain to the last digit tell nothing of how far "
            "repetitions differ; missing: values that differ from seed to seed"
        )
    inverse = np.linalg.inv(r)
    quantile = float(stats.t.ppf((1 + COVERAGE) / 2, df))
    return _Fit(coefficients, inverse @ inverse.T, places, residual, df, quantile)


def _effects(fit: _Fit, part: Part, within: Sequence[Part]) -> list[Effect]:
    """within: the parts of which the mean of its levels is made, itself included."""
    coefficients, covariance = fit.of(part)
    values = part.coding @ coefficients
    variances = np.einsum("ij,jk,ik->i", part.coding, covariance, part.coding) * fit.variance
    halves = fit.quantile * np.sqrt(variances)
    counts = np.bincount(part.cells, minlength=len(part.levels))
    made_of = [(one, dict(zip(one.levels, (one.coding @ fit.of(one)[0]).tolist(), strict=True))) for one in within]
    effects = []
    for levels, n, value, half in zip(part.levels, counts.tolist(), values.tolist(), halves.tolist(), strict=True):
        level_of = dict(zip(part.factors, levels, strict=True))
        alone = [of[tuple(level_of[name] for name in one.factors)] for one, of in made_of]
        mean, low, high = float(fit.coefficients[0]) + sum(alone), value - half, value + half
        effects.append(Effect(factors=part.factors, levels=levels, n=n, mean=mean, value=value, low=low, high=high))
    return effects


def _term(fit: _Fit, part: Part, n: int) -> Term:
    coefficients, covariance = fit.of(part)
    df = len(coefficients)
    squares = float(coefficients @ np.linalg.solve(covariance, coefficients))
    f = squares / df / fit.variance
    share = max(0.0, df * (f - 1) / (df * (f - 1) + n))
    p = float(stats.f.sf(f, df, fit.df))
    return Term(factors=part.factors, df=df, sum_of_squares=squares, f=f, p=p, share=share)


def _lack_of_fit(fit: _Fit, cells: np.ndarray, values: np.ndarray, block: Part | None) -> LackOfFit | None:
    """Pure error: what is left within combinations, less what blocks explain there."""
    columns = [values[:, None]] if block is None else [values[:, None], block.columns]
    table = np.hstack(columns)
    counts = np.bincount(cells)[:, None]
    means = np.stack([np.bincount(cells, column) for column in table.T], axis=1) / counts
    within = table - means[cells]
    coefficients, _, rank, _ = np.linalg.lstsq(within[:, 1:], within[:, 0], rcond=1e-9)
    error_df = len(values) - len(counts) - int(rank)
    df = fit.df - error_df
    pure = float(np.sum((within[:, 0] - within[:, 1:] @ coefficients) ** 2))
    if df < 1 or error_df < 1 or pure <= NOTHING * np.sum(values**2):
        return None
    squares = max(0.0, fit.residual - pure)
    f = squares / df / (pure / error_df)
    return LackOfFit(df=df, sum_of_squares=squares, pure_error_df=error_df, f=f, p=float(stats.f.sf(f, df, error_df)))
