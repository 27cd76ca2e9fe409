"""tau, partial tau and max-T of models that come in clusters, against plain loops and all exchanges."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import kendall, max_t, partial_kendall
from adaptive_sharpness.stats.clustered import taus_without_each
from adaptive_sharpness.stats.partial import partial_correlation


def _pool(seed: int, levels: int = 1000, sizes=(3, 3, 2, 3, 1, 3, 2, 3)) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    values = (
        rng.integers(levels, size=(3, len(clusters))) + 0.5 * rng.integers(levels, size=(3, len(sizes)))[:, clusters]
    )
    order = rng.permutation(len(clusters))
    return *np.round(values)[:, order], clusters[order]


def _influences(x, y, clusters):
    """What the pairs of models of two clusters add to tau-b to the first order, by unordered pair of clusters."""
    sums: dict = {}
    for i, j in itertools.combinations(range(len(x)), 2):
        a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
        key = tuple(sorted((clusters[i], clusters[j])))
        sums[key] = sums.get(key, 0) + np.array([a * b, abs(a), abs(b), 1])
    both, untied_x, untied_y, _ = sum(sums.values())
    tau = both / math.sqrt(untied_x * untied_y)
    linear = {
        key: each[0] / math.sqrt(untied_x * untied_y) - tau / 2 * (each[1] / untied_x + each[2] / untied_y)
        for key, each in sums.items()
    }
    return tau, linear, {key: each[3] for key, each in sums.items()}


def _interval(statistic, linear, pairs, clusters):
    keys = list(linear)
    total = sum(pairs.values())
    variance = sum(linear[a] * linear[b] for a in keys for b in keys if set(a) & set(b))
    variance = max(variance, sum(each**2 for each in linear.values()))
    apart = sum(pairs[a] * pairs[b] for a in keys for b in keys if not set(a) & set(b)) / total**2
    half = scipy_stats.t.ppf(0.975, clusters - 1) * math.sqrt(variance / apart) / (1 - statistic**2)
    return np.tanh(math.atanh(statistic) + np.array([-half, half]))


@pytest.mark.parametrize("levels", [4, 1000])
def test_the_interval_is_that_of_pairs_of_clusters_in_plain_loops(levels):
    x, y, _, clusters = _pool(1, levels)
    found = kendall(x, y, clusters=clusters, permutations=0)
    tau, linear, pairs = _influences(x, y, clusters)
    assert found.statistic == pytest.approx(tau, abs=1e-12)
    assert found.statistic == kendall(x, y).statistic
    np.testing.assert_allclose(found.confidence_interval(), _interval(tau, linear, pairs, 8), rtol=1e-9)
    assert (found.n, found.clusters, found.pvalue, found.reason) == (20, 8, None, "")


def test_the_interval_of_a_partial_tau_is_that_of_the_linear_part_of_three():
    x, y, z, clusters = _pool(2)
    found = partial_kendall(x, y, z, clusters=clusters)
    three = [_influences(*pair, clusters) for pair in ((x, y), (x, z), (y, z))]
    taus = np.array([each[0] for each in three])
    steps = 1e-6 * np.eye(3)
    slopes = [(partial_correlation(*taus + step) - partial_correlation(*taus - step)) / 2e-6 for step in steps]
    linear = {key: sum(slope * each[1][key] for slope, each in zip(slopes, three, strict=True)) for key in three[0][1]}
    assert found.statistic == pytest.approx(float(partial_correlation(*taus)), abs=1e-12)
    wanted = _interval(found.statistic, linear, three[0][2], 8)
    np.testing.assert_allclose(found.confidence_interval(), wanted, rtol=1e-6)
    assert found.pvalue is partial_kendall(x, y, z).pvalue is None


@pytest.mark.parametrize("levels", [3, 1000])
def test_p_is_that_of_all_exchanges_of_whole_clusters(levels):
    """Three clusters of two and two of one: 12 exchanges."""
    x, y, _, _ = _pool(3, levels, (2, 2, 2, 1, 1))
    clusters = np.array([0, 0, 1, 1, 2, 2, 3, 4])
    found = kendall(x, y, clusters=clusters, permutations=4000)
    taus = []
    for turn in itertools.permutations(range(3)):
        for last in ([6, 7], [7, 6]):
            order = [*[2 * block + place for block in turn for place in (0, 1)], *last]
            taus.append(scipy_stats.kendalltau(x[order], y).statistic)
    wanted = np.mean(np.abs(taus) >= abs(found.statistic) - 1e-9)
    assert found.pvalue == pytest.approx(wanted, abs=0.03)
    several = max_t(np.stack([x, x**2]), y, clusters=clusters, permutations=4000)
    assert several.single_pvalue[0] == pytest.approx(wanted, abs=0.03)
    assert several.pvalue[0] >= several.single_pvalue[0]


def test_clusters_of_one_model_make_the_test_of_all_permutations():
    x, y, _, _ = _pool(4)
    found = kendall(x, y, clusters=np.arange(len(x)), permutations=4000)
    assert found.pvalue == pytest.approx(max_t(x[None], y, permutations=4000).pvalue[0], abs=0.03)


def test_clusters_without_a_match_leave_no_test():
    x, y, _, clusters = _pool(5, 1000, (1, 2, 3, 4))
    found = kendall(x, y, clusters=clusters)
    assert found.pvalue is None
    assert found.reason == "no two clusters can be exchanged: each has its own number of models"
    several = max_t(x[None], y, clusters=clusters, permutations=9)
    assert several.statistic[0] == pytest.approx(found.statistic)
    assert np.isnan([several.pvalue[0], several.single_pvalue[0]]).all()


def test_models_without_a_finite_value_are_left_out_with_their_cluster():
    x, y, z, clusters = _pool(6)
    x[0], z[1] = math.nan, math.inf
    left = np.isfinite(x)
    assert kendall(x, y, clusters=clusters) == kendall(x[left], y[left], clusters=clusters[left])
    left &= np.isfinite(z)
    found = partial_kendall(x, y, z, clusters=clusters)
    assert found == partial_kendall(x[left], y[left], z[left], clusters=clusters[left])


@pytest.mark.parametrize(
    ("x", "reason"),
    [([1, 1, 1, 1], "all values of x tie"), ([1, 2, math.nan, math.nan], "2 usable models, wanted at least 3")],
)
def test_where_there_is_no_tau_there_is_a_reason(x, reason):
    found = kendall(x, [1, 2, 3, 4], clusters=[0, 0, 1, 1])
    assert math.isnan(found.statistic)
    assert found.pvalue is None
    assert found.reason == reason
    assert np.isnan(found.confidence_interval()).all()
    assert np.isnan(partial_kendall(x, [1, 2, 3, 4], [1, 2, 4, 3], clusters=[0, 0, 1, 1]).confidence_interval()).all()


def test_three_clusters_of_one_model_are_too_few_for_an_interval():
    assert np.isnan(kendall(range(3), [1, 3, 2], clusters=range(3)).confidence_interval()).all()


@pytest.mark.parametrize(
    "function", [kendall, partial_kendall, lambda x, y, **options: max_t(np.array([x]), np.array(y), **options)]
)
def test_a_cluster_is_wanted_for_each_model(function):
    values = [[1.0, 2, 3]] * (3 if function is partial_kendall else 2)
    with pytest.raises(ValueError, match=r"^clusters: got 2, wanted one for each of 3 models$"):
        function(*values, clusters=[0, 1])


def test_a_negative_number_of_permutations_is_refused():
    with pytest.raises(ValueError, match=r"^permutations: got -1, wanted at least 0$"):
        kendall([1, 2, 3], [1, 2, 3], clusters=[0, 1, 2], permutations=-1)


@pytest.mark.filterwarnings("error")
def test_taus_without_each_cluster_are_scipys():
    """The values of the last two clusters tie, so that without the first nothing is left to order."""
    rng = np.random.default_rng(0)
    clusters = np.array([0, 1, 0, 2, 0, 0, 1, 2])
    x, y = rng.integers(5, size=(2, 8)).astype(float)
    x[clusters > 0] = 1
    wanted = [scipy_stats.kendalltau(x[clusters != each], y[clusters != each]).statistic for each in (1, 2)]
    found = taus_without_each(x, y, clusters)
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx(wanted, abs=1e-12)
