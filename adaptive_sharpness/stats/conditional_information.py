"""What the order of two settings by a measure tells of their order by test loss, given hyper-parameters of both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from adaptive_sharpness.stats.bits import Columns, Memory, Order, ordered
from adaptive_sharpness.stats.exchange import exchangeable, of_clusters, one_sided
from adaptive_sharpness.stats.grid import Grid, joint
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.settings import SettingMeans, setting_means

NO_INTERVAL = "K is a minimum that lies near its bound 0, where a bootstrap is not consistent: read it beside null_mean"


@dataclass(frozen=True)
class SetInformation:
    """What the measure tells given one set of axes.

    Args:
        statistic: I(V_mu; V_g given U_S) / H(V_g given U_S), from 0 to 1; nan where the entropy is 0.
        null_mean: its mean under exchange.
        pvalue: the share of exchanges in which it is at least as high; None where there is no test.
    """

    statistic: float
    null_mean: float
    pvalue: float | None


@dataclass(frozen=True)
class ConditionalInformationResult:
    """Jiang's K, never without what it is expected to be without association.

    Args:
        statistic: K, from 0 to 1; nan where it does not exist.
        null_mean: the mean of K under exchange: as high is K without any association; nan where there is no test.
        pvalue: the share of exchanges in which K is at least as high; None where there is no test.
        given: the set of axes at which the minimum lies.
        by_set: what the measure tells given each set of axes.
        n: settings.
        reason: why there is no K, or no test of it; empty where there are both.
    """

    statistic: float
    null_mean: float
    pvalue: float | None
    given: tuple[str, ...] | None
    by_set: dict[tuple[str, ...], SetInformation]
    n: int
    reason: str

    interval_reason = NO_INTERVAL

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return nan at both ends: see `interval_reason` for why there is no interval.

        Example:
            >>> conditional_information([1, 2, 3], [1, 2, 3], {"rate": [1, 2, 3]}, permutations=9).confidence_interval()
            Interval(low=nan, high=nan)
        """
        return Interval(math.nan, math.nan)


def conditional_information(
    mu: np.ndarray,
    g: np.ndarray,
    axes: Mapping,
    *,
    clusters: np.ndarray | None = None,
    most_given: int = 2,
    seed: int = 0,
    permutations: int = 999,
) -> ConditionalInformationResult:
    """Return the normalised conditional mutual information K (Jiang et al. 2020).

    With V_mu = [mu(a) > mu(b)] and V_g = [g(a) > g(b)] over ordered pairs of settings a != b, and U_S the levels of
    both at the axes in S: K = min over S of I(V_mu; V_g given U_S) / H(V_g given U_S), over the sets S of at most two
    axes whose entropy is not 0. Levels of U_S weigh as many pairs as they have. Repeats are averaged first.

    K has no sign, and counts estimate information too high. So it comes with its mean and p under exchange: each
    setting gets the mu of a setting with as many repeats. The null says that settings are exchangeable in mu whatever
    their g is; it does not say that mu and g are independent given some axis on which both depend.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis by its name, each [models]; models that share all levels are repeats.
        clusters: whole settings that are no independent draws share one, and are exchanged together, [models].
        most_given: axes in the largest set.
        seed: of the exchanges.
        permutations: how many, at least 1.

    Returns:
        ConditionalInformationResult, of the models whose mu and g are finite.

    Raises:
        ValueError: if arrays do not fit, a level is missing, a setting lies in several clusters, or a number is out
            of its range.

    Example:
        >>> axes = {"rate": [1, 1, 1, 2, 2, 2, 3, 3, 3], "width": [1, 2, 3] * 3}
        >>> found = conditional_information(range(9), range(9), axes, permutations=99)
        >>> found.statistic, found.null_mean < 1, found.pvalue
        (1.0, True, 0.01)
    """
    if permutations < 1:
        raise ValueError(f"permutations: got {permutations}, wanted at least 1: K is not to be read without its null")
    if most_given < 0:
        raise ValueError(f"most_given: got {most_given}, wanted at least 0")
    means = setting_means(mu, g, axes, clusters)
    reason = means.reason or ("all values of g tie" if np.ptp(means.g) == 0 else "")
    if reason:
        return ConditionalInformationResult(math.nan, math.nan, None, None, {}, len(means.g), reason)
    sets = GivenSets(means.grid, means.g, most_given)
    found = sets.information(means.mu)
    testable = exchangeable(means.exchange_groups)
    drawn = _drawn(sets, means, stream(seed, "exchange of settings"), permutations) if testable else None
    names = [tuple(means.grid.names[axis] for axis in given) for given in sets.given]
    by_set = {
        name: SetInformation(*_beside_null(found[place], None if drawn is None else drawn[:, place]))
        for place, name in enumerate(names)
    }
    statistic, null_mean, pvalue = _beside_null(np.nanmin(found), None if drawn is None else np.nanmin(drawn, axis=1))
    reason = "" if testable else "no two settings can be exchanged: each has its own number of repeats"
    given = names[int(np.nanargmin(found))]
    return ConditionalInformationResult(statistic, null_mean, pvalue, given, by_set, len(means.g), reason)


