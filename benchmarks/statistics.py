"""How long the statistics of the study's table take: python benchmarks/statistics.py.

Prints, for pools of 50 and of 500 made-up models, the seconds of tables.tau_table on one thread: 35 rows, as in the
study, with 1,000 test examples a network.
"""

import os
import time

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is imported

import numpy as np
import pandas as pd

from adaptive_sharpness.tables import POOL, tau_table

GRIDS = {("fcnn", "a"): 5, ("fcnn", "b"): 5, ("fcnn", "c"): 5, ("lenet5", "a"): 5, ("lenet5", "b"): 5, ("gat", "a"): 10}
EXAMPLES = 1000


def study(models: int) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Runs, estimates and test losses of made-up pools."""
    draw = np.random.default_rng(0)
    losses = {name: draw.normal(size=(models, EXAMPLES)) for name in ("fcnn", "lenet5", "gat")}
    names = ("sharpness", "train_loss", "accuracy", "base_loss", "max_loss")
    pools = []
    for (architecture, measure), radii in GRIDS.items():
        for rho in range(1, radii + 1):
            labels = dict(zip(POOL, ("report", architecture, measure, float(rho)), strict=True))
            values = {name: draw.random(models) for name in names}
            values |= {"seed": np.arange(models), "test_loss": losses[architecture].mean(axis=1)}
            pools.append(pd.DataFrame({**labels, **values}))
    runs = pd.concat(pools, ignore_index=True)
    estimates = runs[POOL].drop_duplicates().assign(reliability=0.9)
    return runs, estimates, {("report", name): pd.DataFrame(each) for name, each in losses.items()}


def main() -> None:
    for models in (50, 500):
        runs, estimates, losses = study(models)
        begun = time.perf_counter()
        rows = tau_table(runs, {}, estimates, losses)
        print(f"{len(rows)} rows of {models} models: {time.perf_counter() - begun:.1f} s")


main()
