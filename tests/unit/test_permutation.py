"""Permutation tests against scipy's and against all permutations of a small pool."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.permutation import max_t, taus

X = np.array([[1, 2, 3, 4, 5, 6], [2, 1, 3, 3, 5, 4], [6, 1, 5, 2, 4, 3]], dtype=float)
Y = np.array([1, 3, 2, 2, 6, 5], dtype=float)


def _every(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|tau| of every x with every permutation of y, by scipy."""
    return np.abs([[stats.kendalltau(each, order).statistic for each in x] for order in permutations(y)])


@pytest.mark.parametrize("levels", [2, 4, 1000])
@pytest.mark.parametrize("n", [3, 8, 60])
def test_taus_are_scipys(n, levels):
    rng = np.random.default_rng(n + levels)
    x, y = rng.integers(levels, size=(4, n)), rng.integers(levels, size=n)
    x[0, :2], y[:2] = (0, 1), (0, 1)
    orders = np.array([y, y[::-1], rng.permutation(y)])
    wanted = [[stats.kendalltau(each, order).statistic for each in x] for order in orders]
    np.testing.assert_allclose(taus(x, orders), wanted, rtol=1e-12, atol=1e-14)


def test_taus_of_values_that_all_tie_do_not_exist():
    found = taus(np.array([[1.0, 1, 1], [1, 2, 3]]), np.array([[1.0, 2, 3]]))
    np.testing.assert_array_equal(found, [[math.nan, 1]])


def test_the_largest_pool_is_counted_exactly():
    n = 4096
    order = np.arange(float(n))
    order[[0, 1]] = order[[1, 0]]
    assert taus(np.arange(float(n))[None], order[None])[0, 0] == pytest.approx(1 - 4 / (n * (n - 1)), rel=1e-15)


def test_a_pool_that_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"^permutation test: got 4097 models, wanted at most 4096$"):
        taus(np.zeros((1, 4097)), np.zeros((1, 4097)))
    with pytest.raises(ValueError, match=r"^permutation test: got 4097 models, wanted at most 4096$"):
        max_t(np.zeros((1, 4097)), np.zeros(4097))


def test_the_statistic_is_tau_b_of_each_x():
    wanted = [stats.kendalltau(x, Y).statistic for x in X]
    np.testing.assert_allclose(max_t(X, Y, permutations=9).statistic, wanted, rtol=1e-12)


def test_p_converges_to_that_of_all_permutations():
    """720 permutations counted one by one; 4 standard errors of 40,000 draws are at most 0.01."""
    every = _every(X, Y)
    observed = np.abs([stats.kendalltau(each, Y).statistic for each in X])
    found = max_t(X, Y, permutations=40_000)
    np.testing.assert_allclose(found.single_pvalue, (every >= observed - 1e-9).mean(axis=0), atol=0.01)
    np.testing.assert_allclose(found.pvalue, (every.max(axis=1)[:, None] >= observed - 1e-9).mean(axis=0), atol=0.01)


def test_p_is_that_of_scipys_permutation_test():
    for x in X:
        options = {"permutation_type": "pairings", "n_resamples": math.inf, "alternative": "greater"}
        exact = stats.permutation_test((x,), lambda each: abs(stats.kendalltau(each, Y).statistic), **options).pvalue
        assert max_t(x[None], Y, permutations=40_000).single_pvalue[0] == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("count", [1, 99])
def test_the_identity_counts_as_a_permutation(count):
    """A perfect order of 30 models is not met again: p is 1 / (1 + permutations)."""
    found = max_t(np.arange(30.0)[None], np.arange(30.0) ** 3, permutations=count)
    assert found.single_pvalue[0] == found.pvalue[0] == pytest.approx(1 / (1 + count), rel=1e-15)


def test_a_tau_of_zero_is_always_reached():
    assert max_t(np.array([[1.0, 2, 3, 4]]), np.array([2.0, 4, 1, 3]), permutations=99).single_pvalue[0] == 1


def test_one_radius_needs_no_adjustment_and_more_can_only_raise_p():
    one, several = max_t(X[:1], Y, permutations=999), max_t(X, Y, permutations=999)
    assert one.single_pvalue[0] == one.pvalue[0]
    assert several.single_pvalue[0] == one.single_pvalue[0]
    assert (several.pvalue >= several.single_pvalue).all()
    assert several.pvalue[1] > several.single_pvalue[1]


def test_the_same_order_at_every_radius_costs_nothing():
    found = max_t(np.stack([X[1], X[1] ** 3, -X[1]]), Y, permutations=999)
    p = found.single_pvalue
    assert p[0] == p[1] == p[2] == found.pvalue[0] == found.pvalue[2]


def test_a_radius_at_which_all_tie_has_no_p_and_leaves_the_others_alone():
    with_tie = max_t(np.stack([X[0], np.ones(6)]), Y, permutations=999)
    without = max_t(X[:1], Y, permutations=999)
    for name in ("statistic", "pvalue", "single_pvalue"):
        found, wanted = getattr(with_tie, name), getattr(without, name)
        assert found[0] == wanted[0]
        assert math.isnan(found[1])


def test_p_follows_from_its_seed():
    first, again, other = (max_t(X, Y, seed=seed, permutations=999).single_pvalue for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
