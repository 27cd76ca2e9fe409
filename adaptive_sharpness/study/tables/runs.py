"""A row a model, measurement and quantity."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_sharpness.study.tables.axes import with_axes
from adaptive_sharpness.study.tables.models import KEYS, MEASUREMENT, MODEL, headline_quantities, usable

LABELS = ("protocol", "pool", "setting", "id")
REACHED = ["reached", "keep_unreached"]  # of a pool whose stop rule names a loss; empty for others
COLUMNS = [*MODEL, "measure", "rho", "quantity", "headline", "value", "standard_error", "base_loss", "max_loss"]


def runs_table(training: Iterable[str | Path], sharpness: Iterable[str | Path]) -> pd.DataFrame:
    """Return a row for every model, measurement and quantity.

    Args:
        training: csv files with protocol, pool, setting, seed, epochs, train_loss, test_loss, accuracy, device and
            versions; reached, keep_unreached where the stop rule names a loss; of models from elsewhere id and what
            else their table says.
        sharpness: parquet files with protocol, pool, setting, measure, rho, seed, batch, quantity, headline, value,
            base_loss, device and versions, and max_loss where the measure has one.

    Returns:
        In the order of the files, the columns named above but for batch, and the level of each axis that some pool
        varies (`axes.with_axes`): value is the mean over batches,
        standard_error its error; device and versions are of measuring, train_device and train_versions of training;
        used is whether the model counts in a tau (`models.usable`).

    Raises:
        ValueError: if models of a pool were trained or measured on different devices, or a model was not trained, or
            it was measured twice.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> labels = {"protocol": "report", "pool": "gat", "setting": "", "device": "cpu", "versions": "torch 2"}
        >>> trained = pd.DataFrame({"seed": [7], "train_loss": [1.0], "test_loss": [2.0], **labels})
        >>> measured = pd.DataFrame({"seed": [7, 7], "batch": [0, 1], "value": [1.0, 3.0], "base_loss": 1.0, **labels})
        >>> with TemporaryDirectory() as folder:
        ...     trained.to_csv(f"{folder}/a.csv", index=False)
        ...     measured.assign(measure="hessian", rho=0.1, quantity="trace", headline=True).to_parquet(f"{folder}/a")
        ...     table = runs_table([f"{folder}/a.csv"], [f"{folder}/a"])
        >>> table[["value", "standard_error", "test_loss"]].values.tolist()
        [[2.0, 1.0, 2.0]]
    """
    trained = pd.concat([_read_training(path) for path in training])
    trained = trained.astype(dict.fromkeys(trained.columns.intersection(REACHED), "boolean"))
    trained = trained.rename(columns={"device": "train_device", "versions": "train_versions"})
    measured = pd.concat([_per_model(pd.read_parquet(path)) for path in sharpness], ignore_index=True)
    measured = _with_quantities(measured)
    options = {"how": "left", "validate": "many_to_one", "indicator": True}
    table = measured.merge(trained, on=MODEL, **options)
    _require_trained(table[table.pop("_merge") == "left_only"])
    for *pool, seed in table.loc[table.duplicated([*KEYS, *MODEL]), [*MEASUREMENT, "seed"]].to_numpy().tolist():
        raise ValueError(f"{_spelled(pool)}: got two rows of seed {seed}, wanted one for every model measured")
    for column in ("device", "train_device"):
        _refuse_mixed(table, column)
    table = table.reindex(columns=[*COLUMNS, *table.columns.difference(COLUMNS, sort=False)])
    return with_axes(table.assign(used=table.index.isin(usable(table).index)))


def _read_training(path: str | Path) -> pd.DataFrame:
    """A shard's csv; its labels are texts, whatever they look like."""
    texts = pd.read_csv(path, usecols=lambda name: name in LABELS, dtype=str, keep_default_na=False)
    return pd.read_csv(path).assign(**texts)


def _per_model(batches: pd.DataFrame) -> pd.DataFrame:
    keys = [*MODEL, "measure", "rho", "quantity", "headline", "device", "versions"]
    models = batches.groupby(keys, as_index=False, dropna=False, sort=False)
    means = ["base_loss", *batches.columns.intersection(["max_loss"]), "value"]
    deviation = models["value"].agg(lambda values: values.std(ddof=1) / np.sqrt(len(values)))
    return models[means].mean(skipna=False).assign(standard_error=deviation["value"])


def _with_quantities(measured: pd.DataFrame) -> pd.DataFrame:
    """A model of which nothing is known has a row for each quantity that other models of its measurement have."""
    unnamed = measured["quantity"].isna()
    if not unnamed.any():
        return measured
    place = measured.groupby([*MODEL, "measure", "rho"], dropna=False, sort=False).ngroup()
    quantity = measured["quantity"].astype(object).fillna(headline_quantities(measured))
    named = measured.assign(quantity=quantity, place=place)
    quantities = named[[*KEYS, "headline"]].drop_duplicates()
    missing = named[unnamed].drop(columns=["quantity", "headline"]).merge(quantities, on=MEASUREMENT)
    both = pd.concat([named[~unnamed], missing]).sort_values("place", kind="stable")
    return both.drop(columns="place").reset_index(drop=True)


def _require_trained(unknown: pd.DataFrame) -> None:
    if len(unknown):
        *pool, seed = (unknown[column].tolist()[0] for column in (*MEASUREMENT, "seed"))
        raise ValueError(f"{_spelled(pool)}: got no training row of seed {seed}, wanted one for every model measured")


def _refuse_mixed(table: pd.DataFrame, column: str) -> None:
    for pool, rows in table.groupby(MEASUREMENT, dropna=False):
        devices = sorted(rows[column].unique())
        if len(devices) > 1:
            raise ValueError(f"{_spelled(pool)}: {column} is {' and '.join(devices)}, wanted one device for a pool")


def _spelled(measurement: Iterable) -> str:
    protocol, pool, measure, rho = measurement
    return f"pool {protocol}/{pool}, measure {measure}" + ("" if pd.isna(rho) else f", rho {rho}")
