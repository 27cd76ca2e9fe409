"""Kendall's tau between repeats of one setting, and between the means of settings: they may have opposite signs."""

import math
from dataclasses import dataclass, field

import numpy as np

from adaptive_sharpness.stats.clustered import ClusteredKendallResult, clustered_kendall
from adaptive_sharpness.stats.dyadic import fisher_t_interval
from adaptive_sharpness.stats.exchange import two_sided, within_strata
from adaptive_sharpness.stats.grid import Grid, pairs_within
from adaptive_sharpness.stats.kendall import tau_b
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.samples import missing_reason
from adaptive_sharpness.stats.settings import cluster_codes, same_length

CHUNK = 2**22  # signs of differences held at once


@dataclass(frozen=True)
class WithinResult:
    """Kendall's tau-b between repeats of one setting, pooled over settings; nan where it does not exist.

    Args:
        statistic: tau-b within settings.
        pvalue: of the two-sided test by exchange of repeats within settings; None where there is no test.
        n: models of settings that have at least two.
        clusters: settings that have at least two models.
        reason: why there is no tau; empty where there is one.
    """

    statistic: float
    pvalue: float | None
    n: int
    clusters: int
    reason: str
    _variance: float = field(repr=False, compare=False)

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval from the variance between settings.

        What is estimated is the mean of tau over pools of as many settings, with repeats of their own.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends, of Fisher's transformation with Student's t; nan where tau is nan, 1 or -1.

        Example:
            >>> found = within_between(range(6), [0, 1, 3, 2, 4, 5], [0, 0, 1, 1, 2, 2]).within
            >>> low, high = found.confidence_interval()
            >>> -1 <= low < 1 / 3 < high <= 1
            True
        """
        return fisher_t_interval(self.statistic, self._variance, self.clusters - 1, confidence_level)


@dataclass(frozen=True)
class WithinBetweenResult:
    """Both taus of a pool whose models are repeats of settings.

    Args:
        within: between repeats of one setting.
        between: between the means of settings.
    """

    within: WithinResult
    between: ClusteredKendallResult

    @property
    def statistic(self) -> tuple[float, float]:
        """tau within settings, and between them.

        Example:
            >>> within_between([1, 2, 11, 12, 21, 22], [12, 11, 22, 21, 32, 31], [0, 0, 1, 1, 2, 2]).statistic
            (-1.0, 1.0)
        """
        return self.within.statistic, self.between.statistic

    @property
    def pvalue(self) -> tuple[float | None, float | None]:
        """p of tau within settings, and between them.

        Example:
            >>> within_between([1, 2, 11, 12], [12, 11, 22, 21], [0, 0, 1, 1], permutations=0).pvalue
            (None, None)
        """
        return self.within.pvalue, self.between.pvalue

    def confidence_interval(self, confidence_level: float = 0.95) -> tuple[Interval, Interval]:
        """Return the intervals of tau within settings, and between them.

        Example:
            >>> found = within_between([1, 2, 11, 12, 21, 22], [12, 11, 22, 21, 32, 31], [0, 0, 1, 1, 2, 2])
            >>> found.confidence_interval()
            (Interval(low=nan, high=nan), Interval(low=nan, high=nan))
        """
        return self.within.confidence_interval(confidence_level), self.between.confidence_interval(confidence_level)


def within_between(
    mu: np.ndarray, g: np.ndarray, clusters: np.ndarray, *, seed: int = 0, permutations: int = 999
) -> WithinBetweenResult:
    """Return Kendall's tau-b between repeats of one setting, and between the means of settings.

    Within: with sums over the pairs of models that share a setting, sum sign(dmu) sign(dg) / sqrt(sum |sign(dmu)|
    sum |sign(dg)|). Between: tau-b of the means over repeats. A measure may order settings one way and their repeats
    the other way (Simpson 1951).

    The tests exchange mu among the repeats of each setting, and among settings with as many repeats. The nulls say
    that what is exchanged is exchangeable in mu, whatever g is.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        clusters: the setting of each model, [models].
        seed: of the exchanges.
        permutations: how many; 0 for no test.

    Returns:
        WithinBetweenResult, of the models whose mu and g are finite.

    Raises:
        ValueError: if arrays do not fit, a cluster is missing, or permutations are negative.

    Example:
        >>> found = within_between([1, 2, 11, 12, 21, 22], [32, 31, 22, 21, 12, 11], [0, 0, 1, 1, 2, 2])
        >>> found.statistic
        (-1.0, -1.0)
        >>> within_between([1, 2, 11, 12, 21, 22], [12, 11, 22, 21, 32, 31], [0, 0, 1, 1, 2, 2]).statistic
        (-1.0, 1.0)
    """
    if permutations < 0:
        raise ValueError(f"permutations: got {permutations}, wanted at least 0")
    mu, g = same_length(mu=mu, g=g)
    used = np.isfinite(mu) & np.isfinite(g)
    setting = np.unique(cluster_codes(clusters, len(mu))[used], return_inverse=True)[1]
    mu, g = mu[used], g[used]
    return WithinBetweenResult(
        _within(mu, g, setting, seed, permutations), _between(mu, g, setting, seed, permutations)
    )


def _within(mu: np.ndarray, g: np.ndarray, setting: np.ndarray, seed: int, permutations: int) -> WithinResult:
    first, second, _ = pairs_within(setting)
    repeats = np.bincount(setting)
    n, clusters = int(repeats[repeats > 1].sum()), int((repeats > 1).sum())
    a, b = (np.sign(values[first] - values[second]) for values in (mu, g))
    untied = math.sqrt(np.abs(a).sum() * np.abs(b).sum())
    if not untied:
        reason = "all values of mu or of g tie within each setting" if clusters else "no setting has two models"
        return WithinResult(math.nan, None, n, clusters, reason, math.nan)
    tau = float((a * b).sum() / untied)
    parts = a * b / untied - tau / 2 * (np.abs(a) / np.abs(a).sum() + np.abs(b) / np.abs(b).sum())
    of_setting = np.bincount(setting[first], parts)
    variance = float((of_setting**2).sum()) * clusters / (clusters - 1) if clusters > 1 else math.nan
    drawn = _exchanged_repeats(mu, b, setting, (first, second), seed, permutations) / untied
    return WithinResult(tau, two_sided(tau, drawn) if len(drawn) else None, n, clusters, "", variance)


def _exchanged_repeats(
    mu: np.ndarray, signs: np.ndarray, setting: np.ndarray, pairs: tuple, seed: int, permutations: int
) -> np.ndarray:
    """The sum of sign(dmu) sign(dg) over pairs within settings, mu exchanged among repeats, [permutations]."""
    size = max(CHUNK // len(signs), 1)
    found = [np.zeros(0)]
    for some in within_strata(setting, stream(seed, "exchange of repeats"), permutations):
        for start in range(0, len(some), size):
            first, second = (mu[some[start : start + size][:, each]] for each in pairs)
            found.append(np.sign(first - second) @ signs)
    return np.concatenate(found)


def _between(
    mu: np.ndarray, g: np.ndarray, setting: np.ndarray, seed: int, permutations: int
) -> ClusteredKendallResult:
    grid = Grid(("setting",), np.unique(setting)[:, None], setting)
    x, y = (grid.means(values) if len(values) else values for values in (mu, g))
    reason = missing_reason(mu=x, g=y).replace("model", "setting")
    tau = math.nan if reason else tau_b(x, y)
    return clustered_kendall(x, y, tau, np.arange(len(x)), reason, seed, permutations, grid.repeats)
