"""Partial tau against the tau of pairs by hand, against residuals, and against scipy's bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.partial import gaussian_partial, partial, partial_tau
from adaptive_sharpness.streams import stream


def _draw(n: int, seed: int = 0) -> np.ndarray:
    z, x, y = np.random.default_rng(seed).normal(size=(3, n))
    return np.array([z + x, z + x + y, z])


def test_a_case_by_hand():
    """Of 6 pairs x and y disagree on 1, x and z on 1, y and z on 2: taus 2/3, 2/3 and 1/3.

    So partial tau is (2/3 - 2/9) / sqrt(5/9 * 8/9).
    """
    x, y, z = np.array([1, 2, 3, 4]), np.array([2, 1, 3, 4]), np.array([1, 2, 4, 3])
    found = partial_tau(x, y, z, resamples=99)
    assert found.tau == pytest.approx((4 / 9) / math.sqrt(40 / 81), rel=1e-14)
    # r = sin(pi/3), sin(pi/3) and 1/2: (r - r/2) / sqrt((1/4) (3/4)) = 1.
    assert found.gaussian == pytest.approx(1, rel=1e-7)


def test_the_formula_is_the_correlation_of_residuals():
    """What is true of Pearson's correlation holds of the formula."""
    x, y, z = _draw(40)
    xy, xz, yz = np.corrcoef([x, y, z])[[0, 0, 1], [1, 2, 2]]
    residuals = [each - np.polyval(np.polyfit(z, each, 1), z) for each in (x, y)]
    assert partial(xy, xz, yz) == pytest.approx(np.corrcoef(*residuals)[0, 1], rel=1e-12)


def test_partial_taus_that_do_not_exist():
    np.testing.assert_array_equal(
        partial(np.array([0.5, 0.5]), np.array([1, 0.2]), np.array([0.3, -1])), [math.nan] * 2
    )


def test_of_a_gaussian_that_is_independent_given_z_only_the_gaussian_version_is_0():
    """Correlations with z of 0.8 and 0.9, of x and y 0.72; taus are (2/pi) asin of these."""
    xy, xz, yz = 2 / math.pi * np.arcsin([0.72, 0.8, 0.9])
    assert gaussian_partial(xy, xz, yz) == pytest.approx(0, abs=1e-12)
    assert partial(xy, xz, yz) > 0.1


def test_the_gaussian_version_gives_back_the_tau_of_a_partial_correlation():
    """r = 0.5 with z for both, 0.625 between them: partial (0.625 - 0.25) / 0.75 = 1/2, whose tau is 1/3."""
    taus = 2 / math.pi * np.arcsin([0.625, 0.5, 0.5])
    assert gaussian_partial(*taus) == pytest.approx(1 / 3, rel=1e-12)


def test_a_partial_correlation_beyond_1_is_taken_for_1():
    assert gaussian_partial(0.9, 0.9, 0.5) == 1
    assert gaussian_partial(-0.9, -0.9, 0.5) == -1


def test_the_interval_is_scipys_bca_of_the_triples():
    x, y, z = _draw(25, 3)

    def of(a, b, c):
        return partial(*(stats.kendalltau(*pair).statistic for pair in ((a, b), (a, c), (b, c))))

    options = {"paired": True, "vectorized": False, "n_resamples": 299, "method": "BCa", "rng": stream(5, "bootstrap")}
    wanted = stats.bootstrap((x, y, z), of, **options).confidence_interval
    found = partial_tau(x, y, z, seed=5, resamples=299)
    np.testing.assert_allclose([found.low, found.high], wanted, rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(5))
def test_resamples_without_a_partial_tau_do_not_spoil_the_interval(seed):
    """Of 5 models many resamples are of 2 alone, whose taus are 1 or -1."""
    found = partial_tau(*np.array([[1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4.0]]), seed=seed, resamples=999)
    assert -1 <= found.low < found.tau < found.high <= 1


def test_models_without_all_three_values_are_left_out():
    x, y, z = _draw(20)
    bad = [np.append(each, more) for each, more in ((x, [1, 2]), (y, [math.nan, 3]), (z, [1, math.inf]))]
    assert partial_tau(*bad, resamples=99) == partial_tau(x, y, z, resamples=99)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [1, 2], [2, 1]],
        [[1, 2, 3], [1, 2, 3], [4, 4, 4]],
        [[1, 1, 1], [1, 2, 3], [1, 3, 2]],
        [[1, 2, 3, 4], [2, 1, 3, 4], [10, 20, 30, 40]],
        [[math.nan] * 4, [1, 2, 3, 4], [1, 2, 4, 3]],
    ],
)
def test_there_is_none_where_there_is_no_tau_or_z_orders_perfectly(values):
    found = partial_tau(*np.array(values, dtype=float))
    assert np.isnan([found.tau, found.low, found.high, found.gaussian]).all()


def test_two_values_of_one_order_have_a_partial_tau_of_1_and_no_interval():
    x, _, z = _draw(20)
    found = partial_tau(x, x**3, z)
    assert found.tau == pytest.approx(1, rel=1e-12)
    assert np.isnan([found.low, found.high]).all()
