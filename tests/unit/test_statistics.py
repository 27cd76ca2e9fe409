"""What the statistics say of a pool, each value against its own definition on pools worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from adaptive_sharpness import plugins
from adaptive_sharpness.study.tables.comparison import Comparison
from adaptive_sharpness.study.tables.tau import FIRST

LOSSES = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 30)) + np.arange(8)[:, None] / 8)
# Ranks in which every pair of columns has a tau of its own.
MODELS = pd.DataFrame(
    {
        "seed": range(8),
        "value": [1.0, 2, 3, 4, 5, 6, 7, 8],
        "test_loss": [2.0, 4, 1, 3, 8, 5, 6, 7.5],
        "train_loss": [1.0, 0.5, 0.25, 2, 3, 1.5, 3.5, 5],
        "accuracy": [0.9, 0.8, 0.85, 0.3, 0.2, 0.7, 0.5, 0.6],
        "base_loss": [1.0, 3, 2, 4, 5, 2.5, 8, 7],
    }
)
MODELS["max_loss"] = MODELS["base_loss"] + [8.0, 1, 2, 9, 3, 5, 4, 7]  # of a mean over the ball: above its value


def _of(models: pd.DataFrame = MODELS, published: dict | None = None, **labels) -> dict:
    """What all statistics say of a row; permutation has tests of its own."""
    labels = {"protocol": "report", "pool": "fcnn", "measure": "pga", "quantity": "sharpness", **labels}
    labels = {"rho": 0.1, "headline": True, "published": published, **labels}
    comparison = Comparison(**labels, models=models, all_test_losses=LOSSES, reliability=0.9)
    names = [name for name in FIRST if name != "permutation"]
    found = [plugins.resolve("statistics", name)([comparison]) for name in names]
    return {column: value for [row] in found for column, value in row.items()}


def _tau(x, y) -> float:
    return stats.kendalltau(x, y).statistic


def test_taus_are_those_of_the_named_values():
    m, found = MODELS, _of()
    in_the_ball = m.base_loss + m.value
    wanted = {
        "tau": _tau(m.value, m.test_loss),
        "tau_max_loss": _tau(m.test_loss, in_the_ball),
        "tau_base_loss": _tau(m.test_loss, m.base_loss),
        "tau_ratio": _tau(m.test_loss, in_the_ball / m.base_loss),
        "tau_accuracy": _tau(m.value, m.accuracy),
        "tau_gap": _tau(m.value, m.test_loss - m.train_loss),
    }
    assert len({round(tau, 6) for tau in wanted.values()}) == 6
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-12)


def test_training_loss_is_what_is_given():
    m, found = MODELS, _of()
    xy, xz, yz = _tau(m.value, m.test_loss), _tau(m.value, m.train_loss), _tau(m.test_loss, m.train_loss)
    assert found["partial_tau"] == pytest.approx((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)), rel=1e-12)
    r = np.sin(np.pi / 2 * np.array([xy, xz, yz]))
    gaussian = (r[0] - r[1] * r[2]) / math.sqrt((1 - r[1] ** 2) * (1 - r[2] ** 2))
    assert found["partial_tau_gaussian"] == pytest.approx(2 / math.pi * math.asin(gaussian), rel=1e-12)
    for name in ("partial_tau", "partial_tau_gaussian"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


def test_reliability_and_ceiling():
    """Cronbach's alpha in its own form, from the variances of examples and of their sum."""
    values, found = LOSSES.to_numpy(), _of()
    items, total = values.var(axis=0, ddof=1).sum(), values.sum(axis=1).var(ddof=1)
    wanted = 30 / 29 * (1 - items / total)
    assert found["reliability_test_loss"] == pytest.approx(wanted, abs=1e-12)
    assert found["reliability_value"] == 0.9
    assert found["noise_ceiling"] == pytest.approx(2 / math.pi * math.asin(math.sqrt(0.9 * wanted)), abs=1e-12)


def test_what_a_pool_of_8_can_show():
    found = _of()
    deviation = math.sqrt(0.437 / 4)
    assert found["smallest_detectable_tau"] == pytest.approx(math.tanh(2.801585 * deviation), rel=1e-6)
    wanted = stats.norm.cdf((math.atanh(found["tau"]) - math.atanh(0.1)) / deviation)
    assert found["equivalence_p"] == pytest.approx(wanted, rel=1e-12)
    ends = [math.tanh(math.atanh(found["tau"]) + side * 1.959963984540054 * deviation) for side in (-1, 1)]
    assert [found["fisher_low"], found["fisher_high"]] == pytest.approx(ends, rel=1e-12)
    without = [_tau(*MODELS.drop(index=i)[["value", "test_loss"]].to_numpy().T) for i in range(8)]
    assert [found["loo_low"], found["loo_high"]] == pytest.approx([min(without), max(without)], rel=1e-12)


