"""Kendall's tau between two values that is left once a third one is given."""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.clustered import influence_variance, tau_influences, taus_without_each
from adaptive_sharpness.stats.dyadic import fisher_t_interval
from adaptive_sharpness.stats.kendall import tau_b
from adaptive_sharpness.stats.resampling import Interval, bca_interval, positions_without_each, tau_of_resamples
from adaptive_sharpness.stats.samples import finite, missing_reason
from adaptive_sharpness.stats.settings import cluster_codes

ROUNDING = 1e-9  # of a partial correlation, which divides by what is left of x and y


@dataclass(frozen=True)
class PartialKendallResult:
    """A partial tau, nan where it does not exist.

    Args:
        statistic: the partial tau.
        n: models used, those whose three values are finite.
    """

    statistic: float
    n: int
    _pairs: tuple = field(repr=False, compare=False)

    pvalue = None  # no permutation keeps what z says of x and of y

    def confidence_interval(self, confidence_level: float = 0.95, *, seed: int = 0, resamples: int = 9999) -> Interval:
        """Return a BCa bootstrap interval (Efron 1987) over models.

        Args:
            confidence_level: from 0 to 1.
            seed: of the resampling.
            resamples: how many; one in which the partial tau does not exist counts as 0: it shows no association, and
                draws the interval towards 0.

        Returns:
            Both ends; see `resampling.bca_interval` for where they are nan.

        Example:
            >>> found = partial_kendall([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4])
            >>> low, high = found.confidence_interval(resamples=999)
            >>> -1 <= low < found.statistic < high <= 1
            True
        """
        if math.isnan(self.statistic):
            return Interval(math.nan, math.nan)
        resampled = [tau_of_resamples(*pair) for pair in self._pairs]

        def of_resamples(positions: np.ndarray, axis: int = -1) -> np.ndarray:
            return np.nan_to_num(partial_correlation(*(tau(positions, axis) for tau in resampled)))

        options = {"confidence_level": confidence_level, "seed": seed, "resamples": resamples}
        return bca_interval(self.statistic, of_resamples, self.n, **options)


