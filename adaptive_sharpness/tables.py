"""From what each job wrote to a row a model, and to a row a tau."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_sharpness.associations import association
from adaptive_sharpness.correlation import usable
from adaptive_sharpness.significance import significance

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
        train_versions of training; used, whether the model counts in a tau (`correlation.usable`).

    Raises:
        ValueError: if models of a pool were trained or measured on different devices, or a model was not trained, or
            it was measured twice.
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
    for *pool, seed in table.loc[table.duplicated([*POOL, "seed"]), [*POOL, "seed"]].itertuples(index=False, name=None):
        raise ValueError(f"pool {tuple(pool)}: got two rows of seed {seed}, wanted one for every model measured")
    for column in ("device", "train_device"):
        _refuse_mixed(table, column)
    return table.assign(used=table.index.isin(usable(table).index))


def read(shard: Mapping) -> pd.DataFrame:
    """What a measuring job wrote, with the labels of its pool."""
    return _labelled(pd.read_parquet, {**shard, "rho": radius(shard["rho"])})


def radius(rho: float | str) -> float:
    """A radius as it stands in tables: nan for "none", of a measure that knows none."""
    return np.nan if rho == "none" else float(rho)


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


def tau_table(
    table: pd.DataFrame, published: Mapping, estimates: pd.DataFrame, test_losses: Mapping[tuple, pd.DataFrame]
) -> pd.DataFrame:
    """A row for every (protocol, architecture, measure, rho); docs/statistics.md explains each column.

    Args:
        table: what `runs` returns.
        published: published[measure][architecture] with rho, tau and n, where the report prints one.
        estimates: what `estimates.estimates` returns: the reliability of each row's sharpness, taken over where it is
            of the models that are used here.
        test_losses: what `reliability.read_test_losses` returns: of each (protocol, architecture) [seeds, examples].

    Returns:
        The columns of the pool, those of `associations.association` and those of `significance.significance`.

    Raises:
        ValueError: if a pool has no row in estimates, or a model no test losses.
    """
    pools = dict(list(table.groupby(POOL, dropna=False, sort=False)))
    rows = []
    for (pool, models), known in zip(pools.items(), _reliabilities(pools, estimates), strict=True):
        labels = dict(zip(POOL, pool, strict=True))
        reliability = known["reliability"] if known["models"] == len(usable(models)) else np.nan
        losses = _losses(test_losses, pool, models["seed"])
        rows.append({**labels, **association(models, losses, reliability, _published(published, labels))})
    taus = pd.DataFrame(rows)
    after = taus.columns.get_loc("published_tau") + 1
    return pd.concat([taus.iloc[:, :after], significance(pools), taus.iloc[:, after:]], axis=1)


def _published(published: Mapping, pool: Mapping) -> Mapping | None:
    entry = published.get(pool["measure"], {}).get(pool["architecture"])
    return entry if entry and entry["rho"] == pool["rho"] else None


def _reliabilities(pools: Iterable[tuple], estimates: pd.DataFrame) -> list[dict]:
    """Of each pool's sharpness, and of how many models; where rho is nan in estimates too, it is the same pool."""
    wanted = pd.DataFrame(list(pools), columns=POOL).astype({"rho": float})
    how = {"how": "left", "on": POOL, "validate": "1:1", "indicator": True}
    found = wanted.merge(estimates[[*POOL, "models", "reliability"]].astype({"rho": float}), **how)
    for pool in found.loc[found["_merge"] == "left_only", POOL].itertuples(index=False, name=None):
        raise ValueError(f"pool {pool}: got no row of estimates, wanted one for every pool")
    return found[["models", "reliability"]].to_dict("records")


def _losses(test_losses: Mapping[tuple, pd.DataFrame], pool: tuple, seeds: pd.Series) -> pd.DataFrame:
    known = test_losses.get(pool[:2], pd.DataFrame())
    for seed in seeds[~seeds.isin(known.index)]:
        raise ValueError(f"pool {pool}: got no test losses of seed {seed}, wanted them of every model measured")
    return known
