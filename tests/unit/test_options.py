"""What options accept, and the one line with which each refuses the rest."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from adaptive_sharpness.landscape import options


@pytest.mark.parametrize("rho", [0, 0.0, 1, 0.3, 1e300, Fraction(1, 3), np.float64(0.1), np.float32(0.1)])
def test_a_radius_is_any_finite_number_from_0(rho):
    options.radius(rho)


@pytest.mark.parametrize("rho", [-1e-9, -1, math.inf, -math.inf, math.nan, "0.1", None, True, 1j, [0.1]], ids=repr)
def test_what_is_no_radius_is_refused(rho):
    wanted = f"rho: got {rho!r}, wanted a finite number, at least 0"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        options.radius(rho)


@pytest.mark.parametrize(("value", "least"), [(0, 0), (1, 0), (1, 1), (10**9, 1), (np.int64(3), 2)])
def test_a_whole_number_may_be_the_least_or_more(value, least):
    options.whole("steps", value, least)


@pytest.mark.parametrize(
    ("value", "least"), [(0, 1), (-1, 0), (1, 2), (1.0, 1), (math.nan, 0), ("1", 1), (None, 0), (True, 1)], ids=repr
)
def test_what_is_no_whole_number_or_too_small_is_refused(value, least):
    wanted = f"steps: got {value!r}, wanted a whole number, at least {least}"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        options.whole("steps", value, least)


def test_each_choice_is_accepted():
    for choice in ("linf", "l2"):
        options.one_of("norm", choice, ("linf", "l2"))


@pytest.mark.parametrize("value", ["l1", "", "l", "L2", None, 2, ["l2"]], ids=repr)
def test_what_is_no_choice_is_refused(value):
    wanted = f"norm: got {value!r}, wanted one of linf, l2"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        options.one_of("norm", value, ("linf", "l2"))


@pytest.mark.parametrize("rate", [None, 1e-300, 1, 2.5, np.float32(0.1)])
def test_a_step_length_is_a_finite_number_above_0_or_none(rate):
    options.positive("rate", rate)


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, math.inf, math.nan, "0.1", True, [1.0]], ids=repr)
def test_what_is_no_step_length_is_refused(rate):
    wanted = f"rate: got {rate!r}, wanted a finite number above 0, or none"
    with pytest.raises(ValueError, match=f"^{re.escape(wanted)}$"):
        options.positive("rate", rate)
