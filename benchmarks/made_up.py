"""The statistics of a study's table, on made-up pools: python -m benchmarks.made_up MODELS RADII.

Prints the seconds of tables.tau_table on one thread and the peak memory in MB as JSON: 3 rows a radius, with 1,000 test
examples a network; the study has 35 rows.
"""

import json
import os
import sys
import time
from itertools import product

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is imported

import numpy as np
import pandas as pd

from adaptive_sharpness.tables import POOL, tau_table
from benchmarks.peak import peak

EXAMPLES = 1000


def study(models: int, radii: int) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Runs, estimates and test losses of made-up pools."""
    draw = np.random.default_rng(0)
    losses = {name: draw.normal(size=(models, EXAMPLES)) for name in ("fcnn", "lenet5", "gat")}
    names = ("sharpness", "train_loss", "accuracy", "base_loss", "max_loss")
    pools = []
    for architecture, rho in product(losses, range(1, radii + 1)):
        labels = dict(zip(POOL, ("report", architecture, "report_pga", float(rho)), strict=True))
        values = {name: draw.random(models) for name in names}
        values |= {"seed": np.arange(models), "test_loss": losses[architecture].mean(axis=1)}
        pools.append(pd.DataFrame({**labels, **values}))
    runs = pd.concat(pools, ignore_index=True)
    estimates = runs[POOL].drop_duplicates().assign(models=models, reliability=0.9)
    return runs, estimates, {("report", name): pd.DataFrame(each) for name, each in losses.items()}


def main(models: int, radii: int) -> None:
    runs, estimates, losses = study(models, radii)
    begun = time.perf_counter()
    tau_table(runs, {}, estimates, losses)
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak": peak()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
