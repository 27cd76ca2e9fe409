"""tau within and between settings against plain loops, their nulls, and why there may be none."""

import itertools
import math

import numpy as np
import pytest
from made_up_tables import table
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import kendall, within_between


def _pool(seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mu, g, axes = table("all of these" if ties else "repeats", seed)
    return mu, g, np.array(["-".join(map(str, levels)) for levels in zip(*axes.values(), strict=True)])


def _within(mu, g, clusters):
    """Sums over pairs that share a setting, and each setting's part of them, in plain loops."""
    sums: dict = {}
    for i, j in itertools.combinations(range(len(mu)), 2):
        if clusters[i] == clusters[j]:
            a, b = np.sign(mu[i] - mu[j]), np.sign(g[i] - g[j])
            sums[clusters[i]] = sums.get(clusters[i], 0) + np.array([a * b, abs(a), abs(b)])
    return np.array(list(sums.values()))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_both_taus_are_those_of_plain_loops(seed, ties):
    mu, g, clusters = _pool(seed, ties)
    found = within_between(mu, g, clusters, permutations=0)
    parts = _within(mu, g, clusters)
    both, untied_mu, untied_g = parts.sum(axis=0)
    tau = both / math.sqrt(untied_mu * untied_g)
    assert found.within.statistic == pytest.approx(tau, abs=1e-12)
    names = list(dict.fromkeys(clusters))
    means = np.array(
        [(np.mean(np.sort(mu[clusters == name])), np.mean(np.sort(g[clusters == name]))) for name in names]
    )
    assert found.between.statistic == pytest.approx(scipy_stats.kendalltau(*means.T).statistic, abs=1e-12)
    assert found.within.clusters == len(parts)
    assert found.between.clusters == found.between.n == len(names)
    linear = parts[:, 0] / math.sqrt(untied_mu * untied_g) - tau / 2 * (
        parts[:, 1] / untied_mu + parts[:, 2] / untied_g
    )
    error = math.sqrt((linear**2).sum() * len(parts) / (len(parts) - 1)) / (1 - tau**2)
    half = scipy_stats.t.ppf(0.975, len(parts) - 1) * error
    wanted = np.tanh(math.atanh(tau) + np.array([-half, half]))
    np.testing.assert_allclose(found.within.confidence_interval(), wanted, rtol=1e-9)
    assert found.statistic == (found.within.statistic, found.between.statistic)
    assert found.pvalue == (None, None)
    assert found.confidence_interval(0.9)[1] == found.between.confidence_interval(0.9)


def test_p_within_is_that_of_all_exchanges_of_repeats():
    mu, g = np.array([1.0, 2, 3, 11, 13, 12]), np.array([1.0, 2, 3, 4, 5, 6])
    clusters = [0, 0, 0, 1, 1, 1]
    found = within_between(mu, g, clusters, permutations=4000).within
    turns = [list(turn) for turn in itertools.permutations(range(3))]
    drawn = [within_between(np.r_[mu[:3][a], mu[3:][b]], g, clusters, permutations=0) for a in turns for b in turns]
    wanted = np.mean([abs(each.within.statistic) >= abs(found.statistic) - 1e-9 for each in drawn])
    assert found.pvalue == pytest.approx(wanted, abs=0.03)


def test_settings_are_exchanged_with_those_that_have_as_many_repeats():
    found = within_between(np.arange(10.0), np.arange(10.0), np.repeat([0, 1, 2, 3], [1, 2, 3, 4])).between
    assert (found.statistic, found.pvalue) == (1, None)
    assert found.reason == "no two clusters can be exchanged: each has its own number of models"


def test_single_models_leave_the_tau_between_them_alone():
    rng = np.random.default_rng(0)
    mu, g = rng.normal(size=(2, 20))
    found = within_between(mu, g, np.arange(20), permutations=99)
    assert found.within.reason == "no setting has two models"
    assert math.isnan(found.within.statistic)
    assert found.within.pvalue is None
    assert found.between.statistic == pytest.approx(kendall(mu, g).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("mu", "within", "between"),
    [
        ([1, 1, 2, 2, 3, 3], "all values of mu or of g tie within each setting", ""),
        ([1, 2, 1, 2, 1, 2], "", "all values of mu tie"),
        ([math.nan] * 6, "no setting has two models", "0 usable settings, wanted at least 3"),
    ],
)
def test_where_there_is_no_tau_there_is_a_reason(mu, within, between):
    found = within_between(mu, [1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2], permutations=19)
    assert (found.within.reason, found.between.reason) == (within, between)
    assert [math.isnan(each) for each in found.statistic] == [within != "", between != ""]
    assert [each is None for each in found.pvalue] == [within != "", between != ""]


@pytest.mark.parametrize(
    ("clusters", "permutations", "message"),
    [
        ([0, 0, 1], -1, "permutations: got -1, wanted at least 0"),
        ([0, 0], 9, "clusters: got 2, wanted one for each of 3 models"),
        ([0, None, 1], 9, "clusters: got no value for 1 of 3 models"),
    ],
)
def test_what_does_not_fit_is_refused(clusters, permutations, message):
    with pytest.raises(ValueError, match="got") as caught:
        within_between([1, 2, 3], [1, 2, 3], clusters, permutations=permutations)
    assert str(caught.value) == message
