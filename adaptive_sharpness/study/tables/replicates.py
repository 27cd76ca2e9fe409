"""The same study again and again: a pool cut into replicates, and where the next one's numbers are to be expected."""

import math
from collections.abc import Mapping

import pandas as pd
from scipy import stats

from adaptive_sharpness.stats.kendall import tau_b
from adaptive_sharpness.stats.samples import FEWEST
from adaptive_sharpness.study.tables.models import MEASUREMENT, usable

NUMBERS = ("sharpness_mean", "test_loss_mean", "tau")
EXPECTED = ("replicates", "mean", "sd", "lowest", "highest", "low", "high")


def replicates_table(runs: pd.DataFrame, size: int) -> pd.DataFrame:
    """Return a row for every replicate of so many seeds, in order; seeds that fill none are left out.

    Args:
        runs: what `runs_table` returns; the headline quantity counts.
        size: seeds a replicate, at least 3.

    Returns:
        protocol, pool, measure, rho; replicate, from 0; n (models used), sharpness_mean, test_loss_mean, tau.

    Raises:
        ValueError: if size is below 3.

    Example:
        >>> runs = pd.DataFrame({"seed": range(7), "value": range(7), "test_loss": [0, 1, 2, 5, 4, 3, 6]})
        >>> runs = runs.assign(protocol="report", pool="gat", measure="hessian", rho=0.1, headline=True, train_loss=1.0)
        >>> replicates_table(runs, size=3)["tau"].tolist()  # seed 6 fills no replicate
        [1.0, -1.0]
    """
    if size < FEWEST:
        raise ValueError(f"replicates: got {size} models a replicate, wanted at least {FEWEST}")
    rows = []
    for keys, models in runs[runs["headline"]].groupby(MEASUREMENT, dropna=False, sort=False):
        for number in range((models["seed"].max() + 1) // size):
            there = models["seed"].between(number * size, (number + 1) * size - 1)
            used = usable(models[there])
            labels = dict(zip(MEASUREMENT, keys, strict=True))
            rows.append({**labels, "replicate": number, "n": len(used), **_numbers(used)})
    return pd.DataFrame(rows, columns=[*MEASUREMENT, "replicate", "n", *NUMBERS])


def _numbers(used: pd.DataFrame) -> dict[str, float]:
    means = [used["value"].mean(), used["test_loss"].mean()]
    return dict(zip(NUMBERS, (*means, tau_b(used["value"], used["test_loss"])), strict=True))


def prediction_table(replicates: pd.DataFrame, elsewhere: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Return where one more replicate's numbers are to be expected, and whether a pool from elsewhere is such a one.

    The 99 % prediction interval of a normal sample: mean +- t sd sqrt(1 + 1/k), t the 99.5 % point of Student's t with
    k - 1 degrees of freedom, 4.6 for k = 5 replicates (Hahn & Meeker 1991, section 4.6).

    Args:
        replicates: what `replicates_table` returns.
        elsewhere: for each pool, sharpness_mean, test_loss_mean or tau of one pool that was made elsewhere.

    Returns:
        A row for every number: protocol, pool, measure, rho, number; replicates, mean, sd, lowest, highest; low and
        high, the interval, nan for fewer than 2 replicates; elsewhere (nan where there is none) and inside.

    Example:
        >>> replicates = pd.DataFrame({"protocol": "report", "pool": "gat", "measure": "hessian", "rho": [0.1, 0.1]})
        >>> replicates = replicates.assign(tau=[0.1, 0.3], test_loss_mean=1.0, sharpness_mean=1.0)
        >>> table = prediction_table(replicates, {"gat": {"tau": 0.2}}).set_index("number")
        >>> table.loc["tau", "high"].round(2).item(), bool(table.loc["tau", "inside"])  # 0.2 + 63.66 sqrt(0.03)
        (11.23, True)
    """
    rows = []
    for keys, several in replicates.groupby(MEASUREMENT, dropna=False, sort=False):
        labels = dict(zip(MEASUREMENT, keys, strict=True))
        for number in NUMBERS:
            values = several[number].dropna()
            other = elsewhere.get(labels["pool"], {}).get(number, math.nan)
            rows.append({**labels, "number": number, **_expected(values), "elsewhere": other})
            inside = rows[-1]["low"] <= other <= rows[-1]["high"]
            rows[-1]["inside"] = inside if math.isfinite(other) and math.isfinite(rows[-1]["low"]) else None
    return pd.DataFrame(rows, columns=[*MEASUREMENT, "number", *EXPECTED, "elsewhere", "inside"])


def _expected(values: pd.Series) -> dict[str, float]:
    k = len(values)
    reach = stats.t.ppf(0.995, k - 1) * values.std() * math.sqrt(1 + 1 / k) if k > 1 else math.nan
    found = (k, values.mean(), values.std(), values.min(), values.max(), values.mean() - reach, values.mean() + reach)
    return dict(zip(EXPECTED, found, strict=True))
