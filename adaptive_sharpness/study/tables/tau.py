"""A row a tau: each quantity of each measurement of each pool against test loss."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open

from adaptive_sharpness import plugins
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison
from adaptive_sharpness.study.tables.models import KEYS, usable

# The package's own, in the order of their columns; the user's follow.
FIRST = (
    *("description", "kendall_tau", "published_tau", "permutation", "partial_tau", "components", "noise", "power"),
    "within_between",
)
LABELS = [*KEYS, "headline"]


def tau_table(
    runs: pd.DataFrame,
    published: Mapping,
    estimates: pd.DataFrame,
    test_losses: Mapping[tuple, pd.DataFrame],
    folder: str | Path = "plugins",
) -> pd.DataFrame:
    """Return a row for every (protocol, pool, measure, rho, quantity), with the columns of every statistic.

    Args:
        runs: what `runs_table` returns.
        published: published[measure][pool] with rho, tau and n, where something is published of a headline quantity.
        estimates: what `estimates_table` returns: the reliability of each row's value, taken over where it is of the
            models that are used here.
        test_losses: what `read_test_losses` returns.
        folder: the user's plug-ins; each file of its statistics is one more.

    Returns:
        The table; columns that say something of pools that vary alone only where there is one.

    Raises:
        ValueError: if a row has none in estimates, a model no test losses, or a statistic is not as it should be.

    Example:
        >>> keys = {"protocol": "report", "pool": "gat", "measure": "hessian", "rho": 0.1, "quantity": "trace"}
        >>> losses = {"train_loss": 0.5, "accuracy": 0.9, "base_loss": 0.5}
        >>> models = pd.DataFrame({"seed": range(4), "value": range(4), "test_loss": [4.0, 3.0, 2.0, 1.0]})
        >>> runs = models.assign(**keys, **losses, headline=True)
        >>> estimates = pd.DataFrame([{**keys, "models": 4, "reliability": 1.0}])
        >>> tau_table(runs, {}, estimates, {("report", "gat"): pd.DataFrame(np.ones((4, 2)))})[["pool", "n", "tau"]]
           pool  n  tau
        0  gat  4 -1.0
    """
    comparisons = _comparisons(runs, published, estimates, test_losses)
    rows = [{name: getattr(each, name) for name in LABELS} for each in comparisons]
    table = pd.DataFrame(rows, columns=LABELS)
    varies = any(each.settings is not None for each in comparisons)
    for name in statistic_names(folder):
        columns, found = _checked(name, comparisons, list(table.columns), folder)
        shown = [column.name for column in _columns(name, folder) if varies or not column.varying]
        table = pd.concat([table, pd.DataFrame(found, columns=columns, index=table.index)[shown]], axis=1)
    return table


def statistic_names(folder: str | Path = "plugins") -> list[str]:
    """Return the names of all statistics, in the order of their columns.

    Example:
        >>> statistic_names()[:2]
        ['description', 'kendall_tau']
    """
    return [*FIRST, *(name for name in plugins.names("statistics", folder) if name not in FIRST)]


def statistic_columns(folder: str | Path = "plugins") -> list[Column]:
    """Return the columns of all statistics, in order.

    Example:
        >>> [column.name for column in statistic_columns()][:3]
        ['n', 'left_out', 'value_mean']
    """
    return [column for name in statistic_names(folder) for column in _columns(name, folder)]


def read_test_losses(files: Iterable[str | Path]) -> dict[tuple[str, str], pd.DataFrame]:
    """Return the losses of test examples, as training jobs wrote them.

    Args:
        files: safetensors files with seeds, [models], and test_losses, [models, examples]; metadata name the pool.

    Returns:
        For each (protocol, pool) a row a seed, or of a pool that varies a row a setting and seed, and a column an
        example.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.numpy import save_file
        >>> with TemporaryDirectory() as folder:
        ...     arrays = {"seeds": np.array([7]), "test_losses": np.array([[1.0, 2.0]])}
        ...     save_file(arrays, f"{folder}/a", {"labels": '{"protocol": "report", "pool": "gat"}'})
        ...     read_test_losses([f"{folder}/a"])["report", "gat"].loc[7].tolist()
        [1.0, 2.0]
    """
    found: dict[tuple[str, str], list] = {}
    for path in files:
        with safe_open(path, "np") as file:
            labels = json.loads(file.metadata()["labels"])
            rows = pd.DataFrame(file.get_tensor("test_losses"), index=file.get_tensor("seeds"))
        if labels.get("setting"):
            rows = pd.concat({labels["setting"]: rows})
        found.setdefault((labels["protocol"], labels["pool"]), []).append(rows)
    return {pool: pd.concat(rows) for pool, rows in found.items()}


def _comparisons(runs, published, estimates, test_losses) -> list[Comparison]:
    groups = dict(list(runs.groupby(LABELS, dropna=False, sort=False)))
    found = []
    for (labels, models), known in zip(groups.items(), _reliabilities(groups, estimates), strict=True):
        named = dict(zip(LABELS, labels, strict=True)) | {"headline": bool(labels[-1])}
        reliability = known["reliability"] if known["models"] == len(usable(models)) else np.nan
        losses = _losses(test_losses, named, models)
        found.append(
            Comparison(
                **named,
                models=models,
                all_test_losses=losses,
                reliability=reliability,
                published=_published(published, named),
            )
        )
    return found


def _published(published: Mapping, labels: Mapping) -> Mapping | None:
    entry = published.get(labels["measure"], {}).get(labels["pool"])
    return entry if entry and labels["headline"] and entry["rho"] == labels["rho"] else None


def _reliabilities(groups: Iterable[tuple], estimates: pd.DataFrame) -> list[dict]:
    """Of each row's value, and of how many models; where rho is nan in estimates too, it is the same row."""
    wanted = pd.DataFrame([labels[: len(KEYS)] for labels in groups], columns=KEYS).astype({"rho": float})
    options = {"how": "left", "on": KEYS, "validate": "1:1", "indicator": True}
    found = wanted.merge(estimates[[*KEYS, "models", "reliability"]].astype({"rho": float}), **options)
    for labels in found.loc[found["_merge"] == "left_only", KEYS].itertuples(index=False, name=None):
        raise ValueError(f"{labels}: got no row of estimates, wanted one for every row of the table")
    return found[["models", "reliability"]].to_dict("records")


