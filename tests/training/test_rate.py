import math

import pytest

from mammoscope.training.rate import Range, growing_rates, has_diverged, smooth


def a_range(losses: list[float]) -> Range:
    rates = growing_rates(1e-5, 1.0, len(losses))
    return Range(tuple(rates), tuple(losses), tuple(smooth(losses)))


def test_rates_grow_by_one_factor_from_end_to_end():
    rates = growing_rates(1e-4, 1.0, 5)
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])


def test_the_first_mean_is_the_first_loss_and_a_constant_stays_one():
    assert smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    assert smooth([2.0, 1.0])[1] == pytest.approx((0.9 * 2 + 1) / 1.9)


def test_a_tenth_of_the_rate_with_the_lowest_mean_is_suggested():
    found = a_range([1.0] * 20 + [0.1] * 20 + [3.0] * 11)
    assert found.rates[found.lowest] == pytest.approx(growing_rates(1e-5, 1.0, 51)[39])
    assert found.suggested == pytest.approx(found.rates[39] / 10)


def test_where_the_loss_never_fell_nothing_is_suggested():
    assert a_range([1.0] * 30).suggested is None
    assert a_range([1.0 + step for step in range(30)]).suggested is None


def test_four_times_the_lowest_and_whatever_is_no_number_has_diverged():
    assert not has_diverged([1.0, 0.5, 1.9])
    assert has_diverged([1.0, 0.5, 2.1])
    assert has_diverged([1.0, math.nan])
