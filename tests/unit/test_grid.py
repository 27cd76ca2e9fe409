"""Settings, exchanges and counts of pairs against plain loops, and what is refused."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_tables import FEW

from adaptive_sharpness import stats
from adaptive_sharpness.stats.bits import Columns, ordered
from adaptive_sharpness.stats.dyadic import dyadic_variance
from adaptive_sharpness.stats.exchange import of_clusters, within_strata
from adaptive_sharpness.stats.grid import dyads, joint, read_grid
from adaptive_sharpness.stats.settings import read_repeats

rows = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40)


def test_the_public_names_are_functions():
    assert all(callable(getattr(stats, name)) for name in stats.__all__)


def test_a_table_is_as_good_as_a_mapping():
    axes = {"rate": [0.1, 0.2, 0.1, 0.2, 0.2], "optimiser": ["sgd", "sgd", "sam", "sam", "sam"]}
    mu, g = [1, 2, 4, 3, 5], [1, 2, 3, 4, 5]
    table = pd.DataFrame(axes).astype({"optimiser": "category"})
    assert stats.granulated(mu, g, table) == stats.granulated(mu, g, axes)


@FEW
@given(rows)
def test_settings_are_the_rows_that_are_alike(levels):
    columns = list(zip(*levels, strict=True))
    grid = read_grid({f"axis {place}": column for place, column in enumerate(columns)}, len(levels))
    for one, other in itertools.combinations(range(len(levels)), 2):
        assert (grid.setting[one] == grid.setting[other]) == (levels[one] == levels[other])
    assert grid.repeats.sum() == len(levels)
    values = np.arange(float(len(levels)))
    wanted = [
        np.mean([v for v, row in zip(values, levels, strict=True) if row == each]) for each in dict.fromkeys(levels)
    ]
    np.testing.assert_allclose(grid.means(values), wanted)
    assert joint(grid.levels).tolist() == list(range(len(grid.levels)))


@FEW
@given(rows)
def test_dyads_are_the_pairs_of_settings_that_differ_in_one_axis(levels):
    levels = list(dict.fromkeys(levels))
    grid = read_grid({str(place): column for place, column in enumerate(zip(*levels, strict=True))}, len(levels))
    found = dyads(grid)
    wanted = set()
    for one, other in itertools.combinations(range(len(levels)), 2):
        differing = [axis for axis in range(3) if levels[one][axis] != levels[other][axis]]
        if len(differing) == 1:
            wanted.add((differing[0], one, other))
    assert sorted(zip(found.axis.tolist(), found.first.tolist(), found.second.tolist(), strict=True)) == sorted(wanted)
    for axis, first, second in zip(found.axis, found.first, found.second, strict=True):
        assert found.cell[axis, first] == found.cell[axis, second]
        assert grid.levels[first, axis] != grid.levels[second, axis]


@FEW
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=50))
def test_bits_count_the_pairs_of_each_two_groups(models):
    group, values = joint(np.array([[group] for group, _ in models])), np.array([float(value) for _, value in models])
    columns = Columns(group)
    counts = columns.counts(columns.above(ordered(values)))
    wanted = np.zeros_like(counts)
    for (u, x), (v, y) in itertools.product(zip(group, values, strict=True), repeat=2):
        wanted[u, v] += x > y
    np.testing.assert_array_equal(counts, wanted)


@FEW
@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 99))
def test_exchanges_stay_within_strata_and_are_permutations(strata, seed):
    strata = np.array(strata)
    (found,) = within_strata(strata, np.random.default_rng(seed), 5)
    for order in found:
        assert sorted(order) == list(range(len(strata)))
        np.testing.assert_array_equal(strata[order], strata)


def test_all_exchanges_are_as_frequent():
    (found,) = within_strata(np.zeros(3, dtype=int), np.random.default_rng(0), 12_000)
    counts = np.unique(found, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts - 2000).max() < 170  # 4 standard deviations


def test_clusters_are_exchanged_with_those_of_as_many_units_with_as_many_repeats():
    clusters = np.array([0, 1, 0, 1, 2, 2, 3])
    repeats = np.array([3, 3, 2, 2, 3, 3, 3])
    (found,) = of_clusters(clusters, np.random.default_rng(0), 50, repeats)
    assert {tuple(order) for order in found.tolist()} == {(0, 1, 2, 3, 4, 5, 6), (1, 0, 3, 2, 4, 5, 6)}


@FEW
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(-3, 3)), min_size=1, max_size=20))
def test_the_dyadic_variance_sums_products_of_pairs_that_share_a_member(pairs):
    first, second, errors = (np.array(each) for each in zip(*pairs, strict=True))
    keys = [frozenset(pair[:2]) for pair in pairs]
    shared = sum(errors[a] * errors[b] for a, b in itertools.product(range(len(keys)), repeat=2) if keys[a] & keys[b])
    own = sum(errors[a] * errors[b] for a, b in itertools.product(range(len(keys)), repeat=2) if keys[a] == keys[b])
    assert dyadic_variance(errors.astype(float), first, second) == pytest.approx(max(shared, own), abs=1e-9)


@pytest.mark.parametrize(
    ("axes", "clusters", "message"),
    [
        ({}, None, "axes: got none, wanted at least one"),
        ({"rate": [1, 2]}, None, "axis rate: got an array of shape (2,), wanted one level for each of 3 models"),
        ({"rate": [1, 2, math.nan]}, None, "axis rate: got no value for 1 of 3 models"),
        ({"rate": [None, "a", None]}, None, "axis rate: got no value for 2 of 3 models"),
        (
            {"rate": [1, 1, 2]},
            [0, 1, 1],
            "clusters: got models of one setting in several clusters, wanted every setting in one",
        ),
        ({"rate": [1, 1, 2]}, [0, 1], "clusters: got 2, wanted one for each of 3 models"),
    ],
)
def test_what_does_not_fit_is_refused(axes, clusters, message):
    with pytest.raises(ValueError, match="got") as caught:
        read_repeats([1, 2, 3], [1, 2, 3], axes, clusters)
    assert str(caught.value) == message


def test_values_of_several_lengths_are_refused():
    with pytest.raises(
        ValueError, match=r"^values: got mu of shape \(2,\), g of shape \(3,\), wanted one value a model each$"
    ):
        read_repeats([1, 2], [1, 2, 3], {"rate": [1, 2, 3]}, None)
