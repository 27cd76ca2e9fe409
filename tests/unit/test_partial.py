"""Partial tau against the tau of pairs by hand, against residuals, and against scipy's bootstrap."""

import math

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.partial import (
    gaussian_partial_kendall,
    gaussian_partial_tau,
    jackknife_interval,
    partial_correlation,
    partial_kendall,
)
from adaptive_sharpness.stats.randomness import stream

PAIRS = (0, 1), (0, 2), (1, 2)
TIES = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 4, 3, 8, 5, 7, 6], [2, 2, 1, 2, 3, 3, 2, 3.0]])


def _draw(n: int, seed: int = 0) -> np.ndarray:
    z, x, y = np.random.default_rng(seed).normal(size=(3, n))
    return np.array([z + x, z + x + y, z])


def test_a_case_by_hand():
    """Of 6 pairs x and y disagree on 1, x and z on 1, y and z on 2: taus 2/3, 2/3 and 1/3.

    So partial tau is (2/3 - 2/9) / sqrt(5/9 * 8/9).
    """
    x, y, z = np.array([1, 2, 3, 4]), np.array([2, 1, 3, 4]), np.array([1, 2, 4, 3])
    found = partial_kendall(x, y, z)
    assert found.statistic == pytest.approx((4 / 9) / math.sqrt(40 / 81), rel=1e-14)


def test_the_formula_is_the_correlation_of_residuals():
    """What is true of Pearson's correlation holds of the formula."""
    x, y, z = _draw(40)
    xy, xz, yz = np.corrcoef([x, y, z])[[0, 0, 1], [1, 2, 2]]
    residuals = [each - np.polyval(np.polyfit(z, each, 1), z) for each in (x, y)]
    assert partial_correlation(xy, xz, yz) == pytest.approx(np.corrcoef(*residuals)[0, 1], rel=1e-12)


def test_partial_taus_that_do_not_exist():
    np.testing.assert_array_equal(
        partial_correlation(np.array([0.5, 0.5]), np.array([1, 0.2]), np.array([0.3, -1])), [math.nan] * 2
    )


def test_of_a_gaussian_that_is_independent_given_z_only_the_gaussian_version_is_0():
    """Correlations with z of 0.8 and 0.9, of x and y 0.72; taus are (2/pi) asin of these."""
    xy, xz, yz = 2 / math.pi * np.arcsin([0.72, 0.8, 0.9])
    assert gaussian_partial_tau(xy, xz, yz) == pytest.approx(0, abs=1e-12)
    assert partial_correlation(xy, xz, yz) > 0.1


