"""psi_i and Psi against plain loops, their nulls against all exchanges, and the reasons why there may be none."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_tables import FEW, KINDS, settings, table
from scipy import stats as scipy_stats

from adaptive_sharpness.stats import granulated, kendall

SMALL = {"rate": np.array([1, 1, 1, 2, 2, 2]), "width": np.array([1, 2, 3] * 2)}


def _psi(found: dict, axis: int) -> tuple[float, int, int]:
    """The mean of scipy's tau over cells, and how many cells have one and have none."""
    cells: dict[tuple, list] = {}
    for levels, values in found.items():
        cells.setdefault(levels[:axis] + levels[axis + 1 :], []).append(values)
    taus = [scipy_stats.kendalltau(*zip(*cell, strict=True)).statistic for cell in cells.values() if len(cell) > 1]
    there = [tau for tau in taus if not math.isnan(tau)]
    return (np.mean(there) if there else math.nan), len(there), len(taus) - len(there)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_psi_is_the_mean_of_scipys_tau_over_cells(kind, seed):
    mu, g, axes = table(kind, seed)
    found, wanted = granulated(mu, g, axes, permutations=0), settings(mu, g, axes)
    psi = [_psi(wanted, axis) for axis in range(3)]
    for axis, (statistic, cells, without) in zip(found.by_axis.values(), psi, strict=True):
        assert axis.statistic == pytest.approx(statistic, abs=1e-12, nan_ok=True)
        assert (axis.cells, axis.cells_without) == (cells, without)
    assert found.statistic == pytest.approx(np.nanmean([each[0] for each in psi]), abs=1e-12)
    assert found.n == len(wanted)
    assert found.pvalue is None
    assert found.reason == ""


def test_models_without_a_finite_value_are_left_out():
    mu, g, axes = table("repeats", 1)
    mu[3], g[5] = math.nan, math.inf
    kept = np.isfinite(mu) & np.isfinite(g)
    without = granulated(mu[kept], g[kept], {name: values[kept] for name, values in axes.items()}, permutations=9)
    assert granulated(mu, g, axes, permutations=9).statistic == without.statistic


@FEW
@given(st.integers(0, 2**32 - 1))
def test_psi_knows_orders_alone_and_its_sign_turns_with_the_measure(seed):
    mu, g, axes = table("holes", seed % 1000)
    one = granulated(mu, g, axes, permutations=0)
    order = np.random.default_rng(seed).permutation(len(mu))
    shuffled = {name: values[order] for name, values in axes.items()}
    other = granulated(np.exp(mu[order]), 3 * g[order] - 1, shuffled, permutations=0)
    assert other.statistic == pytest.approx(one.statistic, abs=1e-12)
    assert other.confidence_interval() == pytest.approx(one.confidence_interval(), abs=1e-9, nan_ok=True)
    assert granulated(-mu, g, axes, permutations=0).statistic == pytest.approx(-one.statistic, abs=1e-12)


def test_p_of_psi_is_that_of_all_exchanges_of_settings():
    mu, g = np.array([1.0, 4, 2, 5, 3, 6]), np.array([1.0, 2, 3, 6, 5, 4])
    found = granulated(mu, g, SMALL, permutations=4000)
    drawn = [
        granulated(mu[list(order)], g, SMALL, permutations=0).statistic for order in itertools.permutations(range(6))
    ]
    assert found.pvalue == pytest.approx(np.mean(np.abs(drawn) >= abs(found.statistic) - 1e-9), abs=0.03)


def test_p_of_an_axis_is_that_of_all_exchanges_within_its_cells():
    mu, g = np.array([1.0, 2, 3, 5, 4, 6]), np.array([1.0, 2, 3, 4, 5, 6])
    found = granulated(mu, g, SMALL, permutations=4000).by_axis["width"]
    turns = list(itertools.permutations(range(3)))
    taus = [scipy_stats.kendalltau(range(3), turn).statistic for turn in turns]
    drawn = [(one + other) / 2 for one in taus for other in taus]
    assert found.statistic == pytest.approx(2 / 3)
    assert found.pvalue == pytest.approx(np.mean(np.abs(drawn) >= 2 / 3 - 1e-9), abs=0.03)


def test_settings_are_exchanged_with_those_that_have_as_many_repeats():
    """Of four settings no two have as many: nothing can be exchanged."""
    axes = {"rate": np.repeat([1, 2, 3, 4], [1, 2, 3, 4])}
    found = granulated(np.arange(10.0), np.arange(10.0) ** 2, axes)
    assert (found.statistic, found.pvalue, found.by_axis["rate"].pvalue) == (1, None, None)
    assert found.reason == "no two settings can be exchanged: each has its own number of repeats"


def test_clusters_are_exchanged_as_a_whole():
    mu, g = np.array([1.0, 4, 2, 5, 3, 6]), np.array([1.0, 2, 3, 6, 5, 4])
    found = granulated(mu, g, SMALL, clusters=SMALL["rate"], permutations=999)
    swapped = granulated(mu[[3, 4, 5, 0, 1, 2]], g, SMALL, permutations=0)
    reached = abs(swapped.statistic) >= abs(found.statistic) - 1e-9
    assert found.pvalue == (1 if reached else pytest.approx(0.5, abs=0.06))


def _variance(found: list[tuple], sharing) -> float:
    """Sum over ordered pairs of dyads that share a setting of the product of errors, in plain loops."""
    return sum(one[0] * other[0] for one in found for other in found if sharing(one, other))


