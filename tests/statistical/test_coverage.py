"""How often 95 % intervals hold the true value: pools of 50 models each, drawn from a seed."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.stats.kendall import fisher_interval, kendall
from adaptive_sharpness.stats.partial import gaussian_partial_kendall, partial_correlation, partial_kendall
from adaptive_sharpness.study.tables import ladder

N = 50
RESAMPLES = {400: 399, 5000: 999}  # by the number of pools
BOUNDS = {400: (0.92, 0.985), 5000: (0.93, 0.98)}  # three standard errors and what an interval may be too wide

with_pools = pytest.mark.parametrize("pools", [400, pytest.param(5000, marks=pytest.mark.slow)])


def _covers(held: dict[str, int], pools: int) -> bool:
    low, high = BOUNDS[pools]
    return all(low <= each / pools <= high for each in held.values())


def _gaussian(rng: np.random.Generator, correlations: list[list[float]]) -> np.ndarray:
    return np.linalg.cholesky(correlations) @ rng.normal(size=(len(correlations), N))


@with_pools
@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_intervals_cover_the_tau_of_a_gaussian(tau, pools):
    """Its correlation is sin(pi tau / 2)."""
    rng = np.random.default_rng(4)
    correlation = math.sin(math.pi * tau / 2)
    held = {"bca": 0, "fisher": 0}
    for run in range(pools):
        x, noise = rng.normal(size=(2, N))
        y = correlation * x + math.sqrt(1 - correlation**2) * noise
        found = kendall(x, y)
        low, high = found.confidence_interval(seed=run, resamples=RESAMPLES[pools])
        held["bca"] += low <= tau <= high
        low, high = fisher_interval(found.statistic, N)
        held["fisher"] += low <= tau <= high
    assert _covers(held, pools), held


@with_pools
@pytest.mark.parametrize(("xz", "yz", "given_z"), [(-0.9, 0.6, 0.0), (-0.4, 0.9, -0.4), (0.6, 0.96, 0.3)])
def test_intervals_cover_the_partial_taus_of_a_gaussian(xz, yz, given_z, pools):
    """Correlations with training loss as those of GAT, FCNN and LeNet-5 in the study; taus are (2/pi) asin of them."""
    rng = np.random.default_rng(6)
    xy = given_z * math.sqrt((1 - xz**2) * (1 - yz**2)) + xz * yz
    gaussian = 2 / math.pi * math.asin(given_z)
    kendalls = partial_correlation(*(2 / math.pi * np.arcsin([xy, xz, yz])))
    held = {"kendall": 0, "gaussian": 0}
    for run in range(pools):
        values = _gaussian(rng, [[1, xy, xz], [xy, 1, yz], [xz, yz, 1]])
        low, high = partial_kendall(*values).confidence_interval(seed=run, resamples=RESAMPLES[pools])
        held["kendall"] += low <= kendalls <= high
        low, high = gaussian_partial_kendall(*values).confidence_interval()
        held["gaussian"] += low <= gaussian <= high
    assert _covers(held, pools), held


@with_pools
@pytest.mark.parametrize("paired", [True, False])
def test_intervals_cover_the_change_of_tau_from_rung_to_rung(paired, pools, monkeypatch):
    """Rungs of one pool are as alike as two solvers of one ball: a correlation of 0.9."""
    monkeypatch.setattr(ladder, "RESAMPLES", RESAMPLES[pools])
    rng = np.random.default_rng(7)
    taus = np.array([-0.2, -0.4])
    first, second = np.sin(math.pi / 2 * taus)
    held = {"change": 0}
    for run in range(pools):
        if paired:
            old, new, test_loss = _gaussian(rng, [[1, 0.9, first], [0.9, 1, second], [first, second, 1]])
            drawn = (old, test_loss), (new, test_loss)
        else:
            drawn = [_gaussian(rng, [[1, each], [each, 1]]) for each in (first, second)]
        rungs = [pd.DataFrame({"value": x, "test_loss": y}) for x, y in drawn]
        change = ladder._delta(*rungs, paired, run)  # all of the ladder would take ten times as long
        held["change"] += change["delta_low"] <= taus[1] - taus[0] <= change["delta_high"]
    assert _covers(held, pools), held
