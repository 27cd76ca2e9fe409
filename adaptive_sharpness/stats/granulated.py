"""Kendall's tau between settings that differ in one hyper-parameter alone, averaged over all of these."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adaptive_sharpness.stats.dyadic import centred, dyadic_variance, fisher_t_interval
from adaptive_sharpness.stats.exchange import exchangeable, of_clusters, two_sided, within_strata
from adaptive_sharpness.stats.grid import Dyads, dyads, joint
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.settings import SettingMeans, setting_means

CHUNK = 2**22  # signs of differences held at once


@dataclass(frozen=True)
class AxisTau:
    """Jiang's psi_i: the mean of Kendall's tau-b within the cells in which one axis alone varies.

    Args:
        statistic: psi_i, from -1 to 1; nan where no cell has a tau.
        pvalue: of the two-sided test by exchange within cells; None where there is no test.
        cells: those with a tau.
        cells_without: those of at least two settings in which all values of mu or of g tie.
        reason: why there is no psi_i; empty where there is one.
    """

    statistic: float
    pvalue: float | None
    cells: int
    cells_without: int
    reason: str
    _variance: float = field(repr=False, compare=False)
    _freedom: int = field(repr=False, compare=False)

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval from the variance between pairs of settings; see `GranulatedResult`.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends; nan where there are fewer than two cells with a tau, or where psi_i is nan, 1 or -1.

        Example:
            >>> axes = {"rate": [1, 1, 1, 2, 2, 2], "width": [1, 2, 3, 1, 2, 3]}
            >>> low, high = granulated(range(6), [0, 1, 2, 4, 3, 5], axes).by_axis["width"].confidence_interval()
            >>> -1 <= low < 2 / 3 < high <= 1
            True
        """
        return fisher_t_interval(self.statistic, self._variance, self._freedom, confidence_level)


