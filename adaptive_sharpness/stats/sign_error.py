"""How often a measure orders wrongly two settings that differ in one hyper-parameter alone and whose order is known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from adaptive_sharpness.stats.dyadic import centred, dyadic_variance, fisher_t_interval
from adaptive_sharpness.stats.exchange import cluster_kinds, exchangeable, of_clusters, one_sided, two_sided
from adaptive_sharpness.stats.grid import Dyads, dyads
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.settings import Repeats, read_repeats

LEAST_SURE = 0.5  # squared confidence from which on a pair of models has a weight
LEAST_SHARE = 0.12  # of an environment's pairs of models: as many equal weights must its weights be worth
CHUNK = 2**22  # pairs of models held at once


@dataclass(frozen=True)
class SignErrors:
    """Sign errors of some environments: ordered pairs of settings that differ in one axis.

    Args:
        statistic: their mean, from 0 to 1, 0.5 expected without association; nan where there is no environment.
        pvalue: of the two-sided test of the mean by exchange of settings; None where there is no test.
        percentile_90: their 90th percentile.
        percentile_90_expected: its mean under exchange.
        maximum: the worst.
        maximum_expected: its mean under exchange: of thousands of environments the worst is 1 by noise alone.
        maximum_pvalue: the share of exchanges in which the worst is at most as high; None where there is no test.
        environments: that are left.
        left_out: environments in which the order of g is too little known.
        reason: why there is no sign error, or no test of it; empty where there are both.
    """

    statistic: float
    pvalue: float | None
    percentile_90: float
    percentile_90_expected: float
    maximum: float
    maximum_expected: float
    maximum_pvalue: float | None
    environments: int
    left_out: int
    reason: str
    _variance: float = field(repr=False, compare=False)
    _freedom: int = field(repr=False, compare=False)

    interval_reason = "of the mean alone: a bootstrap of the maximum is not consistent, read it beside maximum_expected"

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval of the mean, from the variance between pairs of settings.

        What is estimated is its mean over draws of the settings' own values and of their repeats, the levels of the
        axes being as they are; see `dyadic.dyadic_variance`. There is none for the maximum.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends, of Fisher's transformation of 1 - 2 x mean with Student's t; nan where the mean is nan, 0 or 1.

        Example:
            >>> found = sign_error([1, 2, 3, 4], [1, 2, 4, 3], {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]})
            >>> low, high = found.confidence_interval()
            >>> 0 <= low < 0.25 < high <= 1
            True
        """
        agreement = 1 - 2 * self.statistic
        low, high = fisher_t_interval(agreement, 4 * self._variance, self._freedom, confidence_level)
        return Interval((1 - high) / 2, (1 - low) / 2)


@dataclass(frozen=True)
class SignErrorResult(SignErrors):
    """Sign errors of all environments, and of those of each axis.

    Args:
        by_axis: of the environments whose settings differ in an axis, by its name.
        n: settings.
    """

    by_axis: dict[str, SignErrors]
    n: int


def sign_error(
    mu: np.ndarray,
    g: np.ndarray,
    axes: Mapping,
    *,
    test_size: int | None = None,
    losses: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    least_share: float = LEAST_SHARE,
    seed: int = 0,
    permutations: int = 999,
) -> SignErrorResult:
    """Return the sign errors of a measure (Dziugaite et al. 2020), weighted by how surely the order of g is known.

    An environment is an ordered pair of settings that differ in one axis. Over all pairs of a repeat of the one and a
    repeat of the other, its sign error is sum w (1 - sign(dmu) sign(dg)) / 2 / sum w. With p the probability that
    chance alone puts g as far apart, w = max(0, (1 - p)^2 - 1/2). For a g that is an error rate over `test_size`
    examples p is at most 2 exp(-2 test_size (dg / 2)^2) (Hoeffding), for any g with the `losses` of each test example
    it is 2 (1 - Phi(|dg| / s)), s the paired standard error of the difference. With neither, w = 1.

    An environment is left out where (sum w)^2 / sum w^2 is below 12 % of its pairs, or no pair has a weight.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis by its name, each [models]; models that share all levels are repeats.
        test_size: examples behind each g, if it is an error rate or an accuracy.
        losses: of the test examples, the same ones for all models, [models, examples].
        clusters: whole settings that are no independent draws share one, and are exchanged together, [models].
        least_share: of an environment's pairs.
        seed: of the exchanges: each setting gets the mu of a setting with as many repeats.
        permutations: how many; 0 for no test.

    Returns:
        SignErrorResult, of the models whose mu and g are finite.

    Raises:
        ValueError: if arrays do not fit, a level is missing, a setting lies in several clusters, both test_size and
            losses are given, a loss is not finite, or a number is out of its range.

    Example:
        >>> axes = {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]}
        >>> found = sign_error([1, 2, 3, 4], [1, 2, 4, 3], axes)
        >>> found.statistic, found.maximum, found.by_axis["rate"].statistic, found.environments
        (0.25, 1.0, 0.0, 8)
    """
    if permutations < 0:
        raise ValueError(f"permutations: got {permutations}, wanted at least 0")
    if not 0 <= least_share <= 1:
        raise ValueError(f"least_share: got {least_share}, wanted 0 to 1")
    if test_size is not None and test_size < 1:
        raise ValueError(f"test_size: got {test_size}, wanted at least 1")
    pool = read_repeats(mu, g, axes, clusters)
    environments = Environments(pool, test_size, _checked(losses, test_size, pool.used), least_share)
    errors = environments.errors(pool.mu[:, None])[:, 0]
    pairs, kept = environments.pairs, environments.kept
    everything = np.full(len(errors), True)
    chosen = [everything, *(pairs.axis[kept] == axis for axis in range(len(pool.grid.names)))]
    left_out = [int((~kept).sum()), *(int((pairs.axis[~kept] == axis).sum()) for axis in range(len(pool.grid.names)))]
    drawn = _exchanged(environments, pool, chosen, stream(seed, "exchange of settings"), permutations)
    found = [
        _summary(errors, *each, environments, pool, permutations) for each in zip(drawn, chosen, left_out, strict=True)
    ]
    by_axis = {name: SignErrors(*each) for name, each in zip(pool.grid.names, found[1:], strict=True)}
    return SignErrorResult(*found[0], by_axis, len(pool.grid.levels))