@dataclass(frozen=True)
class ClusteredPartialResult:
    """A partial tau of a pool whose models come in clusters, nan where it does not exist.

    Args:
        statistic: the partial tau.
        n: models used, those whose three values are finite.
        clusters: that they come in.
    """

    statistic: float
    n: int
    clusters: int
    _variance: float = field(repr=False, compare=False)

    pvalue = None  # no exchange keeps what z says of x and of y

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval from the variance between clusters, of the linear part of the three taus.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends, of Fisher's transformation with Student's t; nan where the partial tau is nan, 1 or -1.

        Example:
            >>> found = partial_kendall([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [1, 3, 2, 5, 4], clusters=range(5))
            >>> low, high = found.confidence_interval()
            >>> -1 <= low < found.statistic < high <= 1
            True
        """
        return fisher_t_interval(self.statistic, self._variance, self.clusters - 1, confidence_level)


@dataclass(frozen=True)
class GaussianPartialResult:
    """The tau of a Gaussian that has the partial correlation which three taus imply, nan where it does not exist.

    Args:
        statistic: that tau.
        n: models used, those whose three values are finite.
    """

    statistic: float
    n: int
    _pairs: tuple = field(repr=False, compare=False)
    _clusters: np.ndarray | None = field(repr=False, compare=False, default=None)

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return a jackknife interval (Tukey 1958) on the scale of atanh r, as Fisher's.

        The bootstrap's is too wide where x and y depend on z much: models that are drawn twice make no pair, so that
        taus of resamples vary more than those of pools. Models that come in clusters are left out cluster by cluster.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends; nan where the statistic is, or where it is nan, 1 or -1 without one of the models or
            clusters.

        Example:
            >>> gaussian_partial_kendall([1, 2, 3, 4], [2, 1, 4, 3], [1, 2, 3, 4]).confidence_interval()
            Interval(low=nan, high=nan)
        """
        if math.isnan(self.statistic):
            return Interval(math.nan, math.nan)
        if self._clusters is None:
            rest = positions_without_each(self.n)
            taus = (tau_of_resamples(*pair)(rest) for pair in self._pairs)
        else:
            taus = (taus_without_each(*pair, self._clusters) for pair in self._pairs)
        without = gaussian_partial_tau(*taus)
        return jackknife_interval(self.statistic, without, confidence_level)


def partial_kendall(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, *, clusters: np.ndarray | None = None
) -> PartialKendallResult | ClusteredPartialResult:
    """Return Kendall's partial tau of x and y given z (Kendall 1942).

    It is not 0 where x and y are independent given z, not even for a Gaussian; `gaussian_partial_kendall` is, for a
    Gaussian.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        z: what is given, [models].
        clusters: models that are no independent draws share one, such as repeats of a setting, [models]. Then the
            interval is that of as many clusters.

    Returns:
        PartialKendallResult, or ClusteredPartialResult where clusters are given; nan where fewer than 3 models are
        usable, all values of one tie, or z orders x or y perfectly.

    Raises:
        ValueError: if there is not a cluster for each model.

    Example:
        >>> round(partial_kendall([1, 2, 3, 4], [2, 1, 4, 3], [1, 3, 2, 4]).statistic, 3)
        0.447
    """
    if clusters is not None:
        return _by_clusters(x, y, z, clusters)
    pairs, n = _pairs(x, y, z)
    return PartialKendallResult(float(partial_correlation(*_taus(pairs))), n, pairs)


def gaussian_partial_kendall(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, *, clusters: np.ndarray | None = None
) -> GaussianPartialResult:
    """Return the tau of a Gaussian that has the partial correlation which the three taus imply (Kruskal 1958).

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        z: what is given, [models].
        clusters: models that are no independent draws share one, such as repeats of a setting, [models]. Then the
            interval is that of as many clusters.

    Returns:
        GaussianPartialResult; nan where `partial_kendall` is, and where it would be 1 or -1 or beyond: of the four
        kinds of pairs of models (x orders them as z does or not, and so does y) one is empty. Few models do that by
        chance, whatever tau is.

    Raises:
        ValueError: if there is not a cluster for each model.

    Example:
        >>> gaussian_partial_kendall([1, 2, 3, 4], [2, 1, 4, 3], [1, 2, 3, 4]).statistic
        nan
    """
    if clusters is not None:
        x, y, z, clusters = finite(x, y, z, cluster_codes(clusters, len(x)))
        clusters = np.unique(clusters, return_inverse=True)[1]
    pairs, n = _pairs(x, y, z)
    tau = float(gaussian_partial_tau(*_taus(pairs)))
    return GaussianPartialResult(math.nan if abs(tau) > 1 - ROUNDING else tau, n, pairs, clusters)


def partial_correlation(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    """Return (xy - xz yz) / sqrt((1 - xz^2) (1 - yz^2)), for correlations of any kind.

    Args:
        xy: of x and y, [...].
        xz: of x and z, [...].
        yz: of y and z, [...].

    Returns:
        [...]; nan where z leaves nothing of x or of y.

    Example:
        >>> partial_correlation(0.5, 0.0, 0.0).item()
        0.5
    """
    left = (1 - np.square(xz)) * (1 - np.square(yz))
    gone = left < 1e-12
    return np.where(gone, math.nan, (xy - np.multiply(xz, yz)) / np.sqrt(np.where(gone, 1, left)))


def gaussian_partial_tau(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    """Return (2/pi) asin of the partial correlation of a Gaussian with these taus, r = sin(pi tau / 2) (Kruskal 1958).

    Args:
        xy: tau of x and y, [...].
        xz: tau of x and z, [...].
        yz: tau of y and z, [...].

    Returns:
        [...], from -1 to 1; nan where z leaves nothing of x or of y, and where the partial correlation would lie beyond
        1 or -1 by more than rounding, as only the taus of values that tie can make it.

    Example:
        >>> round(gaussian_partial_tau(0.5, 0.0, 0.0).item(), 12)
        0.5
    """
    r = partial_correlation(*np.sin(np.pi / 2 * np.array([xy, xz, yz])))
    whole = np.abs(np.abs(r) - 1) <= ROUNDING  # asin is so steep there that it would show the rounding
    return 2 / np.pi * np.arcsin(np.where(whole, np.sign(r), np.where(np.abs(r) > 1, math.nan, r)))


def jackknife_interval(tau: float, without: np.ndarray, confidence_level: float = 0.95) -> Interval:
    """Return the jackknife interval of a Gaussian partial tau, from what it is without each of the models (Tukey 1958).

    Args:
        tau: of all models.
        without: of all but one, [models].
        confidence_level: from 0 to 1.

    Returns:
        Both ends; nan where tau is, or where one of the others is nan, 1 or -1.

    Example:
        >>> jackknife_interval(0.0, np.zeros(5))
        Interval(low=0.0, high=0.0)
    """
    if not (np.abs([tau, *without]) < 1 - ROUNDING).all():
        return Interval(math.nan, math.nan)
    z, others = (np.arctanh(np.sin(np.pi / 2 * value)) for value in (tau, without))
    error = math.sqrt((len(others) - 1) * others.var())
    tail = (1 - confidence_level) / 2
    ends = z + stats.norm.ppf([tail, 1 - tail]) * error
    return Interval(*(2 / np.pi * np.arcsin(np.tanh(ends))).tolist())


def _pairs(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[tuple, int]:
    x, y, z = finite(x, y, z)
    return ((x, y), (x, z), (y, z)), len(x)


def _taus(pairs: tuple) -> list[float]:
    (x, y), (_, z), _ = pairs
    return [np.nan] * 3 if missing_reason(x=x, y=y, z=z) else [tau_b(*pair) for pair in pairs]


def _by_clusters(x: np.ndarray, y: np.ndarray, z: np.ndarray, clusters: np.ndarray) -> ClusteredPartialResult:
    x, y, z, clusters = finite(x, y, z, cluster_codes(clusters, len(x)))
    clusters = np.unique(clusters, return_inverse=True)[1]
    pairs = (x, y), (x, z), (y, z)
    taus = _taus(pairs)
    partial = float(partial_correlation(*taus))
    variance = math.nan
    if not math.isnan(partial):
        influences = [tau_influences(*pair, tau, clusters) for pair, tau in zip(pairs, taus, strict=True)]
        slopes = _slopes(partial, *taus[1:])
        variance = influence_variance(
            sum(slope * each for slope, each in zip(slopes, influences, strict=True)), np.bincount(clusters)
        )
    return ClusteredPartialResult(partial, len(x), len(np.unique(clusters)), variance)


def _slopes(partial: float, xz: float, yz: float) -> tuple[float, float, float]:
    """How fast a partial correlation rises with each of its three."""
    left = math.sqrt((1 - xz**2) * (1 - yz**2))
    return 1 / left, -yz / left + partial * xz / (1 - xz**2), -xz / left + partial * yz / (1 - yz**2)