@dataclass(frozen=True)
class GranulatedResult:
    """Jiang's granulated Kendall coefficient.

    Args:
        statistic: Psi, the mean of those psi_i that exist, from -1 to 1; nan where there is none.
        pvalue: of the two-sided test by exchange of settings; None where there is no test.
        by_axis: psi_i of each axis by its name.
        n: settings.
        reason: why there is no Psi, or no test of it; empty where there are both.
    """

    statistic: float
    pvalue: float | None
    by_axis: dict[str, AxisTau]
    n: int
    reason: str
    _variance: float = field(repr=False, compare=False)
    _clusters: int = field(repr=False, compare=False)

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return an interval from the variance between pairs of settings.

        What is estimated is the mean of Psi over draws of the settings' own values and of their repeats, the levels of
        the axes being as they are. Pairs that share a setting are correlated, others are not: see
        `dyadic.dyadic_variance`. A bootstrap of settings counts a pair of two settings drawn twice four times, and is
        too wide.

        Args:
            confidence_level: from 0 to 1.

        Returns:
            Both ends, of Fisher's transformation with Student's t; nan where Psi is nan, 1 or -1.

        Example:
            >>> axes = {"rate": [1, 1, 1, 2, 2, 2], "width": [1, 2, 3, 1, 2, 3]}
            >>> low, high = granulated(range(6), [0, 1, 2, 4, 3, 5], axes).confidence_interval()
            >>> -1 <= low < 5 / 6 < high <= 1
            True
        """
        return fisher_t_interval(self.statistic, self._variance, self._clusters - 1, confidence_level)


def granulated(
    mu: np.ndarray,
    g: np.ndarray,
    axes: Mapping,
    *,
    clusters: np.ndarray | None = None,
    seed: int = 0,
    permutations: int = 999,
) -> GranulatedResult:
    """Return the granulated Kendall coefficient Psi (Jiang et al. 2020).

    psi_i = mean over the settings of all other axes of Kendall's tau-b within the cell in which axis i alone varies;
    Psi = mean of psi_i over axes. Repeats are averaged first; cells in which all values tie have no tau, and are left
    out and counted.

    The test of psi_i exchanges mu within cells: the null says that settings that differ in axis i alone are
    exchangeable in mu. The test of Psi exchanges mu among all settings: the null says that all are exchangeable.
    Settings are exchanged with those that have as many repeats.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis by its name, each [models]; models that share all levels are repeats.
        clusters: whole settings that are no independent draws share one, and are exchanged together, [models]. Then
            clusters are exchanged as a whole for psi_i, too.
        seed: of the exchanges.
        permutations: how many; 0 for no test.

    Returns:
        GranulatedResult, of the models whose mu and g are finite.

    Raises:
        ValueError: if arrays do not fit, a level is missing, a setting lies in several clusters, or permutations are
            negative.

    Example:
        >>> axes = {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]}
        >>> found = granulated([1, 2, 3, 4], [1, 2, 4, 3], axes)
        >>> found.statistic, found.by_axis["rate"].statistic, found.by_axis["width"].statistic
        (0.5, 1.0, 0.0)
    """
    if permutations < 0:
        raise ValueError(f"permutations: got {permutations}, wanted at least 0")
    means = setting_means(mu, g, axes, clusters)
    pairs = dyads(means.grid)
    cells = Cells(pairs, means.g)
    taus = cells.taus(means.mu[:, None])[:, 0]
    psi = cells.psi(taus[:, None])[:, 0]
    errors, shares = _errors(cells, means.mu, taus)
    of_settings = _exchanged_settings(cells, means, stream(seed, "exchange of settings"), permutations)
    by_axis = {}
    for axis, name in enumerate(means.grid.names):
        if clusters is None:
            draw = stream(seed, f"exchange within cells of axis {axis}")
            drawn = _exchanged_within_cells(cells, axis, means, draw, permutations)
        else:
            drawn = of_settings[axis]
        by_axis[name] = _axis_tau(axis, psi, taus, errors, cells, means, drawn)
    statistic = _mean_of_existing(psi[:, None])[0]
    return GranulatedResult(
        float(statistic),
        _pvalue(statistic, _mean_of_existing(of_settings)),
        by_axis,
        len(means.g),
        _reason(means, cells, statistic, of_settings, permutations),
        _variance(errors / max(np.isfinite(psi).sum(), 1), np.isfinite(errors), cells, means.clusters, shares),
        int(means.clusters.max(initial=-1)) + 1,
    )


class Cells:
    """The cells of a grid, in each of which one axis varies, and the order by g within them.

    Args:
        pairs: of settings that differ in one axis alone.
        g: what is foretold, [settings].
    """

    def __init__(self, pairs: Dyads, g: np.ndarray):
        self.pairs = pairs
        self.axes = len(pairs.cell)
        self.sizes = np.diff(np.append(pairs.starts, len(pairs.first)))  # pairs of each cell
        self.of_pair = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.signs = np.sign(g[pairs.first] - g[pairs.second]).astype(np.int8)
        self._untied = self._sums(np.abs(self.signs)[:, None], pairs.starts)

    def taus(self, mu: np.ndarray, axis: int | None = None) -> np.ndarray:
        """Return Kendall's tau-b within each cell.

        Args:
            mu: [settings, draws].
            axis: of the cells, all if None.

        Returns:
            [cells, draws]; nan where all values of mu or of g tie.

        Example:
            >>> means = setting_means([1, 2, 3, 4], [1, 2, 4, 3], {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]}, None)
            >>> Cells(dyads(means.grid), means.g).taus(means.mu[:, None]).ravel().tolist()
            [1.0, 1.0, 1.0, -1.0]
        """
        chosen, cells = slice(None), slice(None)
        if axis is not None:
            chosen, cells = _run(self.pairs.axis, axis), _run(self.pairs.cell_axis, axis)
        starts = self.pairs.starts[cells] - (chosen.start or 0)
        signs = _signs(mu, self.pairs.first[chosen], self.pairs.second[chosen])
        untied = self._sums(np.abs(signs), starts) * self._untied[cells]
        sums = self._sums(signs * self.signs[chosen, None], starts)
        return np.divide(sums, np.sqrt(untied), out=np.full(sums.shape, math.nan), where=untied > 0)

    def psi(self, taus: np.ndarray) -> np.ndarray:
        """Return the mean over the cells of each axis that have a tau.

        Args:
            taus: [cells, draws].

        Returns:
            [axes, draws]; nan where no cell has a tau.

        Example:
            >>> means = setting_means([1, 2, 3, 4], [1, 2, 4, 3], {"rate": [1, 1, 2, 2], "width": [8, 16, 8, 16]}, None)
            >>> Cells(dyads(means.grid), means.g).psi(np.array([[1.0], [0.5], [1.0], [np.nan]])).tolist()
            [[0.75], [1.0]]
        """
        runs = [_run(self.pairs.cell_axis, axis) for axis in range(self.axes)]
        return np.array([_mean_of_existing(taus[run]) for run in runs])

    @staticmethod
    def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        if not len(starts):
            return np.zeros((0, values.shape[1]))
        return np.add.reduceat(values, starts, axis=0, dtype=np.int32).astype(float)


def _run(values: np.ndarray, value: int) -> slice:
    """Where a value stands in values that rise."""
    return slice(*np.searchsorted(values, [value, value + 1]).tolist())


def _signs(mu: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    above, below = mu[first], mu[second]
    return (above > below).astype(np.int8) - (above < below)


def _mean_of_existing(values: np.ndarray) -> np.ndarray:
    """The mean over rows of those that are not nan, nan where none is."""
    there = ~np.isnan(values)
    counts = there.sum(axis=0)
    sums = np.where(there, values, 0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(counts.shape, math.nan), where=counts > 0)


def _exchanged_settings(cells: Cells, means: SettingMeans, draw: np.random.Generator, permutations: int) -> np.ndarray:
    """psi of exchanges of whole clusters, [axes, permutations]; of none where there is nothing to exchange."""
    if not permutations or not exchangeable(means.exchange_groups):
        return np.zeros((cells.axes, 0))
    exchanges = of_clusters(means.clusters, draw, permutations, means.grid.repeats)
    found = [cells.psi(cells.taus(mu)) for some in exchanges for mu in _chunks(means.mu, some, cells)]
    return np.concatenate(found, axis=1)


def _exchanged_within_cells(
    cells: Cells, axis: int, means: SettingMeans, draw: np.random.Generator, permutations: int
) -> np.ndarray:
    """psi_i of exchanges within the cells of an axis, [permutations]; of none where there is nothing to exchange."""
    strata = joint(np.stack([cells.pairs.cell[axis], means.grid.repeats], axis=1))
    if not permutations or not exchangeable(strata):
        return np.zeros(0)
    exchanges = within_strata(strata, draw, permutations)
    return np.concatenate(
        [_mean_of_existing(cells.taus(mu, axis)) for some in exchanges for mu in _chunks(means.mu, some, cells)]
    )


def _chunks(mu: np.ndarray, exchanges: np.ndarray, cells: Cells) -> list[np.ndarray]:
    """mu as exchanged, [settings, some exchanges] each."""
    size = max(CHUNK // max(len(cells.of_pair), 1), 1)
    return [mu[exchanges[first : first + size].T] for first in range(0, len(exchanges), size)]


def _errors(cells: Cells, mu: np.ndarray, taus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each pair adds to the psi of its axis, less what it is expected to, and its share; nan without a tau."""
    pairs, exists = cells.pairs, ~np.isnan(taus)
    counts = np.bincount(pairs.cell_axis[exists], minlength=cells.axes)[pairs.axis]
    signs = _signs(mu[:, None], pairs.first, pairs.second)[:, 0]
    untied = np.add.reduceat(np.abs(signs), pairs.starts, dtype=int) if len(signs) else np.zeros(0)
    untied_g = np.add.reduceat(np.abs(cells.signs), pairs.starts, dtype=int) if len(signs) else np.zeros(0)
    inside = exists[cells.of_pair]
    scale = np.sqrt(untied * untied_g)[cells.of_pair][inside] * counts[inside]
    parts = signs[inside] * cells.signs[inside] / scale
    errors, shares = np.full((2, len(signs)), math.nan)
    shares[inside] = 1 / (cells.sizes[cells.of_pair] * counts)[inside]
    everywhere = np.zeros(len(parts), dtype=int)
    errors[inside] = centred(parts, shares[inside], pairs.kind[inside], pairs.axis[inside], everywhere)
    return errors, shares


