"""From what each job wrote to a row a model, and to a row a tau."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_sharpness.correlation import kendall

POOL = ["protocol", "architecture", "measure", "rho"]


def runs(training: Iterable[Mapping], sharpness: Iterable[Mapping]) -> pd.DataFrame:
    """A row for every (protocol, architecture, measure, rho, seed).

    Args:
        training: shards, each {path, protocol, architecture}; a csv with seed, epochs, train_loss, test_loss, accuracy,
            device and versions.
        sharpness: shards, each {path, protocol, architecture, measure, rho}; a parquet with seed, batch, sharpness,
            base_loss, device and versions, and max_loss where the measure has one.

    Returns:
        In the order of the shards, the columns named above, and sharpness, its standard_error over batches, base_loss,
        max_loss, train_loss, test_loss, accuracy, epochs; device and versions of measuring, train_device and
        train_versions of training.

    Raises:
        ValueError: if models of a pool were trained or measured on different devices, or a model was not trained.
    """
    trained = pd.concat([_labelled(pd.read_csv, shard) for shard in training])
    trained = trained.rename(columns={"device": "train_device", "versions": "train_versions"})
    measured = pd.concat([_per_model(read(shard)) for shard in sharpness], ignore_index=True)
    how = {"how": "left", "validate": "many_to_one", "indicator": True}
    table = measured.merge(trained, on=["protocol", "architecture", "seed"], **how)
    unknown = table[table.pop("_merge") == "left_only"]
    if len(unknown):
        *pool, seed = (unknown[column].tolist()[0] for column in (*POOL, "seed"))
        raise ValueError(f"pool {tuple(pool)}: got no training row of seed {seed}, wanted one for every model measured")
    for column in ("device", "train_device"):
        _refuse_mixed(table, column)
    return table


def read(shard: Mapping) -> pd.DataFrame:
    """What a measuring job wrote, with the labels of its pool; rho is nan where the measure knows none."""
    return _labelled(pd.read_parquet, {**shard, "rho": np.nan if shard["rho"] == "none" else float(shard["rho"])})


def _labelled(reader, shard: Mapping) -> pd.DataFrame:
    labels = {name: value for name, value in shard.items() if name in POOL}
    return reader(Path(shard["path"])).assign(**labels)


def _per_model(batches: pd.DataFrame) -> pd.DataFrame:
    models = batches.groupby([*POOL, "seed", "device", "versions"], as_index=False, dropna=False, sort=False)
    means = ["base_loss", *batches.columns.intersection(["max_loss"]), "sharpness"]
    deviation = models["sharpness"].agg(lambda rises: rises.std(ddof=1) / np.sqrt(len(rises)))
    return models[means].mean(skipna=False).assign(standard_error=deviation["sharpness"])


def _refuse_mixed(table: pd.DataFrame, column: str) -> None:
    for pool, rows in table.groupby(POOL, dropna=False):
        devices = sorted(rows[column].unique())
        if len(devices) > 1:
            raise ValueError(f"pool {pool}: {column} is {' and '.join(devices)}, wanted one device for a pool")


def tau_table(table: pd.DataFrame, published: Mapping) -> pd.DataFrame:
    """A row for every (protocol, architecture, measure, rho).

    Args:
        table: what `runs` returns.
        published: published[measure][architecture] with rho and tau, where the report prints one.

    Returns:
        The columns of the pool, n (models used), sharpness_mean, sharpness_sd, share_negative (of models whose
        sharpness is below 0), test_loss_mean, test_loss_sd, tau, tau_low, tau_high (95 %, BCa), p_value, published_tau.
    """
    pools = table.groupby(POOL, dropna=False, sort=False)
    return pd.DataFrame([_tau_row(dict(zip(POOL, pool, strict=True)), rows, published) for pool, rows in pools])


def _tau_row(pool: dict, rows: pd.DataFrame, published: Mapping) -> dict:
    used = rows[np.isfinite(rows["sharpness"]) & np.isfinite(rows["test_loss"])]
    tau = kendall(used["sharpness"].to_numpy(), used["test_loss"].to_numpy())
    return {
        **pool,
        "n": tau.n,
        "sharpness_mean": used["sharpness"].mean(),
        "sharpness_sd": used["sharpness"].std(),
        "share_negative": (used["sharpness"] < 0).mean(),
        "test_loss_mean": used["test_loss"].mean(),
        "test_loss_sd": used["test_loss"].std(),
        "tau": tau.tau,
        "tau_low": tau.low,
        "tau_high": tau.high,
        "p_value": tau.p_value,
        "published_tau": _published_tau(published, pool),
    }


def _published_tau(published: Mapping, pool: Mapping) -> float:
    entry = published.get(pool["measure"], {}).get(pool["architecture"])
    return entry["tau"] if entry and entry["rho"] == pool["rho"] else np.nan
