"""What a statistic is given of a row: the models that count, by column and with all of their test losses."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.stats.kendall import kendall
from adaptive_sharpness.study.tables.comparison import Comparison

MODELS = pd.DataFrame(
    {
        "seed": [7, 3, 5, 9],
        "value": [1.0, 3.0, 2.0, math.nan],
        "test_loss": [0.1, 0.2, 0.3, 0.4],
        "train_loss": 0.5,
        "accuracy": [9, 8, 7, 6],
    }
)
LOSSES = pd.DataFrame(np.arange(10.0).reshape(5, 2), index=[1, 3, 5, 7, 9])
LABELS = {"protocol": "report", "pool": "fcnn", "measure": "pga", "rho": 0.1, "quantity": "sharpness", "headline": True}
COMPARISON = Comparison(**LABELS, models=MODELS, all_test_losses=LOSSES, reliability=0.5)


def test_columns_are_those_of_the_models_that_count():
    assert COMPARISON.used["seed"].tolist() == [7, 3, 5]
    assert COMPARISON.value.tolist() == [1, 3, 2]
    assert COMPARISON.test_loss.tolist() == [0.1, 0.2, 0.3]
    found = COMPARISON.column("accuracy")
    assert (found.tolist(), found.dtype) == ([9, 8, 7], np.float64)


def test_test_losses_of_all_examples_are_matched_by_seed():
    assert COMPARISON.test_losses.tolist() == [[6, 7], [2, 3], [4, 5]]


def test_tau_is_that_of_value_and_test_loss():
    assert COMPARISON.tau == kendall([1, 3, 2], [0.1, 0.2, 0.3])
    assert COMPARISON.tau.n == 3


def test_nothing_is_published_unless_it_is_said():
    assert COMPARISON.published is None


def test_a_column_that_models_do_not_have_is_not_made_up():
    with pytest.raises(KeyError, match="max_loss"):
        COMPARISON.column("max_loss")
