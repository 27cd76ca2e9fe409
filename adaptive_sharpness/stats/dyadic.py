"""The variance of a mean over pairs whose members come in several pairs each, and the interval that follows."""

import math

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.resampling import Interval


def dyadic_variance(
    errors: np.ndarray, first: np.ndarray, second: np.ndarray, shares: np.ndarray | None = None
) -> float:
    """Return the variance of a mean over pairs, of which those that share a member may be correlated.

    The sum over members of (the sum of the errors of their pairs)^2, less the sum over pairs of errors^2, which the
    first sum counts twice (Fafchamps & Gubert 2007; Aronow, Samii & Assenova 2015). At least the sum over pairs of
    errors^2: pairs that share a member have no negative correlation if members are alike. Errors from the mean itself
    make this too small; divided by the sum of w_p w_q over pairs p and q without a common member, w the shares of pairs
    in the mean, it is unbiased.

    Args:
        errors: what each pair adds to the mean, less what it is expected to add, [pairs].
        first: member of each pair, whole numbers from 0, [pairs].
        second: member, [pairs]; the same where both are one.
        shares: of each pair in the mean, [pairs]; without them nothing is divided.

    Returns:
        At least 0; nan where no two pairs are without a common member.

    Example:
        >>> dyadic_variance(np.array([1.0, 1.0]), np.array([0, 0]), np.array([1, 2]))
        4.0
    """
    of_members, of_pairs = _squares(errors, first, second)
    variance = max(of_members - of_pairs, of_pairs)
    if shares is None:
        return variance
    of_members, of_pairs = _squares(shares / shares.sum(), first, second)
    apart = 1 - (of_members - of_pairs)
    return variance / apart if apart > 1e-12 else math.nan


def _squares(parts: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The sum over members of the squared sum of their pairs, and the sum over pairs of squares."""
    members = int(max(first.max(initial=0), second.max(initial=0))) + 1
    _, pair = np.unique(np.minimum(first, second) * members + np.maximum(first, second), return_inverse=True)
    alone = first == second
    sums = np.bincount(first, parts, members) + np.bincount(second, np.where(alone, 0, parts), members)
    of_pairs, of_members = np.bincount(pair, parts), float((sums**2).sum())
    inner = np.bincount(pair, np.where(alone, parts, 0))  # a pair of one member is counted once by both sums
    return of_members + float((inner**2).sum()), float((of_pairs**2).sum())


def centred(parts: np.ndarray, shares: np.ndarray, *groups: np.ndarray) -> np.ndarray:
    """Return what each pair adds to a mean, less what it is expected to add: its share of its group's mean.

    A group of m pairs loses one degree of freedom so: its errors are multiplied by sqrt(m / (m - 1)).

    Args:
        parts: what each pair adds, [pairs].
        shares: what each would add if every pair were 1, [pairs].
        groups: the group of each pair, whole numbers from 0, [pairs]: the finest first. Pairs that are alone in one
            are counted by the next.

    Returns:
        [pairs]; nan for a pair that is alone in all groups.

    Example:
        >>> centred(np.array([0.5, -0.5]), np.array([0.5, 0.5]), np.array([0, 0])).round(3).tolist()
        [0.707, -0.707]
    """
    errors = np.full(len(parts), math.nan)
    for group in groups:
        sizes = np.bincount(group)[group]
        means = np.bincount(group, parts)[group] / np.bincount(group, shares)[group]
        open_pairs = np.isnan(errors) & (sizes > 1)
        scale = np.sqrt(sizes / np.maximum(sizes - 1, 1))
        errors[open_pairs] = ((parts - shares * means) * scale)[open_pairs]
    return errors


def fisher_t_interval(statistic: float, variance: float, freedom: int, confidence_level: float = 0.95) -> Interval:
    """Return tanh(atanh(statistic) +- t sqrt(variance) / (1 - statistic^2)), t Student's: an interval within -1 and 1.

    Args:
        statistic: from -1 to 1.
        variance: of it.
        freedom: degrees of freedom of the variance.
        confidence_level: from 0 to 1.

    Returns:
        Both ends; nan where the statistic is nan, 1 or -1, or where its variance is nan, 0 or has no freedom.

    Example:
        >>> low, high = fisher_t_interval(0.0, 0.01, 30)
        >>> round(low, 3), round(high, 3)
        (-0.201, 0.201)
    """
    if not (abs(statistic) < 1 and variance > 0 and freedom > 0):
        return Interval(math.nan, math.nan)
    half = stats.t.ppf((1 + confidence_level) / 2, freedom) * math.sqrt(variance) / (1 - statistic**2)
    return Interval(math.tanh(math.atanh(statistic) - half), math.tanh(math.atanh(statistic) + half))
