"""Regret and the best that are found, by hand, against all permutations, and why there may be none."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_tables import FEW

from adaptive_sharpness.stats import selection

G = np.array([0.5, 0.1, 0.3, 0.2, 0.9, 0.7, 0.4, 0.8, 0.6, 1.0])


@pytest.mark.parametrize(
    ("taken", "regret", "pvalue"), [(1, 0, 0.1), (3, 0.1 / 0.45, 0.2), (0, 0.4 / 0.45, 0.5), (9, 2, 1)]
)
def test_regret_by_hand(taken, regret, pvalue):
    """The lowest g is 0.1, the median 0.55."""
    mu = np.arange(1.0, 11)
    mu[taken] = 0
    found = selection(mu, G)
    assert found.statistic == pytest.approx(regret, abs=1e-12)
    assert found.pvalue == pytest.approx(pvalue, abs=1e-12)
    assert found.n == 10
    assert found.reason == ""


def test_the_best_fifth_by_hand():
    """The best two of ten; both of them are found by chance once in 45, one at least in 17 of 45."""
    assert selection(G, G).best_found == 1
    assert selection(G, G).best_pvalue == pytest.approx(1 / 45)
    mu = G.copy()
    mu[3] = 2
    found = selection(mu, G)
    assert (found.best_found, found.best_expected) == (0.5, 0.2)
    assert found.best_pvalue == pytest.approx(17 / 45)
    assert selection(-G, G).best_pvalue == pytest.approx(1)


def test_ties_are_drawn_by_lot_on_average():
    """Two tie for the lowest mu: their mean g is 0.3. Three tie for the second place among the best by mu."""
    mu = np.array([0, 0, 1, 1, 1, 2.0])
    g = np.array([0.5, 0.1, 0.3, 0.2, 0.9, 0.7])
    found = selection(mu, g, permutations=4000)
    assert found.statistic == pytest.approx((0.3 - 0.1) / (0.4 - 0.1))
    means = [(one + other) / 2 for one, other in itertools.combinations(g, 2)]
    assert found.pvalue == pytest.approx(np.mean(np.array(means) <= 0.3 + 1e-12), abs=0.03)
    assert found.best_found == 0.5  # one place, of two that tie
    assert found.best_pvalue == pytest.approx(1 / 3, abs=0.03)


@FEW
@given(st.lists(st.integers(0, 5), min_size=3, max_size=30), st.integers(0, 99))
def test_shares_lie_between_0_and_1_and_regret_is_that_of_one_of_the_models(mu, seed):
    g = np.random.default_rng(seed).normal(size=len(mu))
    found = selection(mu, g, permutations=9)
    assert 0 <= found.statistic <= (g.max() - g.min()) / (np.median(g) - g.min()) + 1e-12
    assert 0 < found.pvalue <= 1
    assert 0 <= found.best_found <= 1 + 1e-12
    assert 0 < found.best_pvalue <= 1 + 1e-12


def test_settings_are_taken_by_their_means():
    settings = np.repeat(np.arange(5), 2)
    mu, g = np.arange(10.0), np.arange(10.0)[::-1]
    by_hand = selection(mu.reshape(5, 2).mean(axis=1), g.reshape(5, 2).mean(axis=1))
    assert selection(mu, g, clusters=settings) == by_hand


@pytest.mark.parametrize(
    ("mu", "g", "clusters", "reason"),
    [
        ([1, 2, math.nan], [1, 2, 3], None, "2 usable models, wanted at least 3"),
        ([1, 2, 3], [1, 2, 3], [0, 0, 0], "1 usable setting, wanted at least 3"),
        ([math.nan] * 3, [1, 2, 3], [0, 0, 0], "0 usable settings, wanted at least 3"),
        ([1, 2, 3], [1, 1, 2], None, "at least half of all values of g tie at the lowest"),
    ],
)
def test_where_there_is_no_regret_there_is_a_reason(mu, g, clusters, reason):
    found = selection(mu, g, clusters=clusters)
    assert math.isnan(found.statistic)
    assert found.pvalue is None
    assert found.reason == reason


def test_there_is_no_interval_and_a_reason_for_it():
    found = selection(G, G)
    assert np.isnan(found.confidence_interval()).all()
    assert "not consistent" in found.interval_reason


@pytest.mark.parametrize(
    ("mu", "options", "message"),
    [
        ([1, 2, 3], {"permutations": 0}, "permutations: got 0, wanted at least 1"),
        ([1, 2], {}, "values: got mu of shape (2,), g of shape (3,), wanted one value a model each"),
        ([1, 2, 3], {"clusters": [1, 2]}, "clusters: got 2, wanted one for each of 3 models"),
    ],
)
def test_what_does_not_fit_is_refused(mu, options, message):
    with pytest.raises(ValueError, match="got") as caught:
        selection(mu, [1, 2, 3], **options)
    assert str(caught.value) == message
