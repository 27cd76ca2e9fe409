"""The ladder: tau on every rung, and the change from the rung before."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adaptive_sharpness.study.tables.ladder import ladder_table


def models(value, test_loss, *, protocol="text", pool="fcnn", measure="pga", rho=0.1, **more) -> pd.DataFrame:
    """Rows of the runs table."""
    labels = {"protocol": protocol, "pool": pool, "measure": measure, "rho": rho, "train_loss": 0.5}
    labels |= {"quantity": "sharpness", "headline": True, **more}
    return pd.DataFrame({"seed": range(len(value)), "value": value, "test_loss": test_loss}).assign(**labels)


def rung(switch, *, protocol="text", measure="pga", rho: float | None = 0.1) -> dict:
    return {"switch": switch, "describes": f"with {switch}", "protocol": protocol, "measure": measure, "rho": rho}


def correlated(seed: int, n: int, *, noise: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=n)
    return x, x + noise * draw.normal(size=n)


def test_each_rung_has_its_own_tau_and_the_change_by_hand():
    """Of 4 models: all 6 pairs concordant, 1; one pair discordant, (5 - 1) / 6."""
    table = pd.concat([models([1, 2, 3, 4], [1, 2, 3, 4]), models([1, 2, 4, 3], [1, 2, 3, 4], measure="apgd")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="apgd")]})
    assert found["tau"].tolist() == pytest.approx([1, 4 / 6])
    assert found["delta_tau"].tolist() == pytest.approx([np.nan, -2 / 6], nan_ok=True)
    assert found[["rung", "switch", "same_pool", "n"]].to_numpy().tolist() == [[0, "a", False, 4], [1, "b", True, 4]]


def test_models_are_matched_by_seed_whatever_their_order():
    first = models([1, 2, 3, 4, 5], [5, 1, 4, 2, 3])
    second = models([3, 1, 2, 5, 4], [5, 1, 4, 2, 3], measure="apgd")
    rungs = {"fcnn": [rung("a"), rung("b", measure="apgd")]}
    shuffled = pd.concat([second.sample(frac=1, random_state=1), first.sample(frac=1, random_state=2)])
    pd.testing.assert_frame_equal(ladder_table(pd.concat([first, second]), rungs), ladder_table(shuffled, rungs))


def test_a_model_without_a_number_on_one_rung_is_left_out_of_the_paired_change_on_both():
    y = [1.0, 2.0, 3.0, 4.0, 5.0]
    table = pd.concat([models([5, 1, 2, 3, 4], y), models([np.nan, 1, 2, 3, 4], y, measure="apgd")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="apgd")]})
    assert found["n"].tolist() == [5, 4]
    assert found["delta_tau"][1] == 0  # without model 0 both rank the rest alike
    assert found["tau"][0] == pytest.approx(0.2)


def test_the_paired_interval_is_that_of_a_bootstrap_written_out():
    """Each resample's two taus by scipy, on the same models; the ends agree to the noise of the resampling."""
    (x, y), (other, _) = correlated(0, 30, noise=1.0), correlated(1, 30, noise=1.0)
    table = pd.concat([models(x, y), models(x + other, y, measure="apgd")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="apgd")]}).loc[1]
    draw, changes = np.random.default_rng(7), []
    for _ in range(2000):
        rows = draw.integers(30, size=30)
        changes.append(stats.kendalltau((x + other)[rows], y[rows])[0] - stats.kendalltau(x[rows], y[rows])[0])
    assert [found["delta_low"], found["delta_high"]] == pytest.approx(np.quantile(changes, [0.025, 0.975]), abs=0.03)


def test_pools_of_different_protocols_are_resampled_apart():
    """The same numbers under two protocols: no change, and an interval as wide as that of two independent pools."""
    x, y = correlated(0, 60, noise=1.0)
    same = pd.concat([models(x, y), models(x, y, measure="apgd")])
    apart = pd.concat([models(x, y), models(x, y, protocol="other")])
    paired = ladder_table(same, {"fcnn": [rung("a"), rung("b", measure="apgd")]}).loc[1]
    independent = ladder_table(apart, {"fcnn": [rung("a"), rung("b", protocol="other")]}).loc[1]
    assert (paired["delta_low"], paired["delta_high"], paired["same_pool"]) == (0, 0, True)
    one = ladder_table(same, {"fcnn": [rung("a"), rung("b", measure="apgd")]}).loc[0]
    width = (one["tau_high"] - one["tau_low"]) * np.sqrt(2)
    assert not independent["same_pool"]
    assert independent["delta_high"] - independent["delta_low"] == pytest.approx(width, rel=0.2)


def test_equal_numbers_of_models_are_not_the_same_draws():
    x, y = correlated(0, 60, noise=1.0)
    table = pd.concat([models(x, y), models(x, y, protocol="other")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", protocol="other")]}).loc[1]
    assert found["delta_low"] < 0 < found["delta_high"]


def test_a_measure_without_a_radius_is_a_rung_too():
    table = pd.concat([models([1, 2, 3], [1, 2, 3], measure="hessian", rho=np.nan), models([1, 2, 3], [1, 2, 3])])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="hessian", rho=None)]})
    assert found["rho"].tolist() == pytest.approx([0.1, np.nan], nan_ok=True)
    assert found["tau"].tolist() == [1, 1]


