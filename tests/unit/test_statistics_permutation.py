"""Permutation p over a table: grids with models missing, rows without a tau, and Holm's correction of both families."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.stats.permutation import max_t
from adaptive_sharpness.study.tables.comparison import Comparison
from adaptive_sharpness.study.tables.statistics.permutation import permutation

Y = np.random.default_rng(0).normal(size=20)
X = Y * [[1], [0.6], [0.0]] + np.random.default_rng(1).normal(size=(3, 20))


def _grid(x: np.ndarray, **labels) -> list[Comparison]:
    """A grid of radii, each with its models."""
    labels = {"protocol": "report", "pool": "fcnn", "measure": "pga", "quantity": "sharpness", **labels}
    rows = [pd.DataFrame({"seed": range(20), "value": each, "test_loss": Y, "train_loss": 0.5}) for each in x]
    none = {"headline": True, "all_test_losses": pd.DataFrame(), "reliability": math.nan}
    return [Comparison(**{"rho": float(rho), **none, **labels}, models=each) for rho, each in enumerate(rows)]


def _of(comparisons: list[Comparison]) -> pd.DataFrame:
    return pd.DataFrame(permutation(comparisons, permutations=999), dtype=float)


def test_a_grid_is_tested_together_and_corrected_over_the_table():
    found = _of(_grid(X) + _grid(X[::-1], measure="other"))
    assert list(found) == ["permutation_p", "p_holm", "p_max_t"]
    wanted = max_t(X, Y, permutations=999)
    p = wanted.single_pvalue
    assert found["permutation_p"].tolist() == [*p, *p[::-1]]
    assert found["p_max_t"].tolist() == [*wanted.pvalue, *wanted.pvalue[::-1]]
    assert found["p_holm"].tolist() == holm(np.array([*p, *p[::-1]])).tolist()


def test_rows_stand_in_their_order_even_where_grids_are_mixed():
    one, other = _grid(X[:2]), _grid(X[1:], pool="gat")
    mixed = [each for pair in zip(one, other, strict=True) for each in pair]
    found, apart = _of(mixed), _of(one + other)
    assert found["p_max_t"].tolist() == apart["p_max_t"][[0, 2, 1, 3]].tolist()


def test_models_are_matched_by_seed():
    """At one radius of a grid alone they stand in reverse."""
    first, *others = _grid(X)
    turned = dataclasses.replace(first, models=first.models.iloc[::-1])
    pd.testing.assert_frame_equal(_of([*others, turned]), _of([*others, first]))


def test_a_model_that_one_radius_lacks_counts_at_the_others_but_not_over_the_grid():
    gaps = X.copy()
    gaps[1, 4], gaps[2, 7] = math.nan, math.inf
    found = _of(_grid(gaps))
    kept = np.isfinite(gaps).all(axis=0)
    assert found["p_max_t"].tolist() == max_t(X[:, kept], Y[kept], permutations=999).pvalue.tolist()
    there = [np.isfinite(x) for x in gaps]
    alone = [max_t(x[None, at], Y[at], permutations=999) for x, at in zip(gaps, there, strict=True)]
    wanted = [each.single_pvalue[0] for each in alone]
    assert found["permutation_p"].tolist() == wanted


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1.0, math.nan])
def test_a_radius_without_a_tau_has_no_p_and_leaves_the_others_alone(value):
    found, without = _of(_grid(np.vstack([X, np.full(20, value)]))), _of(_grid(X))
    assert found.iloc[3].isna().all()
    pd.testing.assert_frame_equal(found.iloc[:3], without)


@pytest.mark.filterwarnings("error")
def test_a_radius_with_two_models_has_no_p_and_does_not_leave_two_to_the_others():
    found, without = _of(_grid(np.vstack([X, [1, 2, *[math.nan] * 18]]))), _of(_grid(X))
    assert found.iloc[3].isna().all()
    pd.testing.assert_frame_equal(found.iloc[:3], without)


@pytest.mark.filterwarnings("error")
def test_a_grid_without_a_tau_has_no_p():
    assert _of(_grid(np.ones((2, 20)))).isna().all(axis=None)


@pytest.mark.filterwarnings("error")
def test_radii_that_share_no_model_have_a_p_each_and_none_together():
    halves = X[:2].copy()
    halves[0, :10], halves[1, 10:] = math.nan, math.nan
    found = _of(_grid(halves))
    assert found["permutation_p"].notna().all()
    assert found["p_max_t"].isna().all()


def test_p_of_a_measure_without_a_radius_is_its_own():
    found = _of(_grid(X[1:2], rho=math.nan))
    assert found["p_max_t"][0] == found["permutation_p"][0] == found["p_holm"][0] < 1


def test_headline_quantities_and_others_are_corrected_apart():
    """As many others as there may be, they cost a headline nothing; and so the other way round."""
    others = _grid(X, quantity="first_order", headline=False) + _grid(X, quantity="trace", headline=False)
    headline = _grid(X[::-1])
    mixed = _of([*others[:4], *headline, *others[4:]])
    there = np.array([False] * 4 + [True] * 3 + [False] * 2)
    for family, alone in ((there, headline), (~there, others)):
        p = mixed.loc[family, "permutation_p"].to_numpy()
        assert mixed.loc[family, "p_holm"].tolist() == holm(p).tolist() == _of(alone)["p_holm"].tolist()
    assert mixed["p_holm"].tolist() != holm(mixed["permutation_p"].to_numpy()).tolist()


def test_quantities_of_one_measure_are_grids_of_their_own():
    found = _of(_grid(X[:2]) + _grid(X[2:], quantity="first_order", headline=False))
    assert found["p_max_t"][:2].tolist() == _of(_grid(X[:2]))["p_max_t"].tolist()
    assert found["p_max_t"][2] == found["permutation_p"][2]


def test_no_row_gives_none():
    assert permutation([]) == []


def test_p_follows_from_its_seed():
    first, again, other = (permutation(_grid(X), seed=seed, permutations=99) for seed in (0, 0, 1))
    assert first == again
    assert first != other
