"""Effects of a designed experiment: against a calculation by hand, scipy, planted effects, and their own promises."""

from dataclasses import replace
from itertools import product
from math import acos, cos, sqrt

import numpy as np
import pytest
from scipy import stats

from mammoscope.errors import MammoscopeError
from mammoscope.metrics.factorial import FactorialAnalysis, analyse_factorial
from mammoscope.metrics.factorial_design import Observation, Omitted

FACTORS = {"kind": ("mass", "calc"), "view": ("cc", "mlo", "both"), "model": ("small", "medium", "large")}
SEEDS = 3
KIND, VIEW, MODEL = (
    {"mass": 0.03, "calc": -0.03},
    {"cc": -0.02, "mlo": 0.005, "both": 0.015},
    {"small": 0.0, "medium": 0.0, "large": 0.0},
)
KIND_VIEW = dict(zip(product(*list(FACTORS.values())[:2]), (0.01, -0.004, -0.006, -0.01, 0.004, 0.006), strict=True))


def experiment(
    rng: np.random.Generator, *, missing: int = 0, noise: float = 0.02, planted: float = 1.0
) -> list[Observation]:
    """Every combination with three seeds, whose luck is larger than all else; `missing` combinations failed."""
    combinations = list(product(*FACTORS.values()))
    failed = {combinations[place] for place in rng.choice(len(combinations), size=missing, replace=False)}
    luck = rng.normal(0, 0.1, SEEDS)
    return [
        Observation(
            levels=dict(zip(FACTORS, levels, strict=True)),
            value=0.8
            + planted * (KIND[levels[0]] + VIEW[levels[1]] + MODEL[levels[2]] + KIND_VIEW[levels[:2]])
            + luck[seed]
            + rng.normal(0, noise),
            block=str(seed),
        )
        for levels in combinations
        if levels not in failed
        for seed in range(SEEDS)
    ]


def values_of(analysis: FactorialAnalysis) -> dict[tuple[str, ...], float]:
    return {effect.levels: effect.value for effect in (*analysis.effects, *analysis.interactions)}


def two_by_two() -> list[Observation]:
    cells = {("a1", "b1"): (10, 12), ("a1", "b2"): (14, 16), ("a2", "b1"): (20, 22), ("a2", "b2"): (30, 34)}
    return [
        Observation(levels={"a": a, "b": b}, value=float(value)) for (a, b), values in cells.items() for value in values
    ]


def test_a_two_by_two_is_as_by_hand():
    found = analyse_factorial({"a": ("a1", "a2"), "b": ("b1", "b2")}, two_by_two())
    close = {"rel": 1e-12, "abs": 1e-12}
    assert found.mean == pytest.approx(19.75, **close)
    assert values_of(found) == pytest.approx(
        {("a1",): -6.75, ("a2",): 6.75, ("b1",): -3.75, ("b2",): 3.75}
        | {("a1", "b1"): 1.75, ("a1", "b2"): -1.75, ("a2", "b1"): -1.75, ("a2", "b2"): 1.75},
        **close,
    )
    assert [effect.mean for effect in found.effects] == pytest.approx([13, 26.5, 16, 23.5], **close)
    assert [effect.mean for effect in found.interactions] == pytest.approx([11, 15, 21, 32], **close)
    assert [effect.n for effect in (*found.effects, *found.interactions)] == [4] * 4 + [2] * 4
    assert [term.sum_of_squares for term in found.terms] == pytest.approx([364.5, 112.5, 24.5], **close)
    assert [term.f for term in found.terms] == pytest.approx([364.5 / 3.5, 112.5 / 3.5, 7], **close)
    assert found.term("a", "b").share == pytest.approx(6 / (6 + 8), **close)
    assert (found.residual_df, found.residual_sd) == (4, pytest.approx(sqrt(3.5), **close))
    # Student's t of four degrees of freedom has a quantile and a distribution function in closed form
    a = 4 * 0.975 * 0.025
    half = 2 * sqrt(cos(acos(sqrt(a)) / 3) / sqrt(a) - 1) * sqrt(3.5 / 8)
    assert [(e.high - e.value, e.value - e.low) for e in found.effects] == [pytest.approx((half, half), **close)] * 4
    squared = 7 / (1 + 7 / 4)
    assert found.term("a", "b").p == pytest.approx(1 - 0.75 * sqrt(squared) * (1 - squared / 12), **close)
    assert found.lack_of_fit is None  # with every interaction in the model there is nothing to lack


def test_one_factor_is_the_one_way_analysis_of_variance():
    rng = np.random.default_rng(0)
    groups = [rng.normal(mean, 1, n) for mean, n in ((0, 5), (1, 9), (0.5, 3))]
    levels = ("x", "y", "z")
    observations = [
        Observation(levels={"a": level}, value=float(value))
        for level, group in zip(levels, groups, strict=True)
        for value in group
    ]
    found = analyse_factorial({"a": levels}, observations)
    f, p = stats.f_oneway(*groups)
    assert (found.term("a").f, found.term("a").p) == pytest.approx((f, p), rel=1e-10)
    assert found.mean == pytest.approx(np.mean([group.mean() for group in groups]))  # levels alike, not values
    assert not found.interactions


