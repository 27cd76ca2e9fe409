"""The smallest detectable tau and the test of equivalence, against normal probabilities by hand."""

import math

import pytest
from scipy import integrate
from scipy.stats import norm

from adaptive_sharpness.stats.power import equivalence, smallest_detectable


@pytest.mark.parametrize(("n", "wanted"), [(50, 0.266), (100, 0.187), (200, 0.132), (500, 0.083)])
def test_the_smallest_detectable_tau_of_some_pools(n, wanted):
    """Bonett & Wright (2000) give (z(0.975) + z(0.8))^2 0.437 / atanh(tau)^2 + 4 models; here for tau."""
    assert smallest_detectable(n) == pytest.approx(wanted, abs=0.0005)
    needed = 4 + 0.437 * (1.959964 + 0.841621) ** 2 / math.atanh(smallest_detectable(n)) ** 2
    assert needed == pytest.approx(n, rel=1e-5)


def test_the_smallest_detectable_tau_is_found_with_a_probability_of_80_percent():
    """The density of atanh tau, of deviation sqrt(0.437 / 46), beyond 1.96 deviations, integrated."""
    deviation = math.sqrt(0.437 / 46)
    centre = math.atanh(smallest_detectable(50))
    edge = 1.959963984540054 * deviation
    power = integrate.quad(lambda z: norm.pdf(z, centre, deviation), edge, centre + 10 * deviation)[0]
    assert power == pytest.approx(0.8, abs=1e-8)


@pytest.mark.parametrize("n", [0, 4])
def test_there_is_nothing_to_say_of_4_models(n):
    assert math.isnan(smallest_detectable(n))
    assert math.isnan(equivalence(0.0, n))


@pytest.mark.parametrize("tau", [-0.3, -0.1, -0.02, 0, 0.05, 0.1, 0.6])
def test_equivalence_is_the_larger_of_two_one_sided_p(tau):
    deviation = math.sqrt(0.437 / 196)
    above = norm.sf((math.atanh(tau) + math.atanh(0.1)) / deviation)
    below = norm.cdf((math.atanh(tau) - math.atanh(0.1)) / deviation)
    assert equivalence(tau, 200) == pytest.approx(max(above, below), rel=1e-12)


def test_at_the_bound_p_is_one_half_and_beyond_a_perfect_tau_it_is_1():
    assert equivalence(0.1, 50) == equivalence(-0.1, 50) == pytest.approx(0.5, abs=1e-12)
    assert equivalence(0.3, 50, bound=0.3) == pytest.approx(0.5, abs=1e-12)
    assert equivalence(1.0, 50) == equivalence(-1.0, 50) == 1
    assert math.isnan(equivalence(math.nan, 50))


def test_80_percent_power_needs_376_models():
    """|z| below atanh(0.1) - 1.645 deviations, under a tau of 0."""

    def power(n: int) -> float:
        deviation = math.sqrt(0.437 / (n - 4))
        edge = math.atanh(0.1) / deviation - 1.6448536269514722
        tau = math.tanh(edge * deviation)
        assert equivalence(tau, n) == pytest.approx(0.05, abs=1e-9)
        return 2 * norm.cdf(edge) - 1

    assert power(375) < 0.8 <= power(376)
