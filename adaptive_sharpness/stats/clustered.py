"""Kendall's tau over models of which several are no independent draws: its variance and its test go by clusters."""

import math
from dataclasses import dataclass, field

import numpy as np

from adaptive_sharpness.stats.bits import Columns, ordered
from adaptive_sharpness.stats.dyadic import dyadic_variance, fisher_t_interval
from adaptive_sharpness.stats.exchange import cluster_kinds, exchangeable, of_clusters, two_sided
from adaptive_sharpness.stats.grid import pairs_within
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval

CHUNK = 2**22  # pairs of models held at once


@dataclass(frozen=True)
class ClusteredKendallResult:
    """Kendall's tau-b of a pool whose models come in clusters, nan where it does not exist.

    Args:
        statistic: tau-b over all models.
        pvalue: of the two-sided test by exchange of whole clusters; None where there is no test.
        n: models used, those whose two values are finite.
        clusters: that they come in.
        reason: why there is no tau, or no test of it; empty where there are both.
    """

    statistic: float
    pvalue: float | None
    n: int
    clusters: int
    reason: str
    _variance: float = field(repr=False, compare=False)

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval from the variance between clusters.

        What is estimated is the mean of tau over pools of as many clusters that are drawn as these are. Pairs of models
        are correlated where they share a cluster: see `dyadic.dyadic_variance`.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends, of Fisher's transformation with Student's t; nan where tau is nan, 1 or -1.

        Example:
            >>> x, y = np.arange(5.0), np.array([1.0, 0.0, 3.0, 2.0, 4.0])
            >>> low, high = clustered_kendall(x, y, 0.6, np.arange(5), "", 0, 0).confidence_interval()
            >>> -1 <= low < 0.6 < high <= 1
            True
        """
        return fisher_t_interval(self.statistic, self._variance, self.clusters - 1, confidence_level)


def tau_variance(x: np.ndarray, y: np.ndarray, tau: float, clusters: np.ndarray) -> float:
    """Return the variance of tau-b between clusters, from its linear part.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        tau: of both.
        clusters: of each model, whole numbers from 0, [models].

    Returns:
        At least 0; nan where no two pairs of models are without a common cluster.

    Example:
        >>> tau_variance(np.arange(4.0), np.arange(4.0), 1.0, np.arange(4))
        0.0
    """
    return influence_variance(tau_influences(x, y, tau, clusters), np.bincount(clusters))


def tau_influences(x: np.ndarray, y: np.ndarray, tau: float, clusters: np.ndarray) -> np.ndarray:
    """Return what the pairs of models of each two clusters add to tau-b, less what they are expected to add.

    With A the sum of sign(x_a - x_b) sign(y_a - y_b), B that of |sign(x_a - x_b)|, C that of |sign(y_a - y_b)|, tau-b
    is A / sqrt(B C); to the first order a pair adds A_ab / sqrt(B C) - tau / 2 (B_ab / B + C_ab / C).

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        tau: of both.
        clusters: of each model, whole numbers from 0, [models].

    Returns:
        [clusters, clusters], each pair on both sides; they sum to 0.

    Example:
        >>> tau_influences(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]), 1 / 3, np.arange(3)).round(3).tolist()
        [[0.0, 0.111, 0.111], [0.111, 0.0, -0.222], [0.111, -0.222, 0.0]]
    """
    order = np.argsort(clusters, kind="stable")
    x, y, starts = x[order], y[order], np.flatnonzero(np.diff(clusters[order], prepend=-1))
    totals = [float((np.unique(values, return_counts=True)[1] ** 2).sum()) for values in (x, y)]
    untied = [len(x) ** 2 - tied for tied in totals]
    rows = max(CHUNK // len(x), 1)
    found = []
    for first in range(0, len(x), rows):
        a, b = (np.sign(values[first : first + rows, None] - values).astype(np.int8) for values in (x, y))
        parts = a * b / math.sqrt(math.prod(untied))
        parts -= tau / 2 * (np.abs(a) / untied[0] + np.abs(b) / untied[1])
        found.append(np.add.reduceat(parts, starts, axis=1))
    return np.add.reduceat(np.concatenate(found), starts, axis=0)


def taus_without_each(x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return tau-b as each cluster in turn is left out.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        clusters: of each model, whole numbers from 0, [models].

    Returns:
        [clusters]; nan where all values of x or of y that are left tie.

    Example:
        >>> taus_without_each(np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3]), np.array([0, 0, 1, 1])).tolist()
        [-1.0, 1.0]
    """
    rows, of_models = max(CHUNK // len(x), 1), []
    for first in range(0, len(x), rows):
        a, b = (np.sign(values[first : first + rows, None] - values).astype(np.int8) for values in (x, y))
        of_models.append([(a * b).sum(axis=1, dtype=int), np.abs(a).sum(axis=1), np.abs(b).sum(axis=1)])
    of_models = np.concatenate(of_models, axis=1)
    one, other, _ = pairs_within(clusters)
    a, b = (np.sign(values[one] - values[other]) for values in (x, y))
    # A pair stands on both sides of the sums; those of a cluster's own pairs are taken away twice.
    left = [
        sums.sum() - 2 * np.bincount(clusters, sums) + 2 * np.bincount(clusters[one], own, clusters.max() + 1)
        for sums, own in zip(of_models, (a * b, np.abs(a), np.abs(b)), strict=True)
    ]
    untied = left[1] * left[2]
    return np.divide(left[0], np.sqrt(untied), out=np.full(len(untied), math.nan), where=untied > 0)


def influence_variance(influences: np.ndarray, sizes: np.ndarray) -> float:
    """Return the variance between clusters of a statistic, from what the pairs of each two clusters add to it.

    Args:
        influences: each pair on both sides, [clusters, clusters].
        sizes: models of each cluster, [clusters].

    Returns:
        At least 0; nan where no two pairs of models are without a common cluster.

    Example:
        >>> influence_variance(np.zeros((3, 3)), np.ones(3))
        nan
    """
    rows, columns = np.triu_indices(len(influences))
    alone = rows == columns
    errors = influences[rows, columns] * np.where(alone, 1, 2)
    shares = sizes[rows] * np.where(alone, (sizes[rows] - 1) / 2, sizes[columns])
    return dyadic_variance(errors, rows, columns, shares)


def exchanged_taus(
    x: np.ndarray,
    y: np.ndarray,
    clusters: np.ndarray,
    draw: np.random.Generator,
    permutations: int,
    repeats: np.ndarray | None = None,
) -> np.ndarray:
    """Return tau-b of exchanges of whole clusters of x, each with clusters of as many models.

    Args:
        x: one value a model, [models], not all the same.
        y: another value of the same models, [models], not all the same.
        clusters: of each model, whole numbers from 0, [models].
        draw: where the exchanges come from.
        permutations: how many.
        repeats: behind each model, [models], if it is a mean: then those with as many are exchanged.

    Returns:
        [permutations]; of none if no two clusters have as many models.

    Example:
        >>> exchanged_taus(np.arange(4), np.arange(4), np.array([0, 0, 0, 1]), np.random.default_rng(0), 5).tolist()
        []
    """
    repeats = np.ones(len(clusters), dtype=int) if repeats is None else repeats
    if not exchangeable(cluster_kinds(clusters, repeats)):
        return np.zeros(0)
    columns = Columns(np.zeros(len(x), dtype=int))
    above_y, below_y = (columns.above(ordered(values)) for values in (y, -y))
    above, both = np.empty_like(above_y), np.empty_like(above_y)
    ties_y = len(np.unique(y)) < len(y)
    untied_x, untied_y = (np.square(len(v)) - (np.unique(v, return_counts=True)[1] ** 2).sum() for v in (x, y))

    def concordant_less_discordant(order: np.ndarray) -> int:
        columns.above(ordered(x[order]), above)
        concordant = columns.counts(np.bitwise_and(above, above_y, out=both)).item()
        if not ties_y:
            return 2 * concordant - int(untied_x) // 2
        return concordant - columns.counts(np.bitwise_and(above, below_y, out=both)).item()

    exchanges = of_clusters(clusters, draw, permutations, repeats)
    counts = np.array([concordant_less_discordant(order) for some in exchanges for order in some])
    return counts / (math.sqrt(float(untied_x) * float(untied_y)) / 2)


def clustered_kendall(
    x: np.ndarray,
    y: np.ndarray,
    tau: float,
    clusters: np.ndarray,
    reason: str,
    seed: int,
    permutations: int,
    repeats: np.ndarray | None = None,
) -> ClusteredKendallResult:
    """Return tau-b with its variance and p by clusters; see `kendall.kendall`, which is how to call it.

    Args:
        x: one finite value a model, [models].
        y: another of the same models, [models].
        tau: of both, nan if there is none.
        clusters: of each model, whole numbers from 0, [models].
        reason: why there is no tau; empty if there is one.
        seed: of the exchanges.
        permutations: how many; 0 for no test.
        repeats: behind each model, [models], if it is a mean: then those with as many are exchanged.

    Returns:
        ClusteredKendallResult.

    Example:
        >>> clustered_kendall(np.ones(3), np.arange(3), math.nan, np.arange(3), "all values of x tie", 0, 9).pvalue
    """
    count = len(np.unique(clusters))
    if reason:
        return ClusteredKendallResult(math.nan, None, len(x), count, reason, math.nan)
    drawn = exchanged_taus(x, y, clusters, stream(seed, "exchange of clusters"), permutations, repeats)
    if permutations and not len(drawn):
        reason = "no two clusters can be exchanged: each has its own number of models"
    pvalue = two_sided(tau, drawn) if len(drawn) else None
    return ClusteredKendallResult(tau, pvalue, len(x), count, reason, tau_variance(x, y, tau, clusters))