def test_two_levels_with_blocks_are_the_paired_t_test():
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 3, 8)
    pairs = {level: luck + shift + rng.normal(0, 1, 8) for level, shift in (("x", 0), ("y", 0.7))}
    observations = [
        Observation(levels={"a": level}, value=float(value), block=f"seed {seed}")
        for level, values in pairs.items()
        for seed, value in enumerate(values)
    ]
    found = analyse_factorial({"a": ("x", "y")}, observations)
    test = stats.ttest_rel(pairs["x"], pairs["y"])
    low, high = test.confidence_interval(0.95)
    assert found.term("a").p == pytest.approx(test.pvalue, rel=1e-10)
    first = found.effects[0]
    assert (2 * first.low, 2 * first.high) == pytest.approx((low, high), rel=1e-10)
    unblocked = analyse_factorial({"a": ("x", "y")}, [replace(one, block=None) for one in observations])
    assert (unblocked.blocks, unblocked.block) == ((), None)
    assert unblocked.term("a").p == pytest.approx(stats.ttest_ind(pairs["x"], pairs["y"]).pvalue, rel=1e-10)


@pytest.mark.parametrize("missing", [0, 2])
def test_planted_effects_come_back(missing):
    found = analyse_factorial(FACTORS, experiment(np.random.default_rng(2), missing=missing, noise=1e-6))
    planted = {(level,): value for of in (KIND, VIEW, MODEL) for level, value in of.items()} | KIND_VIEW
    values = values_of(found)
    assert {levels: values[levels] for levels in planted} == pytest.approx(planted, abs=5e-6)
    others = [value for levels, value in values.items() if levels not in planted]
    assert others == pytest.approx([0] * len(others), abs=5e-6)
    assert found.combinations == 18 - missing
    assert (found.planned, found.blocks, found.omitted) == (18, ("0", "1", "2"), ())
    assert found.term("kind", "view").p < 1e-12
    assert found.block is not None


def test_values_that_are_missing_do_not_weigh_the_means():
    """Of two factors with every interaction, a level's mean is that of its cells' means, however full they are."""
    observations = two_by_two()[:-1] + [Observation(levels={"a": "a1", "b": "b1"}, value=14.0)] * 2
    found = analyse_factorial({"a": ("a1", "a2"), "b": ("b1", "b2")}, observations)
    assert [effect.mean for effect in found.effects] == pytest.approx([(12.5 + 15) / 2, 25.5, (12.5 + 21) / 2, 22.5])


def test_sums_of_squares_are_what_the_model_loses_without_the_term():
    observations = experiment(np.random.default_rng(3), missing=2)
    assert len({tuple(one.levels.values()) for one in observations}) == 16
    found = analyse_factorial(FACTORS, observations)

    def dummies(levels: tuple[str, ...], chosen: list[str]) -> np.ndarray:
        return np.array([[(one == level) - (one == levels[0]) for level in levels[1:]] for one in chosen], dtype=float)

    columns = {(name,): dummies(levels, [one.levels[name] for one in observations]) for name, levels in FACTORS.items()}
    for one, other in (("kind", "view"), ("kind", "model"), ("view", "model")):
        both = np.einsum("ni,nj->nij", columns[one,], columns[other,])
        columns[one, other] = both.reshape(len(observations), -1)
    columns[()] = dummies(("0", "1", "2"), [str(one.block) for one in observations])
    values = np.array([one.value for one in observations])

    def left(without: tuple[str, ...] | None) -> float:
        matrix = np.hstack([np.ones((len(values), 1)), *(part for name, part in columns.items() if name != without)])
        return float(np.sum((values - matrix @ np.linalg.lstsq(matrix, values, rcond=None)[0]) ** 2))

    assert found.residual_sd**2 * found.residual_df == pytest.approx(left(None))
    for term in (*found.terms, found.block):
        assert term.sum_of_squares == pytest.approx(left(term.factors) - left(None), rel=1e-8)


def test_intervals_cover_what_was_planted_as_often_as_they_say_and_null_p_values_are_uniform():
    covered, no_effects, no_threes = [], [], []
    for seed in range(420):
        found = analyse_factorial(FACTORS, experiment(np.random.default_rng([4, seed]), missing=seed % 3))
        if found.omitted:
            continue
        kind, view = found.effects[0], found.effects[4]
        both = found.interactions[1]
        truths = (KIND["mass"], VIEW["both"], KIND_VIEW["mass", "mlo"])
        covered.append([e.low <= truth <= e.high for e, truth in zip((kind, view, both), truths, strict=True)])
        no_effects.append(found.term("view", "model").p)
        no_threes.append(found.lack_of_fit.p)
    tries = len(covered)
    assert tries >= 400
    assert np.mean(covered, axis=0) == pytest.approx([0.95] * 3, abs=3 * sqrt(0.95 * 0.05 / tries))
    for p_values in (no_effects, no_threes):
        assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_shares_of_nothing_are_near_nothing():
    """As eta squared would not be: it is positive whatever comes."""
    shares = [
        analyse_factorial(FACTORS, experiment(np.random.default_rng([5, seed]), planted=0)).term("view").share
        for seed in range(60)
    ]
    assert min(shares) == 0
    assert np.mean(shares) < 0.04


