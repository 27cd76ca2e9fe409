"""K against plain loops over pairs, its null against all exchanges, and the reasons why there may be none."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_tables import FEW, KINDS, settings, table

from adaptive_sharpness.stats import conditional_information

SMALL = {"rate": [1, 1, 1, 2, 2], "width": [1, 2, 3, 1, 2]}


def _information(found: dict, given_axes: tuple) -> float:
    """I(V_mu; V_g given U_S) / H(V_g given U_S) from counts of ordered pairs; nan where H is 0."""
    joint: Counter = Counter()
    for (a, (mu_a, g_a)), (b, (mu_b, g_b)) in itertools.permutations(found.items(), 2):
        levels = tuple((a[axis], b[axis]) for axis in given_axes)
        joint[levels, bool(mu_a > mu_b), bool(g_a > g_b)] += 1
    total = sum(joint.values())
    cells, by_mu, by_g = Counter(), Counter(), Counter()
    for (levels, v_mu, v_g), count in joint.items():
        cells[levels] += count
        by_mu[levels, v_mu] += count
        by_g[levels, v_g] += count
    entropy = sum(count / total * math.log(cells[levels] / count) for (levels, _), count in by_g.items())
    information = sum(
        count / total * math.log(count * cells[levels] / (by_mu[levels, v_mu] * by_g[levels, v_g]))
        for (levels, v_mu, v_g), count in joint.items()
    )
    return information / entropy if entropy else math.nan


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_each_set_of_axes_is_counted_as_in_plain_loops(kind, seed):
    mu, g, axes = table(kind, seed)
    found, by_levels = conditional_information(mu, g, axes, permutations=1), settings(mu, g, axes)
    names = list(axes)
    sets = [given for size in range(3) for given in itertools.combinations(range(3), size)]
    wanted = {tuple(names[axis] for axis in each): _information(by_levels, each) for each in sets}
    assert list(found.by_set) == list(wanted)
    for name, value in wanted.items():
        assert found.by_set[name].statistic == pytest.approx(value, abs=1e-12, nan_ok=True)
    assert found.statistic == pytest.approx(np.nanmin(list(wanted.values())), abs=1e-12)
    assert found.by_set[found.given].statistic == found.statistic
    assert found.n == len(by_levels)


@pytest.mark.parametrize(("models", "levels"), [(130, 2), (300, 1), (70, 70), (90, 30)])
def test_groups_of_any_size_are_counted(models, levels):
    """Words of 8, 16, 32 and 64 bits, and several to a group."""
    rng = np.random.default_rng(models)
    mu, g = rng.integers(20, size=(2, models)).astype(float)
    axes = {"rate": rng.integers(levels, size=models), "model": np.arange(models)}
    found = conditional_information(mu, g, axes, most_given=1, permutations=1)
    by_levels = settings(mu, g, axes)
    for given_axes, name in (((), ()), ((0,), ("rate",)), ((1,), ("model",))):
        wanted = _information(by_levels, given_axes)
        assert found.by_set[name].statistic == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_an_axis_with_a_level_for_each_setting_has_no_entropy_and_leaves_the_others_alone():
    mu, g, axes = table("holes", 3)
    found = conditional_information(mu, g, axes | {"run": np.arange(len(mu))}, permutations=1)
    without = conditional_information(mu, g, axes, permutations=1)
    wanted = {given: each.statistic for given, each in without.by_set.items()}
    assert {given: each.statistic for given, each in found.by_set.items() if "run" not in given} == wanted
    assert all(math.isnan(each.statistic) for given, each in found.by_set.items() if "run" in given)
    assert found.statistic == without.statistic


def test_the_null_is_that_of_all_exchanges():
    mu, g = np.array([1.0, 2, 3, 5, 4]), np.array([1.0, 2, 3, 4, 5])
    found = conditional_information(mu, g, SMALL, permutations=3000)
    orders = itertools.permutations(range(5))
    drawn = [conditional_information(mu[list(order)], g, SMALL, permutations=1).statistic for order in orders]
    assert found.null_mean == pytest.approx(np.mean(drawn), abs=0.02)
    assert found.pvalue == pytest.approx(np.mean(np.array(drawn) >= found.statistic - 1e-9), abs=0.03)


@FEW
@given(st.integers(0, 2**32 - 1))
def test_k_knows_orders_alone_and_lies_between_0_and_1(seed):
    mu, g, axes = table("holes", seed % 1000)
    one = conditional_information(mu, g, axes, permutations=1)
    order = np.random.default_rng(seed).permutation(len(mu))
    shuffled = {name: values[order] for name, values in axes.items()}
    other = conditional_information(np.exp(mu[order]), -g[order], shuffled, permutations=1)
    assert 0 <= one.statistic <= 1
    assert other.statistic == pytest.approx(one.statistic, abs=1e-12)


def test_a_measure_that_orders_as_g_does_tells_all_and_a_constant_tells_nothing():
    _, g, axes = table("full", 0)
    assert conditional_information(-g, g, axes, permutations=19).statistic == pytest.approx(1, abs=1e-12)
    constant = conditional_information(np.ones(len(g)), g, axes, permutations=19)
    assert (constant.statistic, constant.null_mean, constant.pvalue) == (0, 0, 1)


def test_there_is_no_interval_and_a_reason_for_it():
    mu, g, axes = table("full", 0)
    found = conditional_information(mu, g, axes, permutations=19)
    assert np.isnan(found.confidence_interval()).all()
    assert "not consistent" in found.interval_reason


def test_settings_are_exchanged_with_those_that_have_as_many_repeats():
    axes = {"rate": np.repeat([1, 2, 3], [1, 2, 3])}
    found = conditional_information(np.arange(6.0), np.arange(6.0), axes, permutations=19)
    assert (found.statistic, found.pvalue) == (1, None)
    assert math.isnan(found.null_mean)
    assert found.reason == "no two settings can be exchanged: each has its own number of repeats"


@pytest.mark.parametrize(
    ("mu", "g", "reason"),
    [
        ([1, 2, math.nan], [1, 2, 3], "2 usable settings, wanted at least 3"),
        ([1, 2, 3], [1, 1, 1], "all values of g tie"),
    ],
)
def test_where_there_is_no_k_there_is_a_reason(mu, g, reason):
    found = conditional_information(mu, g, {"rate": [1, 2, 3]}, permutations=19)
    assert math.isnan(found.statistic)
    assert (found.pvalue, found.given, found.by_set) == (None, None, {})
    assert found.reason == reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"permutations": 0}, "permutations: got 0, wanted at least 1: K is not to be read without its null"),
        ({"most_given": -1}, "most_given: got -1, wanted at least 0"),
    ],
)
def test_numbers_out_of_their_range_are_refused(options, message):
    with pytest.raises(ValueError, match="got") as caught:
        conditional_information([1, 2, 3], [1, 2, 3], {"rate": [1, 2, 3]}, **options)
    assert str(caught.value) == message


def test_p_follows_from_its_seed():
    mu, g, axes = table("full", 3)
    one, again, other = (conditional_information(mu, g, axes, seed=seed, permutations=99) for seed in (0, 0, 1))
    assert one == again
    assert one.null_mean != other.null_mean
