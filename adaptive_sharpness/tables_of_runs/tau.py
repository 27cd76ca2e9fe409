"""tau.csv: Kendall's tau of each measure with each target, with its interval and tests."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from adaptive_sharpness.stats import holm, kendall, partial_kendall, smallest_detectable, within_between
from adaptive_sharpness.stats.clustered import exchanged_taus
from adaptive_sharpness.stats.exchange import one_sided, two_sided
from adaptive_sharpness.stats.kendall import fisher_interval
from adaptive_sharpness.stats.partial import gaussian_partial_kendall
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import LARGEST, Interval
from adaptive_sharpness.stats.samples import missing_reason
from adaptive_sharpness.tables_of_runs.comparisons import Comparison

COLUMNS = (
    *("measure", "target", "maximised", "tau", "tau_low", "tau_high", "p", "p_holm", "p_max_t", "n", "clusters"),
    *("smallest_detectable_tau", "tau_within", "p_within", "tau_between", "p_between", "given", "partial_tau"),
    *("partial_tau_low", "partial_tau_high", "partial_tau_gaussian", "partial_tau_gaussian_low"),
    *("partial_tau_gaussian_high", "reason"),
)
MOST_ROWS = 4 * LARGEST  # of which all pairs can be compared in a minute
TOO_MANY = f"more than {LARGEST:,} clusters or {MOST_ROWS:,} rows: neither interval nor p"


def rows(comparisons: Sequence[Comparison], draws: int, seed: int) -> Iterator[dict]:
    """Return a row a comparison, without what follows from all rows: see `with_holm`.

    Rows with clusters in common: interval from the variance between clusters, p by exchange of clusters. Otherwise p is
    scipy's. p_max_t is over the measures of one target and group, on those rows that have a value of each of them.

    Args:
        comparisons: those of a group and target one after the other.
        draws: exchanges.
        seed: of the exchanges.

    Returns:
        Rows, by column.

    Example:
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> from adaptive_sharpness.tables_of_runs.columns import Question
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0, 4.0], "loss": [1.0, 3.0, 2.0, 4.0]})
        >>> [round(row["tau"], 3) for row in rows(list(comparisons(table, Question(("sharpness",), ("loss",)))), 9, 0)]
        [0.667]
    """
    for _, family in groupby(comparisons, lambda each: (each.group, each.target)):
        members = list(family)
        complete = np.logical_and.reduce([each.used for each in members])
        # The same exchanges for all measures: they come from the seed and the clusters alone.
        drawn = [_exchanged(each, complete, draws, seed) for each in members] if len(members) > 1 else []
        for place, each in enumerate(members):
            same = drawn and (each.used == complete).all()
            own = (drawn[place] if same else _exchanged(each, each.used, draws, seed)) if not each.independent else None
            yield _row(each, own, draws, seed) | {"p_max_t": _adjusted(each, place, complete, drawn)}


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with Holm's correction over all of its rows.

    Args:
        table: of `rows`.

    Returns:
        The same with a column p_holm.

    Example:
        >>> with_holm(pd.DataFrame({"p": [0.01, 0.03, None]}))["p_holm"].tolist()
        [0.02, 0.03, nan]
    """
    return table.assign(p_holm=holm(table["p"].astype(float).to_numpy()))


def _row(each: Comparison, drawn: np.ndarray | None, draws: int, seed: int) -> dict:
    mu, g, clusters = (values[each.used] for values in (each.mu, each.g, each.clusters))
    count = len(np.unique(clusters))
    found = {
        **{"n": len(mu), "clusters": count, "smallest_detectable_tau": smallest_detectable(count)},
        **_association(mu, g, clusters, drawn),
    }
    if count < len(mu) and _pairable(clusters):
        both = within_between(each.mu, each.g, each.settings, seed=seed, permutations=draws)
        (within, between), (p_within, p_between) = both.statistic, both.pvalue
        found |= {"tau_within": within, "p_within": p_within, "tau_between": between, "p_between": p_between}
    return found | ({} if each.given is None else _partial(mu, g, each.given[each.used], clusters))


def _association(mu: np.ndarray, g: np.ndarray, clusters: np.ndarray, drawn: np.ndarray | None) -> dict:
    plain = kendall(mu, g)
    interval, pvalue = Interval(math.nan, math.nan), plain.pvalue if drawn is None else None
    if drawn is not None and len(drawn):
        pvalue = two_sided(plain.statistic, drawn)
    if _pairable(clusters):
        interval = kendall(mu, g, clusters=clusters, permutations=0).confidence_interval()
    elif drawn is None:
        interval = fisher_interval(plain.statistic, len(mu))
    reason = missing_reason(mu=mu, g=g) or _why_no_test(plain.statistic, interval, clusters, drawn)
    return {"tau": plain.statistic, "tau_low": interval.low, "tau_high": interval.high, "p": pvalue, "reason": reason}


def _why_no_test(tau: float, interval: Interval, clusters: np.ndarray, drawn: np.ndarray | None) -> str:
    if drawn is not None and not len(drawn):
        none = "no two clusters can be exchanged: each has its own number of rows"
        return none if _pairable(clusters) else TOO_MANY
    if not math.isnan(interval.low):
        return ""
    return "no interval: tau is 1 or -1" if abs(tau) > 1 - 1e-9 else "no interval: too few rows"


def _pairable(clusters: np.ndarray) -> bool:
    return len(np.unique(clusters)) <= LARGEST and len(clusters) <= MOST_ROWS


def _partial(mu: np.ndarray, g: np.ndarray, z: np.ndarray, clusters: np.ndarray) -> dict:
    found = {}
    if _pairable(clusters):
        for name, function in (("partial_tau", partial_kendall), ("partial_tau_gaussian", gaussian_partial_kendall)):
            one = function(mu, g, z, clusters=clusters)
            low, high = one.confidence_interval()
            found |= {name: one.statistic, f"{name}_low": low, f"{name}_high": high}
    return found


def _adjusted(each: Comparison, place: int, complete: np.ndarray, drawn: list[np.ndarray]) -> float:
    """max-T (Westfall & Young 1993): how often the furthest tau of all measures is as far from 0."""
    there = [np.abs(taus) for taus in drawn if len(taus)]
    if not there or not len(drawn[place]):
        return math.nan
    tau = kendall(each.mu[complete], each.g[complete]).statistic
    return one_sided(abs(tau), np.max(there, axis=0))


def _exchanged(each: Comparison, rows: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """tau of exchanges of whole clusters of some rows; of none where there is no tau or nothing to exchange."""
    mu, g = each.mu[rows], each.g[rows]
    clusters = np.unique(each.clusters[rows], return_inverse=True)[1]
    if missing_reason(mu=mu, g=g) or not _pairable(clusters):
        return np.zeros(0)
    return exchanged_taus(mu, g, clusters, stream(seed, "exchange of clusters"), draws)
