"""How often tests reject where there is nothing to find, over pools that are drawn from a seed."""

import math

import numpy as np
import pytest
from scipy import stats

from adaptive_sharpness.stats.kendall import tau_b
from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.stats.permutation import max_t
from adaptive_sharpness.stats.power import equivalence

N = 50
RADII = 5
LEVEL = 0.05
FEW = 1000
MARGIN = {FEW: 0.02, 5000: 0.01}  # three standard errors of a share of 0.05

with_runs = pytest.mark.parametrize("runs", [FEW, pytest.param(5000, marks=pytest.mark.slow)])


def _kept(share: float, runs: int) -> bool:
    return abs(share - LEVEL) <= MARGIN[runs]


def _grid(rng: np.random.Generator, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Sharpness at each radius, with this correlation of neighbouring radii, and a test loss of its own."""
    noise = rng.normal(size=(RADII, N))
    grid = [noise[0]]
    for each in noise[1:]:
        grid.append(correlation * grid[-1] + math.sqrt(1 - correlation**2) * each)
    return np.array(grid), rng.normal(size=N)


def _permutation_p(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    return max_t(x[None], y, seed=seed, permutations=199).single_pvalue[0]


@with_runs
def test_p_of_one_pool_keeps_its_level(runs):
    rng = np.random.default_rng(1)
    pools = [rng.normal(size=(2, N)) for _ in range(runs)]
    asymptotic = np.mean([stats.kendalltau(x, y).pvalue <= LEVEL for x, y in pools])
    permuted = np.mean([_permutation_p(x, y, run) <= LEVEL for run, (x, y) in enumerate(pools)])
    assert _kept(asymptotic, runs)
    assert _kept(permuted, runs)


@with_runs
@pytest.mark.parametrize("levels", [3, 8])
def test_permutation_p_keeps_its_level_where_values_tie(levels, runs):
    rng = np.random.default_rng(levels)
    pools = rng.integers(levels, size=(runs, 2, N))
    p = [_permutation_p(x, y, run) for run, (x, y) in enumerate(pools)]
    assert _kept(np.mean(np.array(p) <= LEVEL), runs)


@with_runs
@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_a_false_alarm_over_a_grid_of_radii_is_as_rare_as_one_at_a_single_radius(correlation, runs):
    """Uncorrected, five tests would raise one in 9 % of pools at best, in 23 % if they are independent."""
    rng = np.random.default_rng(2)
    alarms = {"none": 0, "holm": 0, "max_t": 0}
    for run in range(runs):
        found = max_t(*_grid(rng, correlation), seed=run, permutations=199)
        p = found.single_pvalue
        for name, each in (("none", p), ("holm", holm(p)), ("max_t", found.pvalue)):
            alarms[name] += (each <= LEVEL).any()
    assert alarms["none"] / runs > 0.08
    assert alarms["holm"] / runs <= LEVEL + MARGIN[runs]
    assert _kept(alarms["max_t"] / runs, runs)


@with_runs
@pytest.mark.parametrize(("n", "least"), [(50, None), (500, LEVEL)])
@pytest.mark.parametrize("tau", [-0.1, 0.1])
def test_equivalence_keeps_its_level_at_its_bounds(n, least, tau, runs):
    """50 models never show it; 500 do so as rarely as they may, and no more rarely."""
    rng = np.random.default_rng(n)
    correlation = math.sin(math.pi * tau / 2)
    found = []
    for x, noise in (rng.normal(size=(2, n)) for _ in range(runs)):
        found.append(equivalence(tau_b(x, correlation * x + math.sqrt(1 - correlation**2) * noise), n) <= LEVEL)
    assert np.mean(found) <= LEVEL + MARGIN[runs]
    assert least is None or np.mean(found) >= least - MARGIN[runs]


@with_runs
def test_equivalence_is_found_in_a_large_pool_and_never_in_one_of_50(runs):
    """Without association, 500 models show it with 2 Phi(atanh(0.1) / deviation - 1.645) - 1 = 0.905."""
    rng = np.random.default_rng(3)
    shares = {}
    for n in (50, 500):
        taus = [tau_b(*rng.normal(size=(2, n))) for _ in range(runs)]
        shares[n] = np.mean([equivalence(tau, n) <= LEVEL for tau in taus])
    deviation = math.sqrt(0.437 / 496)
    power = 2 * stats.norm.cdf(math.atanh(0.1) / deviation - stats.norm.ppf(0.95)) - 1
    assert shares[500] == pytest.approx(power, abs=0.02 if runs > FEW else 0.03)
    assert shares[50] == 0