def _variance(
    errors: np.ndarray, chosen: np.ndarray, cells: Cells, clusters: np.ndarray, shares: np.ndarray | None = None
) -> float:
    first, second = clusters[cells.pairs.first[chosen]], clusters[cells.pairs.second[chosen]]
    return dyadic_variance(errors[chosen], first, second, None if shares is None else shares[chosen])


def _axis_tau(
    axis: int,
    psi: np.ndarray,
    taus: np.ndarray,
    errors: np.ndarray,
    cells: Cells,
    means: SettingMeans,
    drawn: np.ndarray,
) -> AxisTau:
    of_axis = taus[_run(cells.pairs.cell_axis, axis)]
    found = int(np.isfinite(of_axis).sum())
    reason = ""
    if not len(of_axis):
        one = np.ptp(means.grid.levels[:, axis]) == 0 if len(means.g) else True
        reason = "one level" if one else "no two settings differ in this axis alone"
    elif not found:
        reason = f"all values of mu or of g tie in each of {len(of_axis)} cells"
    chosen = (cells.pairs.axis == axis) & np.isfinite(errors)
    variance = _variance(errors, chosen, cells, means.clusters)
    # Each comparison of two levels has a mean of its own.
    freedom = int(chosen.sum()) - len(np.unique(cells.pairs.kind[chosen]))
    pvalue = _pvalue(psi[axis], drawn)
    return AxisTau(float(psi[axis]), pvalue, found, len(of_axis) - found, reason, variance, freedom if found > 1 else 0)


def _pvalue(statistic: float, drawn: np.ndarray) -> float | None:
    return two_sided(statistic, drawn) if len(drawn) and not math.isnan(statistic) else None


def _reason(means: SettingMeans, cells: Cells, statistic: float, drawn: np.ndarray, permutations: int) -> str:
    tied = [name for name, values in (("mu", means.mu), ("g", means.g)) if len(values) and np.ptp(values) == 0]
    if len(means.g) < 2:
        return f"{len(means.g)} usable {'setting' if len(means.g) else 'settings'}, wanted at least 2"
    if tied:
        return f"all values of {' and of '.join(tied)} tie"
    if not len(cells.of_pair):
        return "no two settings differ in one axis alone"
    if math.isnan(statistic):
        return "all values of mu or of g tie in every cell"
    if permutations and not drawn.size:
        return "no two settings can be exchanged: each has its own number of repeats"
    return ""
