"""Permutation tests of no association between a value and test loss, at one radius and over a grid of radii."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.exchange import of_clusters
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import LARGEST
from adaptive_sharpness.stats.settings import cluster_codes

TOLERANCE = 1e-9  # of two taus that are one and the same count of pairs
CHUNK = 2**24  # pairs of models compared at once


@dataclass(frozen=True)
class MaxTResult:
    """What permutations say of Kendall's tau of each x with y.

    Args:
        statistic: tau-b of each x, [radii].
        pvalue: adjusted for there being several x, [radii].
        single_pvalue: of each x alone, [radii].
    """

    statistic: np.ndarray
    pvalue: np.ndarray
    single_pvalue: np.ndarray


def max_t(
    x: np.ndarray, y: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0, permutations: int = 9999
) -> MaxTResult:
    """Return permutation p of Kendall's tau of each x with y (two-sided), also adjusted for there being several x.

    A permutation of y serves all x at once. p is the share of permutations, the identity among them, whose |tau| is at
    least that of the data: (1 + count) / (1 + permutations) (Phipson & Smyth 2010). The adjusted p counts the
    permutations in which the largest |tau| over all x is at least that: single-step max-T (Westfall & Young 1993).

    Args:
        x: values of the models at each radius, [radii, models], finite.
        y: test losses of the same models, [models], finite.
        clusters: models that are no independent draws share one, such as repeats of a setting, [models]. Then whole
            clusters of y are exchanged, each with clusters of as many models.
        seed: of the permutations.
        permutations: how many.

    Returns:
        MaxTResult; nan where all values of x or of y tie, p also where no two clusters can be exchanged.

    Raises:
        ValueError: if there are more models than can be counted, or not a cluster for each of them.

    Example:
        >>> max_t(np.arange(8)[None], np.arange(8.0), permutations=99).pvalue.tolist()
        [0.01]
    """
    statistic = taus(x, y[None])[0]
    observed = np.abs(statistic)
    single, adjusted = np.ones_like(observed), np.ones_like(observed)
    draw = stream(seed, "permutation")
    clusters = None if clusters is None else cluster_codes(clusters, len(y))
    for permuted in (
        _permuted(y, permutations, draw) if clusters is None else _exchanged(y, clusters, permutations, draw)
    ):
        found = np.abs(taus(x, permuted))
        single += (found >= observed - TOLERANCE).sum(axis=0)
        adjusted += (np.nan_to_num(found).max(axis=1, keepdims=True) >= observed - TOLERANCE).sum(axis=0)
    undefined = np.isnan(observed) | (clusters is not None and not _exchangeable(clusters))
    pvalues = (np.where(undefined, math.nan, count / (1 + permutations)) for count in (adjusted, single))
    return MaxTResult(statistic, *pvalues)


def taus(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of each x with each y, from the signs of all differences.

    Args:
        x: [radii, models].
        y: [orders, models], each the same values in another order.

    Returns:
        [orders, radii]; nan where all values tie.

    Raises:
        ValueError: if there are more models than can be counted.

    Example:
        >>> taus(np.array([[1, 2, 3]]), np.array([[1, 2, 3], [3, 2, 1]])).ravel().tolist()
        [1.0, -1.0]
    """
    n = x.shape[1]
    if n > LARGEST:
        raise ValueError(f"permutation test: got {n} models, wanted at most {LARGEST}")
    signs = np.sign(_ranks(x)[:, :, None] - _ranks(x)[:, None, :]).reshape(len(x), n * n)
    ranks = _ranks(y)
    # Since signs are antisymmetric, sum(A * B) is twice the sum of A where B is 1.
    above = (ranks[:, :, None] > ranks[:, None, :]).reshape(len(y), n * n)
    untied = np.abs(signs).sum(axis=1) * (2.0 * above[0].sum())
    scale = np.divide(2, np.sqrt(untied), out=np.full(len(x), math.nan), where=untied > 0)
    return (above.astype(np.float32) @ signs.T.astype(np.float32)) * scale


def _ranks(values: np.ndarray) -> np.ndarray:
    return stats.rankdata(values, method="dense", axis=1).astype(np.int16)


def _permuted(y: np.ndarray, permutations: int, draw: np.random.Generator):
    """Orders of y, as many at a time as memory holds."""
    size = max(CHUNK // max(len(y) ** 2, 1), 1)
    for first in range(0, permutations, size):
        yield draw.permuted(np.tile(y, (min(size, permutations - first), 1)), axis=1)


def _exchanged(y: np.ndarray, clusters: np.ndarray, permutations: int, draw: np.random.Generator):
    """Orders of y in which whole clusters are exchanged, as many at a time as memory holds."""
    size = max(CHUNK // max(len(y) ** 2, 1), 1)
    for positions in of_clusters(clusters, draw, permutations):
        yield from (y[positions[first : first + size]] for first in range(0, len(positions), size))


def _exchangeable(clusters: np.ndarray) -> bool:
    """Whether two clusters have as many models."""
    sizes = np.unique(clusters, return_counts=True)[1]
    return len(np.unique(sizes)) < len(sizes)
