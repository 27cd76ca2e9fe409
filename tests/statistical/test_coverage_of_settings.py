"""How often 95 % intervals hold the true value in pools of settings and repeats.

What is estimated is the mean of a statistic over draws of the settings' own values and of their repeats. For Gaussians
it is known: the mean of sign(dmu) sign(dg) is (2/pi) asin of their correlation, and where the levels of an axis move
the means of dmu and dg, it follows from the normal distribution function of two variables.
"""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from pools import BETWEEN, LEVELS, REPEATS, pool
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import granulated, kendall, partial_kendall, sign_error, within_between
from adaptive_sharpness.stats.partial import gaussian_partial_kendall, gaussian_partial_tau, partial_correlation

QUICK = 400
BOUNDS = {QUICK: (0.91, 0.995), 2000: (0.93, 0.98)}
SLOW = [pytest.param(axes, 2000, marks=pytest.mark.slow) for axes in (3, 4, 5)]

with_pools = pytest.mark.parametrize(("axes", "pools"), [(3, QUICK), *SLOW])


def tau_of(correlation: float) -> float:
    """Kendall's tau of a Gaussian."""
    return 2 / math.pi * math.asin(correlation)


def correlations(between: float, within: float) -> tuple[float, float]:
    """Of models of two settings, and of the means of their repeats."""
    noise = (1 - BETWEEN) / REPEATS
    return BETWEEN * between + (1 - BETWEEN) * within, (BETWEEN * between + noise * within) / (BETWEEN + noise)


def agreement(moved: tuple[float, float], variance: float, correlation: float) -> float:
    """The mean of sign(dmu) sign(dg) of Gaussian differences with these means."""
    a, b = (each / math.sqrt(2 * variance) for each in moved)
    both = scipy_stats.multivariate_normal.cdf([a, b], cov=[[1, correlation], [correlation, 1]])
    return 4 * both - 2 * scipy_stats.norm.cdf(a) - 2 * scipy_stats.norm.cdf(b) + 1


def mean_agreement(effects: tuple[float, float], variance: float, correlation: float) -> float:
    """Its mean over all pairs of levels of an axis with these effects."""
    steps = [other - one for one, other in itertools.combinations(range(LEVELS), 2)]
    return float(np.mean([agreement([step * each for each in effects], variance, correlation) for step in steps]))


def covered(truth: dict[str, float], intervals: list[dict]) -> dict[str, float]:
    """How often each interval holds the truth."""
    held: Counter = Counter()
    for each in intervals:
        held.update({name: bool(low <= truth[name] <= high) for name, (low, high) in each.items()})
    return {name: count / len(intervals) for name, count in held.items()}


def plain_pools(axes: int, pools: int, between: float, within: float, seed: int) -> dict[str, float]:
    """The coverage of all intervals where axes do nothing."""
    of_models, of_means = correlations(between, within)
    models = REPEATS * LEVELS**axes
    share = (REPEATS - 1) / (models - 1)  # of pairs of models that share a setting
    truth = {
        "tau": share * tau_of(within) + (1 - share) * tau_of(of_models),
        "within": tau_of(within),
        "between": tau_of(of_means),
        "psi": tau_of(of_means),
        "Psi": tau_of(of_means),
        "mean sign error": (1 - tau_of(of_models)) / 2,
    }
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(pools):
        mu, g, by_axis, setting = pool(rng, axes, between, within)
        both, psi = within_between(mu, g, setting, permutations=0), granulated(mu, g, by_axis, permutations=0)
        found.append(
            {
                "tau": kendall(mu, g, clusters=setting, permutations=0).confidence_interval(),
                "within": both.within.confidence_interval(),
                "between": both.between.confidence_interval(),
                "psi": psi.by_axis["axis 0"].confidence_interval(),
                "Psi": psi.confidence_interval(),
                "mean sign error": sign_error(mu, g, by_axis, permutations=0).confidence_interval(),
            }
        )
    return covered(truth, found)


def moved_pools(axes: int, pools: int, seed: int) -> dict[str, float]:
    """The coverage of the intervals over dyads where every axis moves mu and g, each to another extent."""
    mu_effects, g_effects = np.linspace(0.5, -0.2, axes), np.linspace(0.3, 0.6, axes)
    of_models, of_means = correlations(0.5, 0.3)
    variance = BETWEEN + (1 - BETWEEN) / REPEATS
    effects = list(zip(mu_effects, g_effects, strict=True))
    psi = [mean_agreement(each, variance, of_means) for each in effects]
    errors = [(1 - mean_agreement(each, 1, of_models)) / 2 for each in effects]
    truth = {"psi": psi[0], "Psi": np.mean(psi), "mean sign error": np.mean(errors), "of an axis": errors[0]}
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(pools):
        mu, g, by_axis, _ = pool(rng, axes, 0.5, 0.3, mu_effects, g_effects)
        taus, signs = granulated(mu, g, by_axis, permutations=0), sign_error(mu, g, by_axis, permutations=0)
        found.append(
            {
                "psi": taus.by_axis["axis 0"].confidence_interval(),
                "Psi": taus.confidence_interval(),
                "mean sign error": signs.confidence_interval(),
                "of an axis": signs.by_axis["axis 0"].confidence_interval(),
            }
        )
    return covered(truth, found)


def _hold(found: dict[str, float], pools: int) -> bool:
    low, high = BOUNDS[pools]
    return all(low <= share <= high for share in found.values())


@with_pools
@pytest.mark.parametrize(("between", "within"), [(0.0, 0.0), (0.5, 0.3)])
def test_intervals_cover_the_mean_over_settings_and_repeats(between, within, axes, pools):
    found = plain_pools(axes, pools, between, within, 21)
    assert _hold(found, pools), found


@with_pools
def test_intervals_over_dyads_cover_it_where_axes_move_both(axes, pools):
    found = moved_pools(axes, pools, 22)
    assert _hold(found, pools), found


@with_pools
def test_the_intervals_of_partial_taus_cover_them(axes, pools):
    """Three values of models, each with its settings; all three correlations are those of models of two settings."""
    rng = np.random.default_rng(23)
    correlation = np.array([[1, 0.5, 0.4], [0.5, 1, 0.6], [0.4, 0.6, 1]])
    root, settings = np.linalg.cholesky(correlation), LEVELS**axes
    taus = [tau_of(correlation[pair]) for pair in ((0, 1), (0, 2), (1, 2))]
    found = []
    for _ in range(pools):
        own, noise = (root @ rng.normal(size=(3, count)) for count in (settings, settings * REPEATS))
        values = math.sqrt(BETWEEN) * own.repeat(REPEATS, axis=1) + math.sqrt(1 - BETWEEN) * noise
        clusters = np.repeat(np.arange(settings), REPEATS)
        both = {"partial": partial_kendall, "Gaussian": gaussian_partial_kendall}
        intervals = {name: of(*values, clusters=clusters).confidence_interval() for name, of in both.items()}
        found.append(intervals)
    truth = {"partial": partial_correlation(*taus), "Gaussian": gaussian_partial_tau(*taus)}
    found = covered(truth, found)
    assert _hold(found, pools), found
