"""How often 95 % intervals hold the true tau: 5,000 pools of 50 models each, drawn from a seed."""

import math

import numpy as np
import pytest

from adaptive_sharpness.correlation import fisher, kendall

RUNS = 5000
N = 50

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_intervals_cover_the_tau_of_a_gaussian(tau):
    """Its correlation is sin(pi tau / 2)."""
    rng = np.random.default_rng(4)
    correlation = math.sin(math.pi * tau / 2)
    held = {"bca": 0, "fisher": 0}
    for run in range(RUNS):
        x, noise = rng.normal(size=(2, N))
        found = kendall(x, correlation * x + math.sqrt(1 - correlation**2) * noise, seed=run, resamples=999)
        held["bca"] += found.low <= tau <= found.high
        low, high = fisher(found.tau, N)
        held["fisher"] += low <= tau <= high
    assert all(0.93 <= each / RUNS <= 0.98 for each in held.values()), held