def _losses(test_losses: Mapping[tuple, pd.DataFrame], labels: Mapping, models: pd.DataFrame) -> pd.DataFrame:
    known = test_losses.get((labels["protocol"], labels["pool"]), pd.DataFrame())
    by_setting = known.index.nlevels > 1
    index = pd.MultiIndex.from_frame(models[["setting", "seed"]]) if by_setting else pd.Index(models["seed"])
    for model in index[~index.isin(known.index)]:
        pool, (*setting, seed) = f"pool {labels['protocol']}/{labels['pool']}", model if by_setting else (model,)
        place = ", ".join([pool, *setting])
        raise ValueError(f"{place}: got no test losses of seed {seed}, wanted them of every model measured")
    return known


def _columns(name: str, folder: str | Path) -> tuple[Column, ...]:
    columns = getattr(plugins.module("statistics", name, folder), "COLUMNS", None)
    if not isinstance(columns, tuple) or not all(isinstance(column, Column) for column in columns):
        raise ValueError(f"statistic {name}: got no COLUMNS, wanted a tuple of Column")
    return columns


def _checked(
    name: str, comparisons: Sequence[Comparison], there: Sequence[str], folder: str | Path
) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The columns of a statistic, and its values for each row."""
    columns = [column.name for column in _columns(name, folder)]
    for position, column in enumerate(columns):
        if column in [*there, *columns[:position]]:
            raise ValueError(f"statistic {name}: got the column {column}, which the table has, wanted another name")
    found = plugins.resolve("statistics", name, folder)(comparisons)
    if not isinstance(found, Iterable):
        raise ValueError(f"statistic {name}: got {type(found).__name__} from it, wanted a row for each comparison")
    found = list(found)
    if len(found) != len(comparisons):
        raise ValueError(f"statistic {name}: got {len(found)} rows from it, wanted {len(comparisons)}")
    for row in found:
        if not isinstance(row, Mapping) or set(row) != set(columns):
            got = ", ".join(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
            raise ValueError(f"statistic {name}: got a row with {got}, wanted {', '.join(columns)}")
    return columns, found
