"""Kendall's tau of two values over a pool of models, with its uncertainty."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.clustered import ClusteredKendallResult, clustered_kendall
from adaptive_sharpness.stats.resampling import Interval, bca_interval, positions_without_each, tau_of_resamples
from adaptive_sharpness.stats.samples import FEWEST, finite, missing_reason
from adaptive_sharpness.stats.settings import cluster_codes

VARIANCE = 0.437  # of atanh(tau), times n - 4 (Fieller, Hartley & Pearson 1957)


@dataclass(frozen=True)
class KendallResult:
    """Kendall's tau-b of a pool, nan where it does not exist.

    Args:
        statistic: tau-b.
        pvalue: of the two-sided test of no association.
        n: models used, those whose two values are finite.
    """

    statistic: float
    pvalue: float
    n: int
    _x: np.ndarray = field(repr=False, compare=False)
    _y: np.ndarray = field(repr=False, compare=False)

    def confidence_interval(self, confidence_level: float = 0.95, *, seed: int = 0, resamples: int = 9999) -> Interval:
        """Return a BCa bootstrap interval (Efron 1987) over models.

        Args:
            confidence_level: from 0 to 1.
            seed: of the resampling.
            resamples: how many.

        Returns:
            Both ends; see `bca_interval` for where they are nan.

        Example:
            >>> found = kendall([1, 2, 3, 4, 5, 6, 7], [2, 1, 3, 4, 7, 6, 5])
            >>> low, high = found.confidence_interval(resamples=999)
            >>> -1 <= low < found.statistic <= high <= 1
            True
        """
        options = {"confidence_level": confidence_level, "seed": seed, "resamples": resamples}
        return bca_interval(self.statistic, tau_of_resamples(self._x, self._y), self.n, **options)


def kendall(
    x: np.ndarray, y: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0, permutations: int = 999
) -> KendallResult | ClusteredKendallResult:
    """Return Kendall's tau-b (Kendall 1945, scipy) of those models whose two values are finite.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        clusters: models that are no independent draws share one, such as repeats of a setting, [models]. Then p is
            that of exchanges of whole clusters of x with clusters of as many models, and the interval is that of as
            many clusters: rows taken as independent make both too sure.
        seed: of the exchanges; without clusters p needs none.
        permutations: how many exchanges; 0 for no test.

    Returns:
        KendallResult, or ClusteredKendallResult where clusters are given; nan but for n where fewer than 3 models are
        usable, or where all values of x or of y tie.

    Raises:
        ValueError: if there is not a cluster for each model, or permutations are negative.

    Example:
        >>> found = kendall([1, 2, 3, 4], [1, 3, 2, 4])
        >>> round(found.statistic, 3), round(found.pvalue, 3), found.n
        (0.667, 0.333, 4)
        >>> kendall([1, 2, 5, 6], [1, 3, 2, 4], clusters=["a", "a", "b", "b"]).clusters
        2
    """
    if clusters is not None:
        return _by_clusters(x, y, clusters, seed, permutations)
    x, y = finite(x, y)
    if missing_reason(x=x, y=y):
        return KendallResult(math.nan, math.nan, len(x), x, y)
    found = stats.kendalltau(x, y)
    return KendallResult(float(found.statistic), float(found.pvalue), len(x), x, y)


def tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Return Kendall's tau-b alone, nan where `kendall` has none.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        From -1 to 1.

    Example:
        >>> tau_b([1, 2, 3], [3, 2, 1])
        -1.0
    """
    return kendall(x, y).statistic


def fisher_interval(tau: float, n: int) -> Interval:
    """Return Fisher's 95 % interval, tanh(atanh tau +- 1.96 sqrt(0.437 / (n - 4))) (Fieller, Hartley & Pearson 1957).

    Args:
        tau: Kendall's.
        n: models behind it.

    Returns:
        Both ends; nan where tau is, where it is 1 or -1, or where n is at most 4.

    Example:
        >>> low, high = fisher_interval(0.0, 50)
        >>> round(high, 3)
        0.189
    """
    if not abs(tau) < 1 or n <= 4:
        return Interval(math.nan, math.nan)
    half = stats.norm.ppf(0.975) * math.sqrt(VARIANCE / (n - 4))
    return Interval(math.tanh(math.atanh(tau) - half), math.tanh(math.atanh(tau) + half))


def leave_one_out(x: np.ndarray, y: np.ndarray) -> Interval:
    """Return the range of tau as each model in turn is left out: how much one model can do.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        The lowest and the highest tau-b, over models whose absence leaves a tau; nan if there is none.

    Example:
        >>> leave_one_out([1, 2, 3, 4], [1, 2, 4, 3])
        Interval(low=0.3333333333333333, high=1.0)
    """
    x, y = finite(x, y)
    n = len(x)
    if missing_reason(x=x, y=y) or n == FEWEST:
        return Interval(math.nan, math.nan)
    rest = positions_without_each(n)
    defined = (np.ptp(x[rest], axis=1) > 0) & (np.ptp(y[rest], axis=1) > 0)
    taus = tau_of_resamples(x, y)(rest[defined])
    return Interval(float(taus.min()), float(taus.max())) if len(taus) else Interval(math.nan, math.nan)


def consistency(tau: float, n: int, published: float, published_n: int) -> float:
    """Return z of the difference of two independent taus; they are consistent where |z| < 1.96.

    z = (atanh tau - atanh published) / sqrt(0.437 / (n - 4) + 0.437 / (published_n - 4)) (variances: Fieller, Hartley &
    Pearson 1957). Both are samples, so that a published tau outside our interval is not yet a contradiction.

    Args:
        tau: ours.
        n: models behind it, more than 4.
        published: the other.
        published_n: models behind it, more than 4.

    Returns:
        z; nan where tau is or n is too small, infinite where tau is 1 or -1.

    Example:
        >>> consistency(0.2, 50, 0.2, 50)
        0.0
    """
    if not math.isfinite(tau) or n <= 4:
        return math.nan
    if abs(tau) == 1:
        return math.copysign(math.inf, tau)
    return (math.atanh(tau) - math.atanh(published)) / math.sqrt(VARIANCE / (n - 4) + VARIANCE / (published_n - 4))


def _by_clusters(
    x: np.ndarray, y: np.ndarray, clusters: np.ndarray, seed: int, permutations: int
) -> ClusteredKendallResult:
    if permutations < 0:
        raise ValueError(f"permutations: got {permutations}, wanted at least 0")
    x, y, clusters = finite(x, y, cluster_codes(clusters, len(x)))
    clusters = np.unique(clusters, return_inverse=True)[1]
    reason = missing_reason(x=x, y=y)
    tau = math.nan if reason else float(stats.kendalltau(x, y).statistic)
    return clustered_kendall(x, y, tau, clusters, reason, seed, permutations)
