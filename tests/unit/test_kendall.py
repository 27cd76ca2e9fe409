"""Kendall's tau and its uncertainty, against scipy's own and against counting pairs."""

import hashlib
import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.kendall import consistency, fisher_interval, kendall, leave_one_out, tau_b

POOLS = [(n, levels, seed) for n in (3, 10, 50) for levels in (3, 8, None) for seed in range(3)]


def draw(n: int, levels: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated samples; few levels make many ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 0.5 * x + rng.normal(size=n)
    return (x, y) if levels is None else tuple(np.digitize(v, np.linspace(-1.5, 1.5, levels - 1)) * 1.0 for v in (x, y))


def pairs(x: np.ndarray, y: np.ndarray) -> float:
    """Tau-b as it is defined: pair by pair."""
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in combinations(range(len(x)), 2)]
    untied_x, untied_y = (sum(abs(pair[side]) for pair in signs) for side in (0, 1))
    return sum(a * b for a, b in signs) / math.sqrt(untied_x * untied_y) if untied_x * untied_y else math.nan


@pytest.mark.parametrize(("n", "levels", "seed"), POOLS)
def test_tau_and_p_are_those_of_scipy_and_of_counting_pairs(n, levels, seed):
    x, y = draw(n, levels, seed)
    found, scipys = kendall(x, y), stats.kendalltau(x, y)
    np.testing.assert_allclose([found.statistic, found.pvalue], [scipys.statistic, scipys.pvalue], rtol=1e-12)
    np.testing.assert_allclose(found.statistic, pairs(x, y), rtol=1e-12)
    assert found.n == n


def test_models_without_finite_values_are_left_out_and_n_says_so():
    x, y = draw(20, None, 0)
    with_bad = np.append(x, [math.nan, 1, math.inf]), np.append(y, [1, -math.inf, 1])
    found, wanted = kendall(*with_bad), kendall(x, y)
    assert found == wanted
    assert found.confidence_interval(resamples=99) == wanted.confidence_interval(resamples=99)
    assert found.n == 20


