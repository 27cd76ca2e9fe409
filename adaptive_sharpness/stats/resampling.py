"""The bootstrap over models, and Kendall's tau of many resamples at once."""

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.randomness import stream

LARGEST = 4096  # models up to which float32 counts pairs exactly: below 2**24


class Interval(NamedTuple):
    """Both ends of an interval, nan where there is none."""

    low: float
    high: float


def bca_interval(
    statistic: float,
    of_resamples: Callable,
    n: int,
    *,
    confidence_level: float = 0.95,
    seed: int = 0,
    resamples: int = 9999,
) -> Interval:
    """Return a BCa bootstrap interval (Efron 1987, scipy) over models.

    Args:
        statistic: of the pool.
        of_resamples: from positions in the pool, [..., n], and the axis to go along, to the statistic of each, [...].
        n: models.
        confidence_level: from 0 to 1.
        seed: of the resampling.
        resamples: how many.

    Returns:
        Both ends; nan where the statistic is nan, where it is 1 or -1 (every resample says the same, and BCa is not
        defined), and where BCa is not defined since no model that is left out makes a difference.

    Example:
        >>> values = np.linspace(-0.5, 0.5, 101)  # the mean is 0, its standard error 0.0292
        >>> low, high = bca_interval(0.0, lambda positions, axis=-1: values[positions].mean(axis), 101)
        >>> abs(low + 1.96 * 0.0292) < 0.003, abs(high - 1.96 * 0.0292) < 0.003
        (True, True)
    """
    if not abs(statistic) <= 1 - 1e-12:
        return Interval(math.nan, math.nan)
    options = {"method": "BCa", "n_resamples": resamples, "rng": stream(seed, "bootstrap"), "vectorized": True}
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # then both ends are nan, as is said above
        # Resamples are drawn as positions, since tau then needs no sorting; see tau_of_resamples.
        found = stats.bootstrap((np.arange(n),), of_resamples, confidence_level=confidence_level, **options)
    return Interval(float(found.confidence_interval.low), float(found.confidence_interval.high))


def positions_without_each(n: int) -> np.ndarray:
    """Return the positions in a pool as each model in turn is left out.

    Args:
        n: models.

    Returns:
        [n, n - 1].

    Example:
        >>> positions_without_each(3).tolist()
        [[1, 2], [0, 2], [0, 1]]
    """
    return np.array([np.delete(np.arange(n), position) for position in range(n)])


def tau_of_resamples(x: np.ndarray, y: np.ndarray):
    """Return a function that gives tau-b of many resamples of a pool at once.

    With A, B the signs of all differences in x and in y and c the counts of a resample, tau-b is
    c'(A*B)c / sqrt(c'|A|c c'|B|c). A resample in which all values tie has tau 0.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        A function of positions in the pool, [..., n], and of the axis to go along (the last), to taus, [...].

    Raises:
        ValueError: if there are more models than can be counted.

    Example:
        >>> tau = tau_of_resamples(np.array([1, 2, 3]), np.array([1, 2, 3]))
        >>> tau(np.array([[0, 1, 2], [1, 1, 1]])).tolist()
        [1.0, 0.0]
    """
    if len(x) > LARGEST:
        raise ValueError(f"resamples of a pool: got {len(x)} models, wanted at most {LARGEST}")
    a, b = (np.sign(values[:, None] - values[None, :]) for values in (x, y))
    # All sums are of whole numbers: in float32 they are exact, and take half the time.
    both = (a * b).astype(np.float32)

    def tau(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        rows = np.moveaxis(positions, axis, -1).reshape(-1, positions.shape[axis])
        offsets = np.arange(len(rows))[:, None] * len(x)
        counts = np.bincount((rows + offsets).ravel(), minlength=len(rows) * len(x)).reshape(len(rows), len(x))
        counts = counts.astype(np.float32)
        concordant = np.einsum("ij,ij->i", counts @ both, counts).astype(np.float64)
        untied = _untied(counts, x) * _untied(counts, y)
        taus = np.where(untied == 0, 0.0, concordant / np.sqrt(np.where(untied == 0, 1.0, untied)))
        return taus.reshape(np.delete(positions.shape, axis))

    return tau


def _untied(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The pairs of a resample that do not tie in values, c'|A|c: all but those within a group of equal values."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    groups = np.add.reduceat(counts[:, order].astype(np.float64), starts, axis=1)
    return groups.sum(axis=1) ** 2 - (groups**2).sum(axis=1)
