"""Which models a statistic can use, and why there may be none of it."""

import math

import numpy as np
import pytest

from adaptive_sharpness.stats.samples import finite, missing_reason


def test_models_are_finite_where_all_values_are():
    inf, nan = math.inf, math.nan
    np.testing.assert_array_equal(finite([1, 2, nan, 4], [5, inf, 7, 8], [9, 1, 1, 2]), [[1, 4], [5, 8], [9, 2]])


@pytest.mark.parametrize(
    ("sharpness", "test_loss", "wanted"),
    [
        ([1, 2, 3], [1, 3, 2], ""),
        ([], [], "0 usable models, wanted at least 3"),
        ([1], [1], "1 usable model, wanted at least 3"),
        ([1, 2], [1, 1], "2 usable models, wanted at least 3"),
        ([1, 1, 1], [1, 2, 3], "all values of sharpness tie"),
        ([1, 2, 3], [4, 4, 4], "all values of test loss tie"),
        ([1, 1, 1], [4, 4, 4], "all values of sharpness and of test loss tie"),
    ],
)
def test_why_there_is_no_tau(sharpness, test_loss, wanted):
    assert (
        missing_reason(sharpness=np.array(sharpness, dtype=float), test_loss=np.array(test_loss, dtype=float)) == wanted
    )
