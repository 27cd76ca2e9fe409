"""Which models count in a tau, and which rows of a table belong together."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.tables.models import same_rho, usable


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["value", "test_loss", "train_loss"])
def test_a_model_counts_if_its_value_and_both_losses_are_finite(column, bad):
    models = pd.DataFrame({"seed": range(4), "value": 1.0, "test_loss": 2.0, "train_loss": 3.0, "accuracy": math.nan})
    models.loc[2, column] = bad
    assert usable(models)["seed"].tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("rho", "wanted"),
    [(0.1, [True, False, False]), (0.2, [False] * 3), (None, [False, True, False]), (np.nan, [False, True, False])],
)
def test_rows_of_a_radius_are_found_and_so_are_those_without_one(rho, wanted):
    assert same_rho(pd.Series([0.1, math.nan, 0.3]), rho).tolist() == wanted