def test_z_is_the_distance_to_what_is_published():
    found = _of(published={"rho": 0.1, "tau": -0.3, "n": 40})
    z = (math.atanh(found["tau"]) + math.atanh(0.3)) / math.sqrt(0.437 / 4 + 0.437 / 36)
    assert found["z"] == pytest.approx(z, rel=1e-12)
    assert (found["published_tau"], found["published_n"]) == (-0.3, 40)
    assert np.isnan([_of()[name] for name in ("z", "published_tau", "published_n")]).all()


def test_the_loss_in_the_ball_is_that_whose_rise_is_the_value():
    """Not the highest of the few that a mean over the ball is of; of a maximum both are one."""
    names = ("tau_max_loss", "tau_ratio")
    mean, highest = _of(), _of(MODELS.assign(max_loss=MODELS["base_loss"] + MODELS["value"]))
    assert [mean[name] for name in names] == [highest[name] for name in names]
    assert mean["tau_max_loss"] != pytest.approx(_tau(MODELS.test_loss, MODELS.max_loss))


def test_a_quantity_that_is_no_headline_is_no_rise_of_a_loss():
    """Such as a first-order estimate, which no loss in the ball is above the base loss by."""
    found = _of(quantity="first_order", headline=False)
    assert np.isnan([found[name] for name in ("tau_max_loss", "tau_ratio")]).all()
    assert found["tau"] == _of()["tau"]


@pytest.mark.filterwarnings("error")
def test_values_that_a_measure_or_a_loss_does_not_have_are_nan():
    for models in (MODELS.drop(columns="max_loss"), MODELS.assign(max_loss=math.nan)):
        found = _of(models.assign(accuracy=math.nan))
        assert np.isnan([found[name] for name in ("tau_max_loss", "tau_ratio", "tau_accuracy")]).all()
        assert found["tau_base_loss"] == _of()["tau_base_loss"]


@pytest.mark.filterwarnings("error")
def test_a_base_loss_of_zero_leaves_the_pool_without_a_tau_of_ratios():
    """A tau of the other models would not be of the row's n."""
    models = MODELS.assign(base_loss=MODELS["base_loss"].where(MODELS["seed"] != 2, 0.0))
    found = _of(models)
    assert found["n"] == 8
    assert math.isnan(found["tau_ratio"])
    assert found["tau_base_loss"] == pytest.approx(_tau(models.test_loss, models.base_loss), rel=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["value", "test_loss", "train_loss"])
def test_a_model_that_is_not_used_bears_on_nothing(column, bad):
    found = _of(MODELS.assign(**{column: MODELS[column].where(MODELS["seed"] != 3, bad)}))
    assert found == pytest.approx({**_of(MODELS.drop(index=3)), "left_out": 1}, nan_ok=True)
    assert found["n"] == 7


@pytest.mark.parametrize(
    ("models", "wanted"),
    [
        (MODELS, ""),
        (MODELS[:2], "2 usable models, wanted at least 3"),
        (MODELS.assign(value=1.0), "all values of sharpness tie"),
        (MODELS.assign(test_loss=1.0), "all values of test loss tie"),
    ],
)
def test_a_reason_stands_where_there_is_no_tau(models, wanted):
    found = _of(models)
    assert found["reason"] == wanted
    assert math.isnan(found["tau"]) == bool(wanted)


def test_a_reason_names_the_quantity():
    found = _of(MODELS.assign(value=1.0), quantity="lambda_max", headline=False)
    assert found["reason"] == "all values of lambda max tie"


def test_rows_of_a_table_are_described_one_by_one():
    """But for permutation, which corrects for their number, no statistic looks at other rows."""
    labels = {"protocol": "report", "pool": "fcnn", "measure": "pga", "rho": 0.1, "quantity": "sharpness"}
    labels |= {"headline": True, "all_test_losses": LOSSES, "reliability": 0.9}
    one, other = (Comparison(**labels, models=models) for models in (MODELS, MODELS[:5]))
    for name in FIRST:
        function = plugins.resolve("statistics", name)
        if name != "permutation":
            assert [str(row) for row in function([one, other])] == [str(function([each])[0]) for each in (one, other)]
        assert list(function([])) == []


@pytest.mark.parametrize("name", FIRST)
def test_a_statistic_gives_the_columns_that_it_says(name):
    labels = {"protocol": "report", "pool": "fcnn", "measure": "pga", "rho": 0.1, "quantity": "sharpness"}
    comparison = Comparison(**labels, headline=True, models=MODELS, all_test_losses=LOSSES, reliability=0.9)
    [row] = plugins.resolve("statistics", name)([comparison])
    columns = plugins.module("statistics", name).COLUMNS
    assert list(row) == [column.name for column in columns]
    assert all(column.answers for column in columns)
