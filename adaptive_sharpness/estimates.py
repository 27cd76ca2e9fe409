"""How far numbers can be trusted: reliability over batches, and how near each measure comes to the best value found."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from adaptive_sharpness.reliability import reliability
from adaptive_sharpness.tables import POOL, read


def estimates(shards: Iterable[Mapping]) -> pd.DataFrame:
    """A row for every (protocol, architecture, measure, rho).

    Measures of one ball, at one rho, are compared on the batches that they share; the best value of a batch is the
    highest that any of them found there.

    Args:
        shards: {path, protocol, architecture, measure, rho, ball}; a parquet with seed, batch, sharpness, and
            last_improvement and gain_from_doubling where the measure seeks a maximum. ball: see `plan.ball`.

    Returns:
        The columns of the pool; models and batches; reliability of the mean over them, reliability_of_one batch, both
        nan where a model has one base loss for all its batches: it is in each of them with its error, if it has one,
        which looks like a difference between models;
        last_improvement and gain_from_doubling, means over models and batches; compared_with (measures of this ball),
        shared_batches, share_of_best (the mean over models of the model's sharpness by the mean of the best values),
        worst_share (the lowest of a model), tau_of_rankings (Kendall's tau between the models' sharpness and the best).
    """
    pools = pd.concat([read(shard).assign(ball=shard["ball"]) for shard in shards], ignore_index=True)
    rows = [_trust(pool, rows) for pool, rows in pools.groupby(POOL, dropna=False, sort=False)]
    sought = pools[pools["ball"] != ""]
    by_ball = sought.groupby(["protocol", "architecture", "rho", "ball"], dropna=False, sort=False)
    shares = [row for _, rows in by_ball for row in _shares(rows)]
    columns = [*POOL, "compared_with", "shared_batches", "share_of_best", "worst_share", "tau_of_rankings"]
    return pd.DataFrame(rows).merge(pd.DataFrame(shares, columns=columns), how="left", on=POOL, validate="1:1")


def _trust(pool: tuple, rows: pd.DataFrame) -> dict:
    values = _table(rows)
    means = {name: rows[name].mean() for name in ("last_improvement", "gain_from_doubling") if name in rows}
    apart = rows.groupby("seed")["base_loss"].nunique().max() > 1
    return {
        **dict(zip(POOL, pool, strict=True)),
        "models": len(values),
        "batches": values.shape[1],
        "reliability": reliability(values.to_numpy()) if apart else np.nan,
        "reliability_of_one": reliability(values.to_numpy(), k=1) if apart else np.nan,
        **{name: means.get(name, np.nan) for name in ("last_improvement", "gain_from_doubling")},
    }


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """Models by batches, without models that have no finite number on some batch."""
    values = rows.pivot(index="seed", columns="batch", values="sharpness")
    return values[np.isfinite(values).all(axis=1)]


def _shares(rows: pd.DataFrame) -> list[dict]:
    """A row a measure, if there are several to compare."""
    found = {pool: _table(each) for pool, each in rows.groupby(POOL, dropna=False, sort=False)}
    if len(found) < 2:
        return []
    seeds, batches = (sorted(set.intersection(*sets)) for sets in zip(*map(_labels, found.values()), strict=True))
    values = np.stack([table.loc[seeds, batches].to_numpy() for table in found.values()])
    best = values.max(axis=0).mean(axis=1)
    shares = [np.where(best > 0, each.mean(axis=1) / np.where(best > 0, best, 1), np.nan) for each in values]
    return [
        {
            **dict(zip(POOL, pool, strict=True)),
            "compared_with": ", ".join(name for _, _, name, _ in found if name != pool[2]),
            "shared_batches": len(batches),
            "share_of_best": np.nanmean(share) if np.isfinite(share).any() else np.nan,
            "worst_share": np.nanmin(share) if np.isfinite(share).any() else np.nan,
            "tau_of_rankings": kendalltau(each.mean(axis=1), best).statistic if len(best) > 1 else np.nan,
        }
        for pool, each, share in zip(found, values, shares, strict=True)
    ]


def _labels(table: pd.DataFrame) -> tuple[set, set]:
    return set(table.index), set(table.columns)