class Environments:
    """Pairs of settings that differ in one axis, with the weights of their pairs of models.

    Args:
        pool: the models.
        test_size: examples behind each g, or None.
        losses: of the test examples, [models, examples], or None.
        least_share: of an environment's pairs.
    """

    def __init__(self, pool: Repeats, test_size: int | None, losses: np.ndarray | None, least_share: float):
        self.pairs = dyads(pool.grid)
        first, second, of_pair = _model_pairs(pool, self.pairs)
        dg = pool.g[first] - pool.g[second]
        weights = _weights(dg, first, second, test_size, losses)
        settings = len(self.pairs.first)
        counts = np.bincount(of_pair, minlength=settings)
        sums, squares = (np.bincount(of_pair, each, settings).astype(float) for each in (weights, weights**2))
        worth = np.divide(sums**2, squares, out=np.zeros_like(sums), where=squares > 0)
        self.kept = (sums > 0) & (worth >= least_share * counts * (1 - 1e-9))
        inside = self.kept[of_pair]
        self._first, self._second = first[inside], second[inside]
        self._signed = (weights * np.sign(dg) / sums[of_pair].clip(min=1e-300))[inside]
        self._starts = np.flatnonzero(np.diff(of_pair[inside], prepend=-1))

    def errors(self, mu: np.ndarray) -> np.ndarray:
        """Return the sign error of each environment that is left, in either order.

        Args:
            mu: [models, draws].

        Returns:
            [pairs of settings that are left, draws].

        Example:
            >>> pool = read_repeats([1, 2, 3], [1, 3, 2], {"rate": [1, 2, 3]}, None)
            >>> Environments(pool, None, None, LEAST_SHARE).errors(pool.mu[:, None]).ravel().tolist()
            [0.0, 0.0, 1.0]
        """
        if not len(self._starts):
            return np.zeros((0, mu.shape[1]))
        agreement = np.sign(mu[self._first] - mu[self._second]) * self._signed[:, None]
        return (1 - np.add.reduceat(agreement, self._starts, axis=0)) / 2

    @property
    def size(self) -> int:
        """Pairs of models that are compared.

        Example:
            >>> pool = read_repeats([1, 2, 3], [1, 3, 2], {"rate": [1, 1, 2]}, None)
            >>> Environments(pool, None, None, LEAST_SHARE).size
            2
        """
        return len(self._first)