def test_a_rung_without_a_key_for_the_radius_is_one_of_a_measure_without_it():
    table = pd.concat([models([1, 2, 3], [1, 3, 2], rho=np.nan), models([1, 2, 3], [1, 2, 3])])
    bare = {key: value for key, value in rung("a").items() if key != "rho"}
    found = ladder_table(table, {"fcnn": [bare]})
    assert found["rho"].isna().all()
    assert found["tau"].tolist() == pytest.approx([1 / 3])


def test_quantities_that_are_no_headline_are_on_no_rung():
    rungs = {"fcnn": [rung("a"), rung("b", measure="apgd")]}
    headline = pd.concat([models([1, 2, 3, 4], [1, 2, 3, 4]), models([1, 2, 4, 3], [1, 2, 3, 4], measure="apgd")])
    further = headline.assign(value=-headline["value"], quantity="first_order", headline=False)
    pd.testing.assert_frame_equal(ladder_table(pd.concat([further, headline]), rungs), ladder_table(headline, rungs))
    with pytest.raises(ValueError, match=r"^ladder: got no model of text, fcnn, pga at rho 0\.1, wanted some$"):
        ladder_table(further, rungs)


def test_too_few_models_leave_the_change_empty():
    table = pd.concat([models([1, 2], [1, 2]), models([1, 2], [2, 1], measure="apgd")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="apgd")]})
    assert found[["tau", "delta_tau", "delta_low", "delta_high"]].isna().all(axis=None)
    assert found["same_pool"].tolist() == [False, True]


def test_the_pools_stand_in_the_order_of_the_config_each_from_rung_0():
    table = pd.concat([models([1, 2, 3], [1, 2, 3]), models([1, 2, 3], [3, 2, 1], pool="gat")])
    found = ladder_table(table, {"gat": [rung("a"), rung("b")], "fcnn": [rung("c"), rung("d")]})
    assert list(zip(found["pool"], found["rung"], strict=True)) == [
        ("gat", 0),
        ("gat", 1),
        ("fcnn", 0),
        ("fcnn", 1),
    ]
    assert found["tau"].tolist() == [-1, -1, 1, 1]


def test_a_rung_without_a_model_is_refused():
    wanted = r"^ladder: got no model of text, fcnn, apgd at rho 0\.1, wanted some$"
    with pytest.raises(ValueError, match=wanted):
        ladder_table(models([1, 2, 3], [1, 2, 3]), {"fcnn": [rung("a"), rung("b", measure="apgd")]})


def test_a_rung_without_a_model_and_without_a_radius_is_refused():
    wanted = r"^ladder: got no model of text, fcnn, hessian at rho None, wanted some$"
    with pytest.raises(ValueError, match=wanted):
        ladder_table(models([1, 2, 3], [1, 2, 3]), {"fcnn": [rung("a", measure="hessian", rho=None)]})


@pytest.mark.parametrize("tied", ["value", "test_loss"])
@pytest.mark.parametrize("before", [True, False])
def test_a_rung_of_which_all_values_tie_leaves_the_change_empty(tied, before):
    """It has no tau, so that there is nothing to subtract; 0 in its place would be a change that nobody saw."""
    values = {"value": [1.0, 2.0, 3.0, 5.0], "test_loss": [1.0, 2.0, 4.0, 3.0]}
    both = [models(**{**values, tied: [1.0] * 4}), models(**values, protocol="other")]
    rungs = [rung("a"), rung("b", protocol="other")]
    found = ladder_table(pd.concat(both), {"fcnn": rungs if before else rungs[::-1]})
    assert found["tau"].isna().tolist() == ([True, False] if before else [False, True])
    assert found[["delta_tau", "delta_low", "delta_high"]].isna().all(axis=None)


def test_values_that_tie_on_the_models_that_both_rungs_use_leave_the_change_empty():
    y = [1.0, 2.0, 3.0, 4.0]
    table = pd.concat([models([7, 7, 7, 8], y), models([1, 2, 3, np.nan], y, measure="apgd")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", measure="apgd")]})
    assert found["tau"].notna().all()
    assert found[["delta_tau", "delta_low", "delta_high"]].isna().all(axis=None)


def test_rungs_without_a_usable_model_are_of_the_same_pool_only_if_their_protocol_is():
    nothing = [np.nan] * 3
    table = pd.concat([models(nothing, nothing, protocol=name) for name in ("text", "other")])
    found = ladder_table(table, {"fcnn": [rung("a"), rung("b", protocol="other"), rung("c", protocol="other")]})
    assert found["same_pool"].tolist() == [False, False, True]
    assert found["n"].tolist() == [0, 0, 0]
