"""What a pool of this size can show at all: the smallest tau that it would find, and whether a tau is as good as 0."""

import math

from scipy.stats import norm

from adaptive_sharpness.stats.kendall import VARIANCE

LEVEL = 0.05
POWER = 0.8
BOUND = 0.1  # taus within it are as good as 0


def smallest_detectable(n: int) -> float:
    """Return the tau that a two-sided test at 5 % finds with a probability of 80 %.

    tanh((z(0.975) + z(0.8)) sqrt(0.437 / (n - 4))), with the variance of atanh tau (Fieller, Hartley & Pearson 1957).

    Args:
        n: models.

    Returns:
        From 0 to 1; nan where n is at most 4.

    Example:
        >>> round(smallest_detectable(50), 3)
        0.266
    """
    if n <= 4:
        return math.nan
    return math.tanh((norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) * math.sqrt(VARIANCE / (n - 4)))


def equivalence(tau: float, n: int, bound: float = BOUND) -> float:
    """Return p of two one-sided tests (Schuirmann 1987) that tau lies outside (-bound, bound), on the scale of atanh.

    Args:
        tau: Kendall's.
        n: models behind it.
        bound: above 0 and below 1.

    Returns:
        The larger of the two p; below 0.05 tau is shown to be as good as 0. nan where tau is, or where n is at most 4.

    Example:
        >>> equivalence(0.0, 1000) < 0.05
        True
    """
    if math.isnan(tau) or n <= 4:
        return math.nan
    deviation = math.sqrt(VARIANCE / (n - 4))
    distance = math.inf if abs(tau) == 1 else abs(math.atanh(tau))
    return float(norm.sf((math.atanh(bound) - distance) / deviation))
