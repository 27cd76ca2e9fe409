"""Tau of many resamples at once against scipy's of each, and the bootstrap over models."""

import math

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import bca_interval, positions_without_each, tau_of_resamples

POOLS = [(n, levels, seed) for n in (3, 10, 50) for levels in (3, 8, None) for seed in range(3)]


def draw(n: int, levels: int | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated samples; few levels make many ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 0.5 * x + rng.normal(size=n)
    return (x, y) if levels is None else tuple(np.digitize(v, np.linspace(-1.5, 1.5, levels - 1)) * 1.0 for v in (x, y))


@pytest.mark.parametrize(("n", "levels", "seed"), POOLS)
def test_the_tau_of_a_resample_is_that_of_the_resampled_values(n, levels, seed):
    x, y = draw(n, levels, seed)
    positions = np.random.default_rng(seed + 100).integers(n, size=(40, n))
    wanted = np.nan_to_num([stats.kendalltau(x[row], y[row]).statistic for row in positions])
    np.testing.assert_allclose(tau_of_resamples(x, y)(positions), wanted, atol=1e-14)


def test_resamples_may_lie_along_any_axis():
    x, y = draw(10, 8, 0)
    positions = np.random.default_rng(0).integers(10, size=(2, 3, 10))
    tau = tau_of_resamples(x, y)
    assert tau(positions).shape == (2, 3)
    for axis in (0, 1, 2):
        np.testing.assert_array_equal(tau(np.moveaxis(positions, -1, axis), axis), tau(positions))
    assert tau(positions[0, 0]) == tau(positions)[0, 0]


def test_a_resample_of_one_model_alone_has_tau_0():
    x, y = draw(10, None, 0)
    assert tau_of_resamples(x, y)(np.full(10, 4)) == 0


@pytest.mark.parametrize("n", [600, 4096])
def test_a_large_pool_is_counted_exactly(n):
    """One pair of n (n - 1) / 2 is discordant."""
    one_swap = np.arange(float(n))
    one_swap[[0, 1]] = one_swap[[1, 0]]
    wanted = (n * (n - 1) - 4) / (n * (n - 1))
    assert tau_of_resamples(np.arange(float(n)), one_swap)(np.arange(n)) == pytest.approx(wanted, rel=1e-15)


def test_a_pool_that_cannot_be_counted_is_refused():
    with pytest.raises(ValueError, match=r"^resamples of a pool: got 4097 models, wanted at most 4096$"):
        tau_of_resamples(np.arange(4097), np.arange(4097))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_each_model_in_turn_is_left_out(n):
    wanted = [[position for position in range(n) if position != left_out] for left_out in range(n)]
    assert positions_without_each(n).tolist() == wanted


def test_the_interval_of_a_statistic_that_is_no_tau_is_scipys_too():
    """Of means, whose resamples are those of a seed."""
    values = np.random.default_rng(0).uniform(-0.5, 0.5, 30)

    def mean(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        return values[positions].mean(axis=axis)

    found = bca_interval(values.mean(), mean, 30, confidence_level=0.9, seed=3, resamples=299)
    options = {"n_resamples": 299, "method": "BCa", "rng": stream(3, "bootstrap"), "confidence_level": 0.9}
    wanted = stats.bootstrap((values,), np.mean, **options).confidence_interval
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    assert found.low < values.mean() < found.high


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("statistic", [math.nan, 1.0, -1.0])
def test_a_statistic_that_is_unknown_or_perfect_has_no_interval_and_no_resample_is_drawn(statistic):
    def of_resamples(positions, axis=-1):
        raise AssertionError("drawn")

    assert np.isnan(bca_interval(statistic, of_resamples, 10)).all()


@pytest.mark.filterwarnings("error")
def test_where_no_model_makes_a_difference_there_is_no_interval():
    found = bca_interval(0.0, lambda positions, axis=-1: np.zeros(np.delete(positions.shape, axis)), 10, resamples=99)
    assert np.isnan(found).all()