def test_three_factors_together_are_told_as_a_lack_of_fit():
    observations = experiment(np.random.default_rng(6), noise=0.005)
    odd = observations[0].levels
    spoilt = [replace(one, value=one.value + 0.1) if one.levels == odd else one for one in observations]
    assert analyse_factorial(FACTORS, observations).lack_of_fit.p > 0.01
    lack = analyse_factorial(FACTORS, spoilt).lack_of_fit
    assert (lack.df, lack.pure_error_df) == (4, 17 * 2)
    assert lack.p < 1e-6


def test_a_pair_that_was_never_seen_takes_its_interaction_out_and_no_other():
    observations = [
        one
        for one in experiment(np.random.default_rng(7), noise=1e-6)
        if (one.levels["view"], one.levels["model"]) != ("mlo", "large")
    ]
    found = analyse_factorial(FACTORS, observations)
    assert found.omitted == (Omitted(factors=("view", "model"), never_seen=(("mlo", "large"),)),)
    assert [term.factors for term in found.terms[3:]] == [("kind", "view"), ("kind", "model")]
    assert values_of(found)["mass",] == pytest.approx(KIND["mass"], abs=5e-6)


def test_a_half_of_all_combinations_tells_main_effects_alone():
    names = ("a", "b", "c")
    observations = [
        Observation(levels=dict(zip(names, map(str, levels), strict=True)), value=float(levels[0]) + 0.1 * seed)
        for levels in product((0, 1), repeat=3)
        if sum(levels) % 2 == 0
        for seed in (0, 1)
    ]
    found = analyse_factorial(dict.fromkeys(names, ("0", "1")), observations)
    assert found.omitted == tuple(Omitted(factors=pair, never_seen=()) for pair in (("a", "b"), ("a", "c"), ("b", "c")))
    assert values_of(found)["1",] == pytest.approx(0, abs=1e-12)  # of c, the last; that of a is a half
    assert found.effects[1].value == pytest.approx(0.5)


def test_a_level_and_a_factor_without_values_are_left_out():
    observations = [one for one in experiment(np.random.default_rng(8)) if one.levels["model"] == "small"]
    observations = [one for one in observations if one.levels["view"] != "mlo"]
    found = analyse_factorial(FACTORS, observations)
    assert found.factors == {"kind": ("mass", "calc"), "view": ("cc", "both")}
    assert found.unseen == (("view", "mlo"), ("model", "medium"), ("model", "large"))


def test_seeds_that_no_two_combinations_share_are_no_blocks():
    observations = [replace(one, block=str(number)) for number, one in enumerate(experiment(np.random.default_rng(9)))]
    assert analyse_factorial(FACTORS, observations).blocks == ()


def test_ten_blocks_stand_in_their_order():
    rng = np.random.default_rng(10)
    observations = [
        Observation(levels={"a": level}, value=rng.normal(), block=str(seed)) for level in "xy" for seed in range(11)
    ]
    assert analyse_factorial({"a": ("x", "y")}, observations).blocks == tuple(map(str, range(11)))


@pytest.mark.parametrize(
    ("factors", "rows", "said"),
    [
        ({"a": ("x", "y"), "b": ("p", "q")}, ["xp1", "xq2", "yp3", "yq5"], r"4 values for a model of 4 .*more seeds"),
        ({"a": ("x", "y")}, ["x1", "y2"], r"2 values for a model of 2 numbers leave nothing .*more seeds of each"),
        ({"a": ("x", "y"), "b": ("p", "q")}, ["xp1", "xp2", "yq3", "yq4"], r"what a, b do, which changed together"),
        ({"a": ("x", "y")}, ["x1", "x2"], r"no factor with two levels among them; missing: values of other .* a$"),
        ({}, [], r"0 values, and no factor"),
        ({"a": ("x", "y")}, ["x1", "x1", "y2", "y2"], r"to the last digit .* missing: values that differ from seed"),
        ({"a": ("x", "y")}, ["x1", "z2"], r"a=z: allowed: a of x, y"),
        ({"a": ("x", "y"), "b": ("p", "q")}, ["x1", "x2"], r"a=x: allowed: b of p, q"),
        ({"a": ("x", "y")}, ["xnan", "y2"], r"the value of a=x is nan; allowed: finite numbers"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_words(factors, rows, said):
    """A row: a letter a factor, then the value."""
    observations = []
    for row in rows:
        levels = row[: next(place for place, letter in enumerate(row) if letter in "n0123456789")]
        observations.append(
            Observation(levels=dict(zip(factors, levels, strict=False)), value=float(row[len(levels) :]))
        )
    with pytest.raises(MammoscopeError, match=said):
        analyse_factorial(factors, observations)
