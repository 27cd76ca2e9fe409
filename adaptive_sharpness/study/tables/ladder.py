"""From one protocol to another, one difference at a time: tau on every rung, and how sure each change of it is."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from adaptive_sharpness.stats.kendall import kendall
from adaptive_sharpness.stats.randomness import stream
from adaptive_sharpness.stats.resampling import tau_of_resamples
from adaptive_sharpness.stats.samples import missing_reason
from adaptive_sharpness.study.tables.models import same_rho, usable

RESAMPLES = 9999


def ladder_table(runs: pd.DataFrame, rungs: Mapping[str, Iterable[Mapping]], *, seed: int = 0) -> pd.DataFrame:
    """Return a row for every rung.

    delta_tau is tau less that of the rung before, with a 95 % interval by percentiles of the bootstrap over models
    (Efron & Tibshirani 1993, section 13.3). Rungs of one protocol measure the same models, which are resampled together
    (paired: what both share cancels), on those that both rungs use; models of different protocols are resampled apart.
    Where either rung has no tau on these models there is no change; a resample without a tau counts as 0, as in tau's
    own interval.

    Args:
        runs: what `runs_table` returns; the headline quantity of each measure counts.
        rungs: for each pool, in order, {switch, describes, protocol, measure, rho}; rho may lack.
        seed: of the resampling.

    Returns:
        pool, rung (from 0), switch, describes, protocol, measure, rho, n (models used), tau, tau_low, tau_high,
        delta_tau, delta_low, delta_high, same_pool (as the rung before), sharpness_mean, test_loss_mean.

    Raises:
        ValueError: if the table holds no model of a rung.

    Example:
        >>> runs = pd.DataFrame({"seed": [0, 1, 2] * 2, "value": [1, 2, 3, 3, 2, 1], "test_loss": [1, 2, 3] * 2})
        >>> runs = runs.assign(measure=["pga"] * 3 + ["apgd"] * 3, protocol="report", pool="gat", rho=0.1)
        >>> rungs = [{"protocol": "report", "measure": measure, "rho": 0.1} for measure in ("pga", "apgd")]
        >>> table = ladder_table(runs.assign(headline=True, train_loss=1.0), {"gat": rungs})
        >>> table["tau"].tolist(), table["delta_tau"].tolist()
        ([1.0, -1.0], [nan, -2.0])
    """
    rows = []
    for pool, steps in rungs.items():
        before, protocol = None, None
        for number, rung in enumerate(steps):
            models = _models(runs, pool, rung)
            rows.append({"pool": pool, "rung": number, **rung, "rho": rung.get("rho", np.nan)})
            rows[-1] |= _tau(models) | _delta(before, models, rung["protocol"] == protocol, seed)
            before, protocol = models, rung["protocol"]
    return pd.DataFrame(rows)


def _models(runs: pd.DataFrame, pool: str, rung: Mapping[str, Any]) -> pd.DataFrame:
    """The models of a rung that count in its tau, by seed."""
    there = same_rho(runs["rho"], rung.get("rho")) & runs["headline"]
    wanted = {"protocol": rung["protocol"], "pool": pool, "measure": rung["measure"]}
    for column, value in wanted.items():
        there &= runs[column] == value
    if not there.any():
        raise ValueError(f"ladder: got no model of {', '.join(wanted.values())} at rho {rung.get('rho')}, wanted some")
    return usable(runs[there]).set_index("seed")[["value", "test_loss"]].sort_index()


def _tau(models: pd.DataFrame) -> dict:
    tau = kendall(models["value"].to_numpy(), models["test_loss"].to_numpy())
    low, high = tau.confidence_interval()
    means = {"sharpness_mean": models["value"].mean(), "test_loss_mean": models["test_loss"].mean()}
    return {"n": tau.n, "tau": tau.statistic, "tau_low": low, "tau_high": high, **means}


def _delta(before: pd.DataFrame | None, now: pd.DataFrame, same: bool, seed: int) -> dict:
    none = {"delta_tau": np.nan, "delta_low": np.nan, "delta_high": np.nan, "same_pool": same}
    if before is None:
        return none
    if same:
        shared = before.index.intersection(now.index)
        before, now = before.loc[shared], now.loc[shared]
    if any(missing_reason(x=models["value"], y=models["test_loss"]) for models in (before, now)):
        return none
    draw = stream(seed, "ladder")
    old, new = (
        tau_of_resamples(models["value"].to_numpy(), models["test_loss"].to_numpy()) for models in (before, now)
    )
    positions = draw.integers(len(before), size=(RESAMPLES, len(before)))
    others = positions if same else draw.integers(len(now), size=(RESAMPLES, len(now)))
    low, high = np.quantile(new(others) - old(positions), [0.025, 0.975])
    delta = new(np.arange(len(now))) - old(np.arange(len(before)))
    return {"delta_tau": float(delta), "delta_low": float(low), "delta_high": float(high), "same_pool": same}
