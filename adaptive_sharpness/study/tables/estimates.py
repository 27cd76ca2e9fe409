"""How far numbers can be trusted: reliability over batches, and how near each measure comes to the best value found."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from adaptive_sharpness.stats.reliability import reliability
from adaptive_sharpness.study.tables.models import KEYS, headline_quantities

SEARCH = ("last_improvement", "gain_from_doubling")
SHARES = ("compared_with", "shared_batches", "share_of_best", "worst_share", "tau_of_rankings")


def estimates_table(files: Iterable[str | Path], balls: Mapping[str, Sequence[Sequence[str]]]) -> pd.DataFrame:
    """Return a row for every (protocol, pool, measure, rho, quantity).

    Measures of one ball, at one rho, are compared on the batches that they share; the best value of a batch is the
    highest that any of them found there.

    Args:
        files: parquet files as `measure_shard` makes them, with protocol, pool, setting, measure and rho.
        balls: of each pool, the measures that seek the maximum over one ball on the same batches, a list a ball.

    Returns:
        The columns named above; models and batches; reliability of the mean over them, reliability_of_one batch, both
        nan where a model has one base loss for all its batches: it is in each of them with its error, if it has one,
        which looks like a difference between models. Of a headline quantity also last_improvement and
        gain_from_doubling, means over models and batches; compared_with (measures of this ball), shared_batches,
        share_of_best (the mean over models of the model's sharpness by the mean of the best values), worst_share (the
        lowest of a model), tau_of_rankings (Kendall's tau between the models' sharpness and the best).

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> batches = pd.DataFrame({"seed": [0, 0, 1, 1], "batch": [0, 1, 0, 1], "value": [1.0, 1.0, 2.0, 2.0]})
        >>> batches = batches.assign(base_loss=[1.0, 2.0, 3.0, 4.0], protocol="report", pool="gat", measure="hessian")
        >>> batches = batches.assign(setting="", rho=0.1, quantity="trace", headline=True)
        >>> with TemporaryDirectory() as folder:
        ...     batches.to_parquet(f"{folder}/a")
        ...     estimates_table([f"{folder}/a"], {})["reliability"].tolist()  # all batches say the same
        [1.0]
    """
    batches = pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)
    # So that it is seen of which measurement nothing is known.
    batches["quantity"] = batches["quantity"].astype(object).fillna(headline_quantities(batches))
    rows = [_trust(keys, group) for keys, group in batches.groupby(KEYS, dropna=False, sort=False)]
    headline = batches[batches["headline"]]
    shares = [
        row
        for (_, pool, _), group in headline.groupby(["protocol", "pool", "rho"], dropna=False, sort=False)
        for measures in balls.get(pool, ())
        for row in _shares(group[group["measure"].isin(measures)])
    ]
    columns = [*KEYS, *SHARES]
    return pd.DataFrame(rows).merge(pd.DataFrame(shares, columns=columns), how="left", on=KEYS, validate="1:1")


def _trust(keys: tuple, group: pd.DataFrame) -> dict:
    values = _by_batch(group)
    headline = bool(group["headline"].iloc[0])
    apart = group.groupby(["setting", "seed"])["base_loss"].nunique().max() != 1
    return {
        **dict(zip(KEYS, keys, strict=True)),
        "models": len(values),
        "batches": values.shape[1],
        "reliability": reliability(values.to_numpy()) if apart else np.nan,
        "reliability_of_one": reliability(values.to_numpy(), k=1) if apart else np.nan,
        **{name: group[name].mean() if headline and name in group else np.nan for name in SEARCH},
    }


def _by_batch(group: pd.DataFrame) -> pd.DataFrame:
    """Models by batches, without models that have no finite value on some batch."""
    values = group.pivot(index=["setting", "seed"], columns="batch", values="value")
    return values[np.isfinite(values).all(axis=1)]


def _shares(group: pd.DataFrame) -> list[dict]:
    """A row a measure, if there are several to compare."""
    found = {keys: _by_batch(rows) for keys, rows in group.groupby(KEYS, dropna=False, sort=False)}
    if len(found) < 2:
        return []
    seeds, batches = (sorted(set.intersection(*sets)) for sets in zip(*map(_labels, found.values()), strict=True))
    values = np.stack([table.loc[seeds, batches].to_numpy() for table in found.values()])
    best = values.max(axis=0).mean(axis=1)
    shares = [np.where(best > 0, each.mean(axis=1) / np.where(best > 0, best, 1), np.nan) for each in values]
    return [
        {
            **dict(zip(KEYS, keys, strict=True)),
            "compared_with": ", ".join(other[2] for other in found if other != keys),
            "shared_batches": len(batches),
            "share_of_best": np.nanmean(share) if np.isfinite(share).any() else np.nan,
            "worst_share": np.nanmin(share) if np.isfinite(share).any() else np.nan,
            "tau_of_rankings": kendalltau(each.mean(axis=1), best).statistic if len(best) > 1 else np.nan,
        }
        for keys, each, share in zip(found, values, shares, strict=True)
    ]


def _labels(table: pd.DataFrame) -> tuple[set, set]:
    return set(table.index), set(table.columns)
