"""Permutation p over a table: Holm by hand, grids with models missing, and rows without a tau."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.permutation import no_association
from adaptive_sharpness.significance import holm, significance

Y = np.random.default_rng(0).normal(size=20)
X = Y * [[1], [0.6], [0.0]] + np.random.default_rng(1).normal(size=(3, 20))


def _pools(x: np.ndarray, **names) -> dict:
    """A grid of radii, a row a model."""
    labels = tuple({"protocol": "report", "architecture": "fcnn", "measure": "pga", **names}.values())
    rows = [pd.DataFrame({"seed": range(20), "sharpness": each, "test_loss": Y, "train_loss": 0.5}) for each in x]
    return {(*labels, float(rho)): each for rho, each in enumerate(rows)}


def _of(pools: dict) -> pd.DataFrame:
    return significance(pools, permutations=999)


def test_holms_correction_of_a_case_by_hand():
    """Sorted 0.01, 0.02, 0.03 times 3, 2, 1 is 0.03, 0.04, 0.03, made increasing: 0.03, 0.04, 0.04."""
    np.testing.assert_allclose(holm(np.array([0.03, math.nan, 0.01, 0.02])), [0.04, math.nan, 0.03, 0.04], rtol=1e-12)
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert np.isnan(holm(np.array([math.nan]))).all()


def test_a_grid_is_tested_together_and_corrected_over_the_table():
    found = _of(_pools(X) | _pools(X[::-1], measure="other"))
    assert list(found) == ["permutation_p", "p_holm", "p_max_t"]
    p, adjusted = no_association(X, Y, permutations=999)
    assert found["permutation_p"].tolist() == [*p, *p[::-1]]
    assert found["p_max_t"].tolist() == [*adjusted, *adjusted[::-1]]
    assert found["p_holm"].tolist() == holm(np.array([*p, *p[::-1]])).tolist()


def test_pools_stand_in_their_order_even_where_grids_are_mixed():
    one, other = _pools(X[:2]), _pools(X[1:], architecture="gat")
    mixed = dict(pair for pairs in zip(one.items(), other.items(), strict=True) for pair in pairs)
    found, apart = _of(mixed), _of(one | other)
    assert found["p_max_t"].tolist() == apart["p_max_t"][[0, 2, 1, 3]].tolist()


def test_models_are_matched_by_seed():
    """In one pool of a grid alone they stand in reverse."""
    pools = _pools(X)
    first, *others = pools
    reversed_there = {**{pool: pools[pool] for pool in others}, first: pools[first].iloc[::-1]}
    in_order = {**{pool: pools[pool] for pool in others}, first: pools[first]}
    pd.testing.assert_frame_equal(_of(reversed_there), _of(in_order))


def test_a_model_that_one_radius_lacks_counts_at_the_others_but_not_over_the_grid():
    gaps = X.copy()
    gaps[1, 4], gaps[2, 7] = math.nan, math.inf
    found = _of(_pools(gaps))
    kept = np.isfinite(gaps).all(axis=0)
    assert found["p_max_t"].tolist() == no_association(X[:, kept], Y[kept], permutations=999)[1].tolist()
    wanted = [no_association(x[None, np.isfinite(x)], Y[np.isfinite(x)], permutations=999)[0][0] for x in gaps]
    assert found["permutation_p"].tolist() == wanted


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1.0, math.nan])
def test_a_radius_without_a_tau_has_no_p_and_leaves_the_others_alone(value):
    found, without = _of(_pools(np.vstack([X, np.full(20, value)]))), _of(_pools(X))
    assert found.iloc[3].isna().all()
    pd.testing.assert_frame_equal(found.iloc[:3], without)


@pytest.mark.filterwarnings("error")
def test_a_radius_with_two_models_has_no_p_and_does_not_leave_two_to_the_others():
    found, without = _of(_pools(np.vstack([X, [1, 2, *[math.nan] * 18]]))), _of(_pools(X))
    assert found.iloc[3].isna().all()
    pd.testing.assert_frame_equal(found.iloc[:3], without)


@pytest.mark.filterwarnings("error")
def test_a_grid_without_a_tau_has_no_p():
    assert _of(_pools(np.ones((2, 20)))).isna().all(axis=None)


@pytest.mark.filterwarnings("error")
def test_radii_that_share_no_model_have_a_p_each_and_none_together():
    halves = X[:2].copy()
    halves[0, :10], halves[1, 10:] = math.nan, math.nan
    found = _of(_pools(halves))
    assert found["permutation_p"].notna().all()
    assert found["p_max_t"].isna().all()


def test_p_of_a_measure_without_a_radius_is_its_own():
    (pool, rows), *_ = _pools(X[1:2]).items()
    found = _of({(*pool[:3], math.nan): rows})
    assert found["p_max_t"][0] == found["permutation_p"][0] == found["p_holm"][0] < 1