def _model_pairs(pool: Repeats, pairs: Dyads) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both models of each pair of repeats, and the pair of settings that they belong to, [pairs of models] each."""
    models = np.argsort(pool.grid.setting, kind="stable")
    repeats = pool.grid.repeats
    starts = np.cumsum(repeats) - repeats
    counts = repeats[pairs.first] * repeats[pairs.second]
    of_pair = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(of_pair)) - (np.cumsum(counts) - counts)[of_pair]
    columns = repeats[pairs.second][of_pair]
    first = models[starts[pairs.first][of_pair] + within // columns]
    second = models[starts[pairs.second][of_pair] + within % columns]
    return first, second, of_pair


def _weights(
    dg: np.ndarray, first: np.ndarray, second: np.ndarray, test_size: int | None, losses: np.ndarray | None
) -> np.ndarray:
    if test_size is not None:
        chance = 2 * np.exp(-2 * test_size * (dg / 2) ** 2)
    elif losses is not None:
        errors = _paired_errors(losses, first, second)
        distance = np.divide(np.abs(dg), errors, out=np.where(dg == 0, 0, math.inf), where=errors > 0)
        chance = 2 * norm.sf(distance)
    else:
        return np.ones(len(dg))
    return np.maximum(np.maximum(1 - chance, 0) ** 2 - LEAST_SURE, 0)


def _paired_errors(losses: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The standard error over examples of the mean difference of two models, [pairs of models]."""
    examples = losses.shape[1]
    size = max(CHUNK // examples, 1)
    variances = [np.zeros(0)]
    for start in range(0, len(first), size):
        chosen = slice(start, start + size)
        variances.append((losses[first[chosen]] - losses[second[chosen]]).var(axis=1, ddof=1))
    return np.sqrt(np.concatenate(variances) / examples)


def _checked(losses: np.ndarray | None, test_size: int | None, used: np.ndarray) -> np.ndarray | None:
    """The losses of the models that are used."""
    if losses is None:
        return None
    if test_size is not None:
        raise ValueError("weights: got test_size and losses, wanted one of them or none")
    losses = np.asarray(losses, dtype=float)
    if losses.ndim != 2 or len(losses) != len(used) or losses.shape[1] < 2:
        wanted = f"one row for each of {len(used)} models, of at least 2 examples"
        raise ValueError(f"losses: got an array of shape {losses.shape}, wanted {wanted}")
    if not np.isfinite(losses[used]).all():
        raise ValueError("losses: got some that are not finite, of models whose mu and g are")
    return losses[used]


def _exchanged(
    environments: Environments, pool: Repeats, chosen: list[np.ndarray], draw: np.random.Generator, permutations: int
) -> list[np.ndarray]:
    """Mean, 90th percentile and maximum of chosen environments, mu of settings exchanged, [3, permutations] each."""
    order = np.argsort(pool.grid.setting, kind="stable")  # so that the repeats of a setting stand together
    clusters, repeats = pool.clusters[pool.grid.setting[order]], pool.grid.repeats[pool.grid.setting[order]]
    found = [[np.zeros((3, 0))] for _ in chosen]
    if environments.kept.any() and exchangeable(cluster_kinds(clusters, repeats)):
        size = max(CHUNK // environments.size, 1)
        for some in of_clusters(clusters, draw, permutations, repeats):
            for start in range(0, len(some), size):
                mu = np.empty((len(order), len(some[start : start + size])))
                mu[order] = pool.mu[order][some[start : start + size].T]
                errors = environments.errors(mu)
                for those, parts in zip(chosen, found, strict=True):
                    parts.append(_three(errors[those]) if those.any() else np.zeros((3, errors.shape[1])))
    return [np.concatenate(parts, axis=1) for parts in found]


def _summary(
    errors: np.ndarray,
    drawn: np.ndarray,
    chosen: np.ndarray,
    left_out: int,
    environments: Environments,
    pool: Repeats,
    permutations: int,
) -> tuple:
    """The fields of SignErrors of those environments that are chosen."""
    count = int(chosen.sum())
    if not count:
        return (math.nan, None, *[math.nan] * 4, None, 0, 2 * left_out, _why_none(left_out), math.nan, 0)
    errors = errors[chosen]
    mean, percentile, maximum = _three(errors[:, None])[:, 0].tolist()
    pvalue, percentile_expected, maximum_expected, maximum_pvalue, reason = None, math.nan, math.nan, None, ""
    if drawn.shape[1]:
        of_means, of_percentiles, of_maxima = drawn
        pvalue = two_sided(mean, of_means, 0.5)
        percentile_expected, maximum_expected = float(of_percentiles.mean()), float(of_maxima.mean())
        maximum_pvalue = one_sided(-maximum, -of_maxima)
    elif permutations:
        reason = "no two settings can be exchanged: each has its own number of repeats"
    pairs, kept = environments.pairs, np.flatnonzero(environments.kept)[chosen]
    variance, freedom = _variance(errors, pairs, kept, pool, bool(chosen.all()))
    spread = (percentile, percentile_expected, maximum, maximum_expected, maximum_pvalue)
    return (mean, pvalue, *spread, 2 * count, 2 * left_out, reason, variance, freedom)


def _variance(errors: np.ndarray, pairs: Dyads, kept: np.ndarray, pool: Repeats, everything: bool) -> tuple[float, int]:
    """The variance of the mean over those pairs of settings that are kept, and its degrees of freedom."""
    count, kind, axis = len(errors), pairs.kind[kept], pairs.axis[kept]
    shares = np.full(count, 1 / count)
    parts = centred(errors / count, shares, kind, axis, np.zeros(count, dtype=int))
    first, second = pool.clusters[pairs.first[kept]], pool.clusters[pairs.second[kept]]
    if everything:
        return dyadic_variance(parts, first, second, shares), int(pool.clusters.max())
    # Pairs of one axis share settings within its cells alone: each comparison of two levels has a mean of its own.
    return dyadic_variance(parts, first, second), count - len(np.unique(kind))


def _three(errors: np.ndarray) -> np.ndarray:
    """Mean, 90th percentile and maximum over environments, [3, draws]; each pair of settings is two of them."""
    ordered = np.repeat(errors, 2, axis=0)
    return np.array([errors.mean(axis=0), np.percentile(ordered, 90, axis=0), errors.max(axis=0)])


def _why_none(left_out: int) -> str:
    if left_out:
        return f"the order of g is too little known in all {2 * left_out} environments"
    return "no two settings differ in one axis alone"
