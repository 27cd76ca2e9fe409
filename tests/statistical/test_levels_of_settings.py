"""How often tests reject in pools of settings and repeats where there is nothing to find.

What each null says, and what is exchanged:

- tau over all models, tau between settings, Psi, mean sign error, K and max-T: settings are exchangeable in mu,
  whatever g is. Whole settings are exchanged.
- psi_i: settings that differ in axis i alone are exchangeable in mu, whatever other axes do to mu and to g. Settings
  are exchanged within cells.
- tau within settings: repeats of a setting are exchangeable in mu, whatever settings do. Repeats are exchanged.

In all pools g rises with the levels of every axis, and models of one setting are alike in mu and in g.
"""

from collections import Counter

import numpy as np
import pytest
from pools import Pool, pool
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import (
    conditional_information,
    granulated,
    kendall,
    max_t,
    sign_error,
    within_between,
)

LEVEL = 0.05
PERMUTATIONS = 99
MORE_PERMUTATIONS = 999
QUICK = 400
FEW = 250
# Four standard errors of a share of 0.05; psi_i of 9 cells takes few values, so that no test of it has a level of 0.05.
MARGIN = {FEW: 0.045, QUICK: 0.04, 2000: 0.02}
PSI_LEAST = {3: 0.0345, 4: 0.0437, 5: 0.0483}  # attainable levels of 9, 27 and 81 cells of three settings, exactly
SLOW = [pytest.param(axes, 2000, marks=pytest.mark.slow) for axes in (3, 4, 5)]

with_pools = pytest.mark.parametrize(("axes", "pools"), [(3, QUICK), *SLOW])
with_few_pools = pytest.mark.parametrize(("axes", "pools"), [(3, FEW), *SLOW])


def _drawn(seed: int, axes: int, pools: int, **effects) -> list[Pool]:
    rng = np.random.default_rng(seed)
    return [pool(rng, axes, g_effects=np.arange(1, axes + 1) / axes, **effects) for _ in range(pools)]


def shares(pvalues: list[dict[str, float]]) -> dict[str, float]:
    """How often each p is at most 0.05."""
    rejected: Counter = Counter()
    for each in pvalues:
        rejected.update({name: bool(p <= LEVEL) for name, p in each.items()})
    return {name: count / len(pvalues) for name, count in rejected.items()}


def of_settings(run: int, drawn: Pool) -> dict[str, float]:
    """p where whole settings are exchanged, and that of rows as if they were independent."""
    mu, g, axes, setting = drawn
    options = {"seed": run, "permutations": PERMUTATIONS}
    return {
        "tau": kendall(mu, g, clusters=setting, **options).pvalue,
        "between": within_between(mu, g, setting, **options).between.pvalue,
        "Psi": granulated(mu, g, axes, **options).pvalue,
        "mean sign error": sign_error(mu, g, axes, **options).pvalue,
        "rows": scipy_stats.kendalltau(mu, g).pvalue,
    }


def of_information(run: int, drawn: Pool) -> dict[str, float]:
    """p of K."""
    mu, g, axes, _ = drawn
    return {"K": conditional_information(mu, g, axes, seed=run, permutations=PERMUTATIONS).pvalue}


def of_the_largest(run: int, drawn: Pool) -> dict[str, float]:
    """The smaller adjusted p of two measures, each with the same settings."""
    mu, g, _, setting = drawn
    other = mu + np.random.default_rng(run).normal(size=len(mu))
    found = max_t(np.stack([mu, other]), g, clusters=setting, seed=run, permutations=PERMUTATIONS)
    return {"max_t": found.pvalue.min()}


def of_axes_and_repeats(run: int, drawn: Pool) -> dict[str, float]:
    """p where settings are exchanged within cells, and repeats within settings.

    Both statistics take few values: a p from few exchanges would be too coarse for its level.
    """
    mu, g, axes, setting = drawn
    options = {"seed": run, "permutations": MORE_PERMUTATIONS}
    return {
        "psi": granulated(mu, g, axes, **options).by_axis["axis 0"].pvalue,
        "within": within_between(mu, g, setting, **options).within.pvalue,
    }


@with_pools
def test_tests_by_exchange_of_settings_keep_their_level(axes, pools):
    """Rows as if they were independent reject far too often."""
    found = shares([of_settings(run, each) for run, each in enumerate(_drawn(11, axes, pools))])
    rows = found.pop("rows")
    assert rows > 0.1
    assert all(abs(share - LEVEL) <= MARGIN[pools] for share in found.values()), found


@with_few_pools
def test_the_test_of_k_keeps_its_level(axes, pools):
    found = shares([of_information(run, each) for run, each in enumerate(_drawn(12, axes, pools))])
    assert abs(found["K"] - LEVEL) <= MARGIN[pools], found


@with_pools
def test_max_t_of_clusters_keeps_its_level(axes, pools):
    found = shares([of_the_largest(run, each) for run, each in enumerate(_drawn(13, axes, pools))])
    assert abs(found["max_t"] - LEVEL) <= MARGIN[pools], found


@with_few_pools
def test_tests_of_one_axis_and_of_repeats_keep_their_level(axes, pools):
    """mu and g both rise with all other axes; settings differ in both."""
    effects = np.array([0.0, *[1.0] * (axes - 1)])
    drawn = _drawn(14, axes, pools, between=0.0, mu_effects=effects)
    found = shares([of_axes_and_repeats(run, each) for run, each in enumerate(drawn)])
    assert abs(found["within"] - LEVEL) <= MARGIN[pools], found
    assert PSI_LEAST[axes] - MARGIN[pools] <= found["psi"] <= LEVEL + MARGIN[pools], found