def test_the_interval_is_that_of_dyads_in_plain_loops():
    mu, g, axes = table("full", 5)
    found, by_levels = granulated(mu, g, axes, permutations=0), settings(mu, g, axes)
    names = list(by_levels)
    dyads = []
    for a, b in itertools.combinations(names, 2):
        differing = [axis for axis in range(3) if a[axis] != b[axis]]
        if len(differing) == 1:
            axis = differing[0]
            sign = np.prod(np.sign(np.subtract(by_levels[a], by_levels[b])))
            dyads.append((axis, frozenset((a[axis], b[axis])), sign, {a, b}))
    share = {axis: 1 / sum(each[0] == axis for each in dyads) / 3 for axis in range(3)}
    errors = []
    for axis, kind, sign, ends in dyads:
        like = [each[2] for each in dyads if each[:2] == (axis, kind)]
        scale = math.sqrt(len(like) / (len(like) - 1))
        errors.append((share[axis] * (sign - np.mean(like)) * scale, ends, share[axis]))
    variance = _variance(errors, lambda one, other: one[1] & other[1])
    variance = max(variance, sum(each[0] ** 2 for each in errors))
    apart = sum(one[2] * other[2] for one in errors for other in errors if not one[1] & other[1])
    half = scipy_stats.t.ppf(0.975, len(names) - 1) * math.sqrt(variance / apart) / (1 - found.statistic**2)
    wanted = np.tanh(math.atanh(found.statistic) + np.array([-half, half]))
    np.testing.assert_allclose(found.confidence_interval(), wanted, rtol=1e-9)
    assert found.confidence_interval(0.5).low > found.confidence_interval(0.95).low


@pytest.mark.parametrize(
    ("mu", "g", "axes", "reason"),
    [
        ([1, 1], [1, 2], {"rate": [1, 1]}, "1 usable setting, wanted at least 2"),
        ([math.nan] * 3, [1, 2, 3], {"rate": [1, 2, 3]}, "0 usable settings, wanted at least 2"),
        ([1, 1, 1], [1, 2, 3], {"rate": [1, 2, 3]}, "all values of mu tie"),
        ([1, 1, 1], [2, 2, 2], {"rate": [1, 2, 3]}, "all values of mu and of g tie"),
        ([1, 2, 3], [1, 2, 3], {"rate": [1, 2, 3], "width": [1, 2, 3]}, "no two settings differ in one axis alone"),
        (
            [1, 1, 2, 2],
            [1, 2, 3, 4],
            {"rate": [1, 1, 2, 2], "seed": [1, 2, 3, 4]},
            "all values of mu or of g tie in every cell",
        ),
    ],
)
def test_where_there_is_no_psi_there_is_a_reason(mu, g, axes, reason):
    found = granulated(mu, g, axes, permutations=19)
    assert math.isnan(found.statistic)
    assert found.pvalue is None
    assert found.reason == reason
    assert np.isnan(found.confidence_interval()).all()


def test_an_axis_of_one_level_has_no_psi_and_leaves_the_mean_alone():
    mu, g, axes = table("full", 2)
    found = granulated(mu, g, axes | {"epochs": np.ones(len(mu))}, permutations=19)
    assert found.statistic == granulated(mu, g, axes, permutations=19).statistic
    assert math.isnan(found.by_axis["epochs"].statistic)
    assert found.by_axis["epochs"].pvalue is None
    assert found.by_axis["epochs"].reason == "one level"
    assert np.isnan(found.by_axis["epochs"].confidence_interval()).all()


def test_cells_that_tie_in_all_are_counted_and_said():
    axes = {"rate": [1, 1, 2, 2], "width": [1, 2, 1, 2]}
    found = granulated([1, 1, 2, 3], [1, 2, 3, 4], axes, permutations=0)
    assert (found.by_axis["width"].cells, found.by_axis["width"].cells_without) == (1, 1)
    found = granulated([1, 1, 2, 2], [1, 2, 3, 4], axes, permutations=0)
    assert found.by_axis["width"].reason == "all values of mu or of g tie in each of 2 cells"
    assert found.statistic == found.by_axis["rate"].statistic == 1


def test_one_cell_is_kendalls_tau():
    rng = np.random.default_rng(0)
    mu, g = rng.integers(5, size=(2, 12)).astype(float)
    found = granulated(mu, g, {"rate": np.arange(12)}, permutations=0)
    assert found.statistic == pytest.approx(kendall(mu, g).statistic, abs=1e-12)


def test_two_settings_have_a_psi_and_no_interval():
    found = granulated([1, 2], [2, 1], {"rate": [1, 2]})
    assert (found.statistic, found.pvalue, found.reason) == (-1, 1, "")
    assert np.isnan(found.confidence_interval()).all()


def test_p_follows_from_its_seed():
    mu, g, axes = table("full", 3)
    one, again, other = (granulated(mu, g, axes, seed=seed, permutations=999) for seed in (0, 0, 1))
    assert one == again
    assert one.pvalue != other.pvalue


def test_a_negative_number_of_permutations_is_refused():
    with pytest.raises(ValueError, match=r"^permutations: got -1, wanted at least 0$"):
        granulated([1, 2, 3], [1, 2, 3], {"rate": [1, 2, 3]}, permutations=-1)
