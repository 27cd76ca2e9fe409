"""What is lost when a measure picks the model: its regret, and how many of the best it finds."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from adaptive_sharpness.stats.grid import Grid
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.samples import FEWEST
from adaptive_sharpness.stats.settings import cluster_codes, same_length

BEST = 0.2  # share of the models that are called the best
NO_INTERVAL = "regret hangs on the one model that has the lowest mu, where a bootstrap is not consistent: read its p"


@dataclass(frozen=True)
class SelectionResult:
    """What is lost when the model of the lowest mu is taken.

    Args:
        statistic: regret@1: 0 if the best model is taken, 1 if one is taken that is as good as the median; nan where
            it does not exist.
        pvalue: how often a model taken at random is at least as good; None where there is no regret.
        best_found: the share of the best fifth by g among the best fifth by mu, from 0 to 1.
        best_expected: that share without association.
        best_pvalue: how often as many are found without association; None where there is no share.
        n: models, or settings where they are given.
        reason: why there is no regret; empty where there is one.
    """

    statistic: float
    pvalue: float | None
    best_found: float
    best_expected: float
    best_pvalue: float | None
    n: int
    reason: str

    interval_reason = NO_INTERVAL

    def confidence_interval(self, confidence_level: float = 0.95) -> Interval:
        """Return nan at both ends: see `interval_reason` for why there is no interval.

        Example:
            >>> selection([3, 1, 2, 5, 4], [0.3, 0.2, 0.1, 0.5, 0.4]).confidence_interval()
            Interval(low=nan, high=nan)
        """
        return Interval(math.nan, math.nan)


def selection(
    mu: np.ndarray, g: np.ndarray, *, clusters: np.ndarray | None = None, seed: int = 0, permutations: int = 9999
) -> SelectionResult:
    """Return the regret of taking the model of the lowest mu, and how many of the best fifth by g it finds.

    regret@1 = (g of the model with the lowest mu - lowest g) / (median g - lowest g). Where several tie for the lowest
    mu, their mean g stands for it. The best fifth are the floor(n / 5) models of the lowest values, at least one; those
    that tie at its edge share the places that are left.

    The null says that models are exchangeable in mu, whatever their g is; settings are, too, however many repeats they
    have. Without ties p is exact: the taken model is
    any of all, and the number found is hypergeometric. With ties it is that of permutations.

    Args:
        mu: a measure, [models].
        g: what it should foretell, low is good, [models].
        clusters: the setting of each model, [models]: then settings are taken, by their means over repeats.
        seed: of the permutations.
        permutations: how many, at least 1, where there are ties.

    Returns:
        SelectionResult, of the models whose mu and g are finite.

    Raises:
        ValueError: if arrays do not fit, a cluster is missing, or a number is out of its range.

    Example:
        >>> found = selection([3, 1, 2, 5, 4], [0.3, 0.2, 0.1, 0.5, 0.4])
        >>> round(found.statistic, 3), found.pvalue, found.best_found, found.best_expected
        (0.5, 0.4, 0.0, 0.2)
    """
    if permutations < 1:
        raise ValueError(f"permutations: got {permutations}, wanted at least 1")
    mu, g = same_length(mu=mu, g=g)
    used = np.isfinite(mu) & np.isfinite(g)
    if clusters is not None:
        setting = np.unique(cluster_codes(clusters, len(mu))[used], return_inverse=True)[1]
        mu, g = _means(mu[used], g[used], setting)
    else:
        mu, g = mu[used], g[used]
    n = len(mu)
    if n < FEWEST:
        unit = "model" if clusters is None else "setting"
        reason = f"{n} usable {unit if n == 1 else unit + 's'}, wanted at least {FEWEST}"
        return SelectionResult(math.nan, None, math.nan, math.nan, None, n, reason)
    draw = stream(seed, "selection")
    found, expected, best_pvalue = _best(mu, g, draw, permutations)
    scale = float(np.median(g) - g.min())
    if not scale:
        reason = "at least half of all values of g tie at the lowest"
        return SelectionResult(math.nan, None, found, expected, best_pvalue, n, reason)
    taken = mu == mu.min()
    statistic = float((g[taken].mean() - g.min()) / scale)
    return SelectionResult(statistic, _taken_pvalue(g, taken, draw, permutations), found, expected, best_pvalue, n, "")


def _means(mu: np.ndarray, g: np.ndarray, setting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grid = Grid(("setting",), np.unique(setting)[:, None], setting)
    return (grid.means(mu), grid.means(g)) if len(mu) else (mu, g)


def _taken_pvalue(g: np.ndarray, taken: np.ndarray, draw: np.random.Generator, permutations: int) -> float:
    observed = g[taken].mean()
    if taken.sum() == 1:
        return float((g <= observed).mean())
    drawn = np.array([draw.choice(g, taken.sum(), replace=False).mean() for _ in range(permutations)])
    return float((1 + (drawn <= observed + 1e-12 * np.ptp(g)).sum()) / (1 + permutations))


def _best(mu: np.ndarray, g: np.ndarray, draw: np.random.Generator, permutations: int) -> tuple[float, float, float]:
    """The share of the best by g among the best by mu, its expectation and p."""
    n, best = len(mu), max(int(BEST * len(mu)), 1)
    by_mu, by_g = _places(mu, best), _places(g, best)
    found = float(by_mu @ by_g)
    if set(np.unique([by_mu, by_g])) <= {0.0, 1.0}:
        pvalue = float(stats.hypergeom.sf(round(found) - 1, n, best, best))
    else:
        drawn = np.array([draw.permutation(by_mu) @ by_g for _ in range(permutations)])
        pvalue = float((1 + (drawn >= found - 1e-9).sum()) / (1 + permutations))
    return found / best, best / n, pvalue


def _places(values: np.ndarray, best: int) -> np.ndarray:
    """The part of each model that is among the best, [models]: those that tie at the edge share what is left."""
    edge = np.sort(values)[best - 1]
    below, at = values < edge, values == edge
    return below + at * (best - below.sum()) / at.sum()
