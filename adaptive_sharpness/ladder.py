"""From one protocol to another, one difference at a time: tau on every rung, and how sure each change of it is."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from adaptive_sharpness.correlation import kendall, reason, usable
from adaptive_sharpness.resampling import tau_of_resamples
from adaptive_sharpness.streams import stream
from adaptive_sharpness.tables import radius

RESAMPLES = 9999


def ladder(table: pd.DataFrame, rungs: Mapping[str, Iterable[Mapping]], *, seed: int = 0) -> pd.DataFrame:
    """A row for every rung.

    delta_tau is tau less that of the rung before, with a 95 % interval by percentiles of the bootstrap over models
    (Efron & Tibshirani 1993, section 13.3). Rungs of one protocol measure the same models, which are resampled together
    (paired: what both share cancels), on those that both rungs use; models of different protocols are resampled apart.
    Where either rung has no tau on these models there is no change; a resample without a tau counts as 0, as in tau's
    own interval.

    Args:
        table: what `tables.runs` returns.
        rungs: for each architecture, in order, {switch, describes, protocol, measure, rho}.
        seed: of the resampling.

    Returns:
        architecture, rung (from 0), switch, describes, protocol, measure, rho, n (models used), tau, tau_low, tau_high,
        delta_tau, delta_low, delta_high, same_pool (as the rung before), sharpness_mean, test_loss_mean.

    Raises:
        ValueError: if the table holds no model of a rung.
    """
    rows = []
    for architecture, steps in rungs.items():
        before, protocol = None, None
        for number, rung in enumerate(steps):
            pool = _pool(table, architecture, rung)
            rows.append({"architecture": architecture, "rung": number, **rung, "rho": radius(rung["rho"])})
            rows[-1] |= _tau(pool) | _delta(before, pool, rung["protocol"] == protocol, seed)
            before, protocol = pool, rung["protocol"]
    return pd.DataFrame(rows)


def _pool(table: pd.DataFrame, architecture: str, rung: Mapping) -> pd.DataFrame:
    """The models of a rung that count in its tau, by seed."""
    rho = radius(rung["rho"])
    there = (table["rho"] == rho) | (table["rho"].isna() & np.isnan(rho))
    wanted = {"protocol": rung["protocol"], "architecture": architecture, "measure": rung["measure"]}
    for column, value in wanted.items():
        there &= table[column] == value
    if not there.any():
        raise ValueError(f"ladder: got no model of {', '.join(wanted.values())} at rho {rung['rho']}, wanted some")
    return usable(table[there]).set_index("seed")[["sharpness", "test_loss"]].sort_index()


def _tau(pool: pd.DataFrame) -> dict:
    tau = kendall(pool["sharpness"].to_numpy(), pool["test_loss"].to_numpy())
    means = {"sharpness_mean": pool["sharpness"].mean(), "test_loss_mean": pool["test_loss"].mean()}
    return {"n": tau.n, "tau": tau.tau, "tau_low": tau.low, "tau_high": tau.high, **means}


def _delta(before: pd.DataFrame | None, now: pd.DataFrame, same: bool, seed: int) -> dict:
    none = {"delta_tau": np.nan, "delta_low": np.nan, "delta_high": np.nan, "same_pool": same}
    if before is None:
        return none
    if same:
        shared = before.index.intersection(now.index)
        before, now = before.loc[shared], now.loc[shared]
    if any(reason(x=pool["sharpness"], y=pool["test_loss"]) for pool in (before, now)):
        return none
    draw = stream(seed, "ladder")
    old, new = (tau_of_resamples(pool["sharpness"].to_numpy(), pool["test_loss"].to_numpy()) for pool in (before, now))
    positions = draw.integers(len(before), size=(RESAMPLES, len(before)))
    others = positions if same else draw.integers(len(now), size=(RESAMPLES, len(now)))
    low, high = np.quantile(new(others) - old(positions), [0.025, 0.975])
    delta = new(np.arange(len(now))) - old(np.arange(len(before)))
    return {"delta_tau": float(delta), "delta_low": float(low), "delta_high": float(high), "same_pool": same}