@pytest.mark.parametrize(
    ("x", "y", "n"),
    [
        ([], [], 0),
        ([1, 2], [1, 2], 2),
        ([1, 2, math.nan], [1, 3, 2], 2),
        ([1, 1, 1, 1], [1, 2, 3, 4], 4),
        ([1, 2, 3, 4], [5, 5, 5, 5], 4),
    ],
)
def test_a_pool_without_a_tau_is_nan_but_for_n(x, y, n):
    found = kendall(np.array(x, dtype=float), np.array(y, dtype=float))
    assert found.n == n
    assert np.isnan([found.statistic, found.pvalue, *found.confidence_interval()]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n", [3, 50])
def test_a_perfect_order_has_a_tau_and_a_p_but_no_interval(sign, n):
    found = kendall(np.arange(n), sign * np.arange(n) ** 3)
    assert found.statistic == pytest.approx(sign, abs=1e-15)
    assert found.pvalue == pytest.approx(2 / math.factorial(n), rel=1e-6)
    assert np.isnan(found.confidence_interval()).all()


# The interval


def scipys_interval(x, y, seed: int, resamples: int, method: str, **more) -> tuple[float, float]:
    """scipy's interval of pairs, with the stream of resamples that belongs to a seed."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"bootstrap {seed}".encode()).digest()[:8], "big"))
    options = {"paired": True, "vectorized": False, "n_resamples": resamples, "method": method, "rng": rng, **more}
    return stats.bootstrap((x, y), lambda a, b: stats.kendalltau(a, b).statistic, **options).confidence_interval


@pytest.mark.parametrize(("n", "levels", "seed"), [(12, None, 0), (20, 8, 1), (50, None, 2)])
def test_the_interval_is_scipys_bca_of_the_pairs(n, levels, seed):
    x, y = draw(n, levels, seed)
    found = kendall(x, y).confidence_interval(seed=seed, resamples=499)
    bca, percentile = (scipys_interval(x, y, seed, 499, method) for method in ("BCa", "percentile"))
    np.testing.assert_allclose(found, bca, rtol=1e-9)
    assert abs(np.subtract(bca, percentile)).max() > 0.001


def test_an_interval_follows_from_its_seed():
    x, y = draw(20, None, 0)
    first, again, other = (kendall(x, y).confidence_interval(seed=seed, resamples=499) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_an_interval_is_that_of_the_order_alone():
    """Tau does not change under an increasing function of either value, nor does its interval."""
    x, y = draw(20, None, 0)
    changed, found = kendall(np.exp(x), 3 * y - 5), kendall(x, y)
    assert changed == found
    assert changed.confidence_interval(resamples=499) == found.confidence_interval(resamples=499)


def test_an_interval_is_of_the_level_that_is_asked_for():
    x, y = draw(20, None, 0)
    (low, high), (lower, higher) = (kendall(x, y).confidence_interval(level, resamples=499) for level in (0.8, 0.95))
    assert lower < low < high < higher
    wanted = scipys_interval(x, y, 0, 499, "BCa", confidence_level=0.8)
    np.testing.assert_allclose((low, high), wanted, rtol=1e-9)


# The distance to a published tau


def test_z_is_the_difference_of_atanh_in_units_of_its_deviation():
    """atanh t = log((1 + t) / (1 - t)) / 2; both taus have variance 0.437 / (50 - 4)."""
    difference = (math.log(1.35 / 0.65) - math.log(0.689 / 1.311)) / 2
    assert consistency(0.35, 50, -0.311, 50) == pytest.approx(difference / math.sqrt(2 * 0.437 / 46), rel=1e-12)
    assert consistency(0.35, 50, -0.311, 50) == pytest.approx(4.98, abs=0.01)


def test_a_smaller_pool_says_less():
    assert abs(consistency(0.35, 8, -0.311, 50)) == pytest.approx(
        (math.atanh(0.35) + math.atanh(0.311)) / math.sqrt(0.437 / 4 + 0.437 / 46), rel=1e-12
    )


@pytest.mark.parametrize(("tau", "n"), [(math.nan, 50), (0.3, 4), (0.3, 0), (1.0, 4)])
def test_there_is_no_z_without_a_tau_or_with_4_models(tau, n):
    assert math.isnan(consistency(tau, n, -0.311, 50))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_tau_is_infinitely_far_from_a_published_one(sign):
    assert consistency(sign * 1.0, 50, -0.311, 50) == sign * math.inf
    assert consistency(sign * 0.9999999999999999, 8, -0.311, 50) * sign > 1.96


def test_z_of_pools_without_association_is_a_standard_normal():
    """0.437 / (n - 4) is the variance of atanh(tau) of two independent samples of bivariate normal values."""
    rng = np.random.default_rng(0)
    taus = [stats.kendalltau(*rng.normal(size=(2, 20))).statistic for _ in range(2000)]
    z = [consistency(a, 20, b, 20) for a, b in zip(taus[::2], taus[1::2], strict=True)]
    assert np.std(z) == pytest.approx(1, abs=0.1)


# What else there is to say


def test_tau_alone_is_that_of_the_pairs():
    x, y = draw(20, 8, 0)
    assert tau_b(np.append(x, math.nan), np.append(y, 1)) == pytest.approx(pairs(x, y), rel=1e-12)
    assert math.isnan(tau_b(np.ones(4), np.arange(4)))


def test_fishers_interval_of_a_case_by_hand():
    """For n = 4 + 0.437 * 1.96^2 * 4 the half-width on the scale of atanh is 1/2; tanh(1/2) = (e - 1) / (e + 1)."""
    n = 4 + 0.437 * 1.959963984540054**2 * 4
    edge = (math.e - 1) / (math.e + 1)
    assert fisher_interval(0.0, n) == pytest.approx((-edge, edge), rel=1e-12)
    # atanh(3/5) = log(4)/2, so the ends are log(4)/2 -+ 1/2: exp(2 z) = 4 / e and 4 e.
    assert fisher_interval(0.6, n) == pytest.approx(
        ((4 / math.e - 1) / (4 / math.e + 1), (4 * math.e - 1) / (4 * math.e + 1))
    )


@pytest.mark.parametrize(("tau", "n"), [(math.nan, 50), (1.0, 50), (-1.0, 50), (0.3, 4)])
def test_there_is_no_fisher_interval_without_a_variance(tau, n):
    assert np.isnan(fisher_interval(tau, n)).all()


def test_one_model_left_out_of_a_case_by_hand():
    """Of 6 pairs those of the last model alone are discordant: without it tau is 1, without another (1 - 2) / 3."""
    low, high = leave_one_out(np.array([1, 2, 3, 4]), np.array([2, 3, 4, 1]))
    assert (low, high) == pytest.approx((-1 / 3, 1), rel=1e-14)


@pytest.mark.parametrize("levels", [8, None])
def test_the_range_of_leaving_one_out_is_scipys(levels):
    x, y = draw(12, levels, 1)
    taus = [stats.kendalltau(np.delete(x, i), np.delete(y, i)).statistic for i in range(12)]
    bad = np.append(x, math.nan), np.append(y, 1)
    assert leave_one_out(*bad) == pytest.approx((min(taus), max(taus)), rel=1e-12)


def test_a_model_without_which_all_tie_has_no_say():
    """Without the last sharpness ties; without another tau-b is that of (1, 1, 2) and (1, 2, 3) in some order."""
    x, y = np.array([1, 1, 1, 2]), np.array([1, 2, 3, 4])
    assert leave_one_out(x, y) == pytest.approx((math.sqrt(2 / 3), math.sqrt(2 / 3)), rel=1e-14)
    assert np.isnan(leave_one_out(x[1:], y[1:])).all()
    assert np.isnan(leave_one_out(np.ones(4), y)).all()