def test_the_gaussian_version_gives_back_the_tau_of_a_partial_correlation():
    """r = 0.5 with z for both, 0.625 between them: partial (0.625 - 0.25) / 0.75 = 1/2, whose tau is 1/3."""
    taus = 2 / math.pi * np.arcsin([0.625, 0.5, 0.5])
    assert gaussian_partial_tau(*taus) == pytest.approx(1 / 3, rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_taus_that_no_gaussian_has_have_no_gaussian_version():
    """r = 0.988, 0.988 and 0.707: the partial correlation would be 0.289 / 0.110 = 2.6."""
    np.testing.assert_array_equal(gaussian_partial_tau([0.9, -0.9], [0.9, -0.9], [0.5, 0.5]), [math.nan] * 2)


@pytest.mark.parametrize("rounding", [-1e-12, 0, 1e-12])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_gaussian_partial_of_1_but_for_rounding_is_1(sign, rounding):
    """r = 1/2, 1/2 and -1/2: (1/2 + 1/4) / (3/4) = 1. By asin alone, 1e-12 less would be 1e-6 less."""
    assert gaussian_partial_tau(sign * (1 / 3 + rounding), sign / 3, -1 / 3) == pytest.approx(sign, abs=1e-15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("y", "z", "tau"),
    [
        # y disagrees with x on 1 of 10 pairs, with z on 2, x with z on 1: (0.8 - 0.8 * 0.6) / sqrt(0.36 * 0.64).
        ([2, 1, 3, 4, 5], [1, 2, 3, 5, 4], 2 / 3),
        # The same the other way round.
        ([4, 5, 3, 2, 1], [1, 2, 3, 5, 4], -2 / 3),
        # z ties: taus -2/3, sqrt(2/3) and -sqrt(1/6), r -0.866, 0.959 and -0.598, partial correlation -1.28.
        ([4, 2, 3, 1], [1, 1, 2, 2], -(1 / 3) / math.sqrt(1 / 3 * 5 / 6)),
    ],
)
def test_where_a_kind_of_pairs_is_empty_there_is_kendalls_version_alone(y, z, tau):
    """x rises. In the first two cases there is no pair that z orders unlike x and like y, or unlike both."""
    values = np.arange(len(y)), np.array(y), np.array(z)
    found, gaussian = partial_kendall(*values), gaussian_partial_kendall(*values)
    assert found.statistic == pytest.approx(tau, rel=1e-14)
    low, high = found.confidence_interval(resamples=99)
    assert low <= found.statistic <= high
    assert np.isnan([gaussian.statistic, *gaussian.confidence_interval()]).all()


def _by_hand(a: float, b: float, c: float) -> float:
    left = (1 - b * b) * (1 - c * c)
    return math.nan if left < 1e-12 else (a - b * c) / math.sqrt(left)


def _gaussian_by_hand(*taus: float) -> float:
    r = _by_hand(*(math.sin(math.pi / 2 * tau) for tau in taus))
    return 2 / math.pi * math.asin(min(max(r, -1), 1)) if abs(r) < 1 + 1e-9 else math.nan


def test_many_gaussian_versions_at_once_are_those_of_each():
    taus = np.array([[stats.kendalltau(*_draw(30, seed)[list(p)]).statistic for p in PAIRS] for seed in range(20)]).T
    wanted = [_gaussian_by_hand(*each) for each in taus.T]
    np.testing.assert_allclose(gaussian_partial_tau(*taus), wanted, rtol=1e-12)
    np.testing.assert_allclose(gaussian_partial_tau(*taus.reshape(3, 4, 5)), np.reshape(wanted, (4, 5)), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:An input array is constant")
@pytest.mark.parametrize("values", [_draw(25, 3), TIES])
def test_the_interval_is_scipys_bca_of_the_triples(values):
    """A resample in which it does not exist counts as 0."""

    def of(*triple):
        taus = [np.nan_to_num(stats.kendalltau(triple[i], triple[j]).statistic) for i, j in PAIRS]
        return np.nan_to_num(_by_hand(*taus))

    options = {"paired": True, "vectorized": False, "n_resamples": 299, "method": "BCa", "rng": stream(5, "bootstrap")}
    wanted = stats.bootstrap(tuple(values), of, **options).confidence_interval
    found = partial_kendall(*values).confidence_interval(seed=5, resamples=299)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_the_gaussian_interval_is_that_of_pseudo_values():
    """n atanh r of all less n - 1 times that without a model: their mean's standard error is the jackknife's."""
    values = _draw(25, 3)

    def z(triple) -> float:
        taus = [stats.kendalltau(triple[i], triple[j]).statistic for i, j in PAIRS]
        return math.atanh(math.sin(math.pi / 2 * _gaussian_by_hand(*taus)))

    pseudo = [25 * z(values) - 24 * z(np.delete(values, each, axis=1)) for each in range(25)]
    ends = z(values) + 1.959963984540054 * stats.sem(pseudo) * np.array([-1, 1])
    wanted = 2 / math.pi * np.arcsin(np.tanh(ends))
    np.testing.assert_allclose(gaussian_partial_kendall(*values).confidence_interval(), wanted, rtol=1e-9)


@pytest.mark.parametrize("tie", [False, True])
def test_the_gaussian_interval_of_clusters_is_that_of_pools_without_each_of_them(tie):
    values = _draw(25, 4)
    values = np.round(values) if tie else values
    clusters = np.random.default_rng(0).integers(8, size=25)
    found = gaussian_partial_kendall(*values, clusters=clusters)
    without = []
    for each in range(8):
        taus = [stats.kendalltau(*values[list(pair)][:, clusters != each]).statistic for pair in PAIRS]
        without.append(_gaussian_by_hand(*taus))
    assert found.statistic == gaussian_partial_kendall(*values).statistic
    assert found.confidence_interval() == pytest.approx(
        jackknife_interval(found.statistic, np.array(without)), rel=1e-9
    )
    alone = gaussian_partial_kendall(*values, clusters=range(25)).confidence_interval()
    assert alone == pytest.approx(gaussian_partial_kendall(*values).confidence_interval(), rel=1e-9)


def test_a_gaussian_partial_needs_a_cluster_for_each_model():
    with pytest.raises(ValueError, match="clusters: got 2, wanted one for each of 25 models"):
        gaussian_partial_kendall(*_draw(25), clusters=[0, 1])


def test_intervals_are_of_the_level_that_is_asked_for():
    """On the scale of atanh r the jackknife's is as wide as the normal quantile says."""
    values = _draw(25, 3)
    found = gaussian_partial_kendall(*values)
    (low, high), (lower, higher) = (
        np.arctanh(np.sin(np.pi / 2 * np.array(found.confidence_interval(level)))) for level in (0.5, 0.95)
    )
    assert (higher - lower) / (high - low) == pytest.approx(1.959963984540054 / 0.674489750196082, rel=1e-9)
    (low, high), (lower, higher) = (
        partial_kendall(*values).confidence_interval(level, resamples=299) for level in (0.5, 0.95)
    )
    assert lower < low < high < higher


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("without", [1, -1, math.nan])
def test_there_is_no_gaussian_interval_if_there_is_no_version_without_one_of_the_models(without):
    assert np.isfinite(jackknife_interval(0.2, np.array([0.1, 0.3, 0.25]))).all()
    assert np.isnan(jackknife_interval(0.2, np.array([0.1, 0.3, without]))).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(5))
def test_resamples_without_a_partial_tau_do_not_spoil_the_interval(seed):
    """Of 5 models many resamples are of 2 alone, whose taus are 1 or -1."""
    found = partial_kendall(*np.array([[1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4.0]]))
    low, high = found.confidence_interval(seed=seed, resamples=999)
    assert -1 <= low < found.statistic < high <= 1


@pytest.mark.filterwarnings("error")
def test_three_models_have_a_partial_tau_and_no_interval():
    """Taus 1/3, 1/3 and -1/3: (1/3 + 1/9) / (8/9). Whichever model is left out, z orders the others perfectly."""
    found = partial_kendall(np.array([1, 2, 3]), np.array([1, 3, 2]), np.array([2, 1, 3]))
    assert found.statistic == pytest.approx(0.5, rel=1e-14)
    assert np.isnan(found.confidence_interval(resamples=99)).all()


def test_models_without_all_three_values_are_left_out():
    x, y, z = _draw(20)
    bad = [np.append(each, more) for each, more in ((x, [1, 2]), (y, [math.nan, 3]), (z, [1, math.inf]))]
    for of in (partial_kendall, gaussian_partial_kendall):
        found, wanted = of(*bad), of(x, y, z)
        assert found == wanted
        assert found.n == 20
        assert found.confidence_interval() == wanted.confidence_interval()


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
    for of in (partial_kendall, gaussian_partial_kendall):
        found = of(*np.array(values, dtype=float))
        assert np.isnan([found.statistic, *found.confidence_interval()]).all()


def test_two_values_of_one_order_have_a_partial_tau_of_1_and_no_interval():
    x, _, z = _draw(20)
    found, gaussian = partial_kendall(x, x**3, z), gaussian_partial_kendall(x, x**3, z)
    assert found.statistic == pytest.approx(1, rel=1e-12)
    assert np.isnan([*found.confidence_interval(), gaussian.statistic, *gaussian.confidence_interval()]).all()