class GivenSets:
    """The information about the order by g that any measure of the same settings has, given each set of axes.

    Args:
        grid: the settings.
        g: what is foretold, [settings].
        most_given: axes in the largest set.
    """

    def __init__(self, grid: Grid, g: np.ndarray, most_given: int):
        axes = range(grid.levels.shape[1])
        self.given = [given for size in range(most_given + 1) for given in combinations(axes, size)]
        groups = {given: joint(grid.levels[:, given]) for given in self.given}
        # Where each setting has levels of its own, each pair is alone in its cell: no entropy, and nothing to count.
        shared = [given for given in self.given if exchangeable(groups[given])]
        largest = [given for given in shared if not any(set(given) < set(other) for other in shared)]
        order, memory = ordered(g), Memory()
        self._parts = [_Part(groups, order, each, _held_first(each, largest, shared), memory) for each in largest]
        of_set = [given for part in self._parts for given in part.given]
        pairs, g_above = (
            self._cells([part.pairs for part in self._parts]),
            self._cells([p.g_above for p in self._parts]),
        )
        # Counts say so without rounding: in which cells g orders pairs in both ways. No other has any entropy.
        both_ways = [(above > 0) & (above < all_pairs) for above, all_pairs in zip(g_above, pairs, strict=True)]
        self._both_ways = np.flatnonzero(np.concatenate(both_ways))
        self._pairs, self._g_above = (np.concatenate(each)[self._both_ways] for each in (pairs, g_above))
        sizes = np.array([each.sum() for each in both_ways])
        self._starts = (np.cumsum(sizes) - sizes)[sizes > 0]
        self._place = [self.given.index(given) for given, size in zip(of_set, sizes, strict=True) if size]
        self._entropy = np.add.reduceat(_entropy_terms(self._g_above, self._pairs), self._starts)

    def information(self, mu: np.ndarray) -> np.ndarray:
        """Return the share of the entropy of the order by g that the order by a measure takes away.

        Args:
            mu: [settings].

        Returns:
            Given each set of axes, [sets]; nan where there is no entropy.

        Example:
            >>> means = setting_means([1, 2, 3], [1, 2, 3], {"rate": [1, 1, 2], "width": [1, 2, 1]}, None)
            >>> GivenSets(means.grid, means.g, 0).information(means.mu).round(12).tolist()
            [1.0]
        """
        order = ordered(mu)
        counts = [part.counts(order) for part in self._parts]
        mu_above, both = (np.concatenate(self._cells(each))[self._both_ways] for each in zip(*counts, strict=True))
        terms = _information_terms(both, mu_above, self._g_above, self._pairs)
        shares = np.full(len(self.given), math.nan)
        shares[self._place] = np.maximum(np.add.reduceat(terms, self._starts), 0) / self._entropy
        return shares

    def _cells(self, counts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The counts of each set of axes, [cells] each, from those of the largest sets."""
        return [cells for part, each in zip(self._parts, counts, strict=True) for cells in part.sums(each)]


class _Part:
    """One of the largest sets of axes, and those smaller ones whose counts are sums of its counts.

    A smaller set belongs to the first of the largest sets that holds it.
    """

    def __init__(self, groups: dict[tuple, np.ndarray], g: Order, largest: tuple, given: list[tuple], memory: Memory):
        self.columns = Columns(groups[largest], memory)
        order, starts = self.columns.order, self.columns.starts
        sizes = np.diff(np.append(starts, len(order)))
        self.pairs = np.outer(sizes, sizes) - np.diag(sizes)
        self.given = given
        # Which groups of the largest set make up each group of a smaller one; none for the largest itself.
        self._members = [None if each == largest else _indicator(groups[each][order[starts]]) for each in given]
        self._g = self.columns.above(g)
        self._above, self._both = (memory.array(each, self._g.shape, self._g.dtype) for each in ("above", "both"))
        self.g_above = self.columns.counts(self._g)

    def counts(self, order: Order) -> tuple[np.ndarray, np.ndarray]:
        """Ordered pairs that lie above by mu, and by both mu and g, of each two groups."""
        above = self.columns.above(order, self._above)
        both = np.bitwise_and(above, self._g, out=self._both)
        return self.columns.counts(above), self.columns.counts(both)

    def sums(self, counts: np.ndarray) -> list[np.ndarray]:
        """These counts for each set of axes, [cells] each."""
        return [(counts if each is None else each.T @ counts @ each).ravel() for each in self._members]


def _held_first(holder: tuple[int, ...], largest: list[tuple], sets: list[tuple]) -> list[tuple]:
    """The sets of which this is the first among the largest that holds them."""
    return [given for given in sets if next(each for each in largest if set(given) <= set(each)) == holder]


def _indicator(group: np.ndarray) -> np.ndarray:
    return np.eye(group.max() + 1)[group]


def _drawn(sets: GivenSets, means: SettingMeans, draw: np.random.Generator, permutations: int) -> np.ndarray:
    """The information given each set, [permutations, sets], with mu exchanged."""
    exchanges = of_clusters(means.clusters, draw, permutations, means.grid.repeats)
    return np.array([sets.information(means.mu[positions]) for some in exchanges for positions in some])


def _beside_null(statistic: float, drawn: np.ndarray | None) -> tuple[float, float, float | None]:
    """A statistic, its mean under exchange and p; nan and None where it does not exist or nothing is exchanged."""
    if drawn is None or math.isnan(statistic):
        return float(statistic), math.nan, None
    return float(statistic), float(drawn.mean()), one_sided(statistic, drawn)


def _information_terms(both: np.ndarray, mu_above: np.ndarray, g_above: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """n log(n pairs / (row sum x column sum)) of the four ways in which a cell's pairs are ordered, summed."""
    mu_not, g_not = pairs - mu_above, pairs - g_above
    table = np.array([both, mu_above - both, g_above - both, mu_not - g_above + both], dtype=float)
    expected = np.array([mu_above, mu_above, mu_not, mu_not], dtype=float) * [g_above, g_not, g_above, g_not]
    return (table * np.log(np.where(table > 0, table * pairs / np.where(table > 0, expected, 1), 1))).sum(axis=0)


def _entropy_terms(g_above: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """-n log(n / pairs) of the two ways in which g orders a cell's pairs, summed."""
    counts = np.array([g_above, pairs - g_above], dtype=float)
    return -(counts * np.log(np.where(counts > 0, counts / np.maximum(pairs, 1), 1))).sum(axis=0)
