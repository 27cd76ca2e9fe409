"""The same study again and again: models by the pool, and where the next pool's numbers are to be expected."""

import math
from collections.abc import Mapping

import pandas as pd
from scipy import stats

from adaptive_sharpness.correlation import FEWEST, tau_b, usable
from adaptive_sharpness.tables import POOL

NUMBERS = ("sharpness_mean", "test_loss_mean", "tau")
EXPECTED = ("pools", "mean", "sd", "lowest", "highest", "low", "high")


def pools(table: pd.DataFrame, size: int) -> pd.DataFrame:
    """A row for every pool of so many seeds, in order; seeds that fill no pool are left out.

    Args:
        table: what `tables.runs` returns.
        size: seeds a pool, at least 3.

    Returns:
        protocol, architecture, measure, rho; pool, from 0; n (models used), sharpness_mean, test_loss_mean, tau.

    Raises:
        ValueError: if size is below 3.
    """
    if size < FEWEST:
        raise ValueError(f"pools: got {size} models a pool, wanted at least {FEWEST}")
    rows = []
    for pool, models in table.groupby(POOL, dropna=False, sort=False):
        for number in range((models["seed"].max() + 1) // size):
            there = models["seed"].between(number * size, (number + 1) * size - 1)
            used = usable(models[there])
            rows.append({**dict(zip(POOL, pool, strict=True)), "pool": number, "n": len(used), **_numbers(used)})
    return pd.DataFrame(rows, columns=[*POOL, "pool", "n", *NUMBERS])


def _numbers(used: pd.DataFrame) -> dict[str, float]:
    means = [used["sharpness"].mean(), used["test_loss"].mean()]
    return dict(zip(NUMBERS, (*means, tau_b(used["sharpness"], used["test_loss"])), strict=True))


def prediction(table: pd.DataFrame, elsewhere: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Where one more pool's numbers are to be expected, and whether a pool from elsewhere is one of these.

    The 99 % prediction interval of a normal sample: mean +- t sd sqrt(1 + 1/k), t the 99.5 % point of Student's t with
    k - 1 degrees of freedom, 4.6 for k = 5 pools (Hahn & Meeker 1991, section 4.6).

    Args:
        table: what `pools` returns.
        elsewhere: for each architecture, sharpness_mean, test_loss_mean or tau of one pool that was made elsewhere.

    Returns:
        A row for every pool's kind and number: protocol, architecture, measure, rho, number; pools, mean, sd, lowest,
        highest; low and high, the interval, nan for fewer than 2 pools; elsewhere (nan where there is none) and inside.
    """
    rows = []
    for pool, several in table.groupby(POOL, dropna=False, sort=False):
        labels = dict(zip(POOL, pool, strict=True))
        for number in NUMBERS:
            values = several[number].dropna()
            other = elsewhere.get(labels["architecture"], {}).get(number, math.nan)
            rows.append({**labels, "number": number, **_expected(values), "elsewhere": other})
            inside = rows[-1]["low"] <= other <= rows[-1]["high"]
            rows[-1]["inside"] = inside if math.isfinite(other) and math.isfinite(rows[-1]["low"]) else None
    return pd.DataFrame(rows, columns=[*POOL, "number", *EXPECTED, "elsewhere", "inside"])


def _expected(values: pd.Series) -> dict[str, float]:
    k = len(values)
    reach = stats.t.ppf(0.995, k - 1) * values.std() * math.sqrt(1 + 1 / k) if k > 1 else math.nan
    found = (k, values.mean(), values.std(), values.min(), values.max(), values.mean() - reach, values.mean() + reach)
    return dict(zip(EXPECTED, found, strict=True))
