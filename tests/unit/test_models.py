"""Which models count in a tau, and which rows of a table belong together."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.tables.models import headline_quantities, same_rho, usable


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["value", "test_loss", "train_loss"])
def test_a_model_counts_if_its_value_and_both_losses_are_finite(column, bad):
    models = pd.DataFrame({"seed": range(4), "value": 1.0, "test_loss": 2.0, "train_loss": 3.0, "accuracy": math.nan})
    models.loc[2, column] = bad
    assert usable(models)["seed"].tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("columns", "used"),
    [
        ({"reached": [True, False, None]}, [0, 2]),
        ({"reached": [True, False, False], "keep_unreached": [None, True, None]}, [0, 1]),
        ({"reached": [None, None, None]}, [0, 1, 2]),
    ],
    ids=["reached or of another pool", "kept", "of other pools"],
)
def test_a_model_that_did_not_reach_its_loss_counts_only_if_it_is_kept(columns, used):
    models = pd.DataFrame({"seed": range(3), "value": 1.0, "test_loss": 2.0, "train_loss": 3.0, **columns})
    assert usable(models)["seed"].tolist() == used


@pytest.mark.parametrize(
    ("rho", "wanted"),
    [(0.1, [True, False, False]), (0.2, [False] * 3), (None, [False, True, False]), (np.nan, [False, True, False])],
)
def test_rows_of_a_radius_are_found_and_so_are_those_without_one(rho, wanted):
    assert same_rho(pd.Series([0.1, math.nan, 0.3]), rho).tolist() == wanted


@pytest.mark.parametrize(
    ("rho", "pool", "wanted"),
    [(0.1, "fcnn", "sharpness"), (0.5, "gat", "lambda_max"), (0.9, "gat", "lambda_max"), (0.1, "lenet5", "sharpness")],
    ids=["of its measurement", "of its measurement, on another pool", "of the pool", "of the measure"],
)
def test_the_headline_of_a_model_of_which_nothing_is_known_is_that_of_the_nearest_models(rho, pool, wanted):
    """A measure may be another function on another pool."""
    known = [("fcnn", 0.1, "sharpness"), ("gat", 0.5, "lambda_max"), (pool, rho, None)]
    table = pd.DataFrame(known, columns=["pool", "rho", "quantity"]).assign(protocol="a", measure="b", headline=True)
    assert headline_quantities(table).tolist() == ["sharpness", "lambda_max", wanted]


def test_where_no_model_has_a_headline_by_name_it_is_sharpness():
    table = pd.DataFrame({"pool": ["a"], "rho": [math.nan], "quantity": [None], "protocol": "b", "measure": "c"})
    assert headline_quantities(table.assign(headline=True)).tolist() == ["sharpness"]
