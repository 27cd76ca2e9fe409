"""Holm's correction by hand, and against its definition."""

import math

import numpy as np
import pytest

from adaptive_sharpness.stats.multiplicity import holm


def test_holms_correction_of_a_case_by_hand():
    """Sorted 0.01, 0.02, 0.03 times 3, 2, 1 is 0.03, 0.04, 0.03, made increasing: 0.03, 0.04, 0.04."""
    np.testing.assert_allclose(holm(np.array([0.03, math.nan, 0.01, 0.02])), [0.04, math.nan, 0.03, 0.04], rtol=1e-12)
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert np.isnan(holm(np.array([math.nan]))).all()


def test_no_p_at_all_is_corrected_to_none():
    assert holm(np.array([])).tolist() == []


@pytest.mark.parametrize("seed", range(5))
def test_holm_rejects_step_by_step(seed):
    """At each level, p rise against level / m, level / (m - 1), ... and the first that fails ends it."""
    draw = np.random.default_rng(seed)
    p = draw.choice([0.001, 0.004, 0.01, 0.02, 0.03, 0.2, 0.9, math.nan], size=12)
    adjusted, known = holm(p), np.flatnonzero(~np.isnan(p))
    np.testing.assert_array_equal(np.isnan(adjusted), np.isnan(p))
    for level in (0.0123, 0.05, 0.1, 0.3):
        rejected = set()
        for place, at in enumerate(known[np.argsort(p[known], kind="stable")]):
            if p[at] > level / (len(known) - place):
                break
            rejected.add(at)
        assert set(np.flatnonzero(adjusted <= level)) == rejected
