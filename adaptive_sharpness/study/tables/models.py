"""Which models count in a tau, and which rows of a table belong together."""

import numpy as np
import pandas as pd

MODEL = ["protocol", "pool", "setting", "seed"]
MEASUREMENT = ["protocol", "pool", "measure", "rho"]
KEYS = [*MEASUREMENT, "quantity"]  # of all models that a tau is taken over


def usable(models: pd.DataFrame) -> pd.DataFrame:
    """Return the models that count in a tau: value and both losses are finite, and the loss wanted was reached.

    Args:
        models: a row a model. One whose training diverged has losses that are nan or infinite. Columns reached, where a
            stop rule names a loss, and keep_unreached, where the model counts anyway, may be missing or empty.

    Returns:
        Its rows, some left out.

    Example:
        >>> models = pd.DataFrame({"value": [1.0, np.nan, 3.0], "test_loss": [1.0, 1.0, np.inf], "train_loss": 1.0})
        >>> usable(models).index.tolist()
        [0]
    """
    finite = np.isfinite(models[["value", "test_loss", "train_loss"]]).all(axis=1)
    return models[finite & (_truth(models, "reached", True) | _truth(models, "keep_unreached", False))]


def _truth(models: pd.DataFrame, column: str, otherwise: bool) -> pd.Series:
    """A column of truth values; what is missing or empty is `otherwise`."""
    return models.reindex(columns=[column])[column].astype("boolean").fillna(otherwise).astype(bool)


def headline_quantities(table: pd.DataFrame) -> pd.Series:
    """Return the headline quantity of each row's measurement.

    Args:
        table: rows with the columns of KEYS, and headline; a model of which nothing is known has no quantity.

    Returns:
        A name for each row: that of other models of the measurement; where there is none, that of the measure on the
        same pool, or on any; else "sharpness".

    Example:
        >>> table = pd.DataFrame({"protocol": "report", "pool": "gat", "measure": "hessian", "rho": [0.1, 0.2]})
        >>> headline_quantities(table.assign(quantity=["lambda_max", None], headline=True)).tolist()
        ['lambda_max', 'lambda_max']
    """
    named, found = table[table["headline"] & table["quantity"].notna()], pd.Series(index=table.index, dtype=object)
    for keys in (MEASUREMENT, ["pool", "measure"], ["measure"]):
        known = named.drop_duplicates(keys)[[*keys, "quantity"]]
        found = found.fillna(table[keys].merge(known, how="left", on=keys)["quantity"].set_axis(table.index))
    return found.fillna("sharpness")


def same_rho(column: pd.Series, rho: float | None) -> pd.Series:
    """Return where a column of radii has this one; nan or None where a measure has none.

    Example:
        >>> same_rho(pd.Series([0.1, np.nan]), None).tolist()
        [False, True]
    """
    return column.isna() if rho is None or np.isnan(rho) else column == rho
