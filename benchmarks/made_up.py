"""The statistics of a study's table, on a made-up pool: python -m benchmarks.made_up MODELS.

Prints the seconds of tau_table on one thread and the peak memory in MB as JSON: one row, with 1,000 test
examples; the study has 37 rows.
"""

import json
import os
import sys
import time

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when numpy is imported

import numpy as np
import pandas as pd

from adaptive_sharpness.study.tables.models import KEYS
from adaptive_sharpness.study.tables.tau import tau_table
from benchmarks.peak import peak

EXAMPLES = 1000


def study(models: int) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Runs, estimates and test losses of a made-up pool."""
    draw = np.random.default_rng(0)
    losses = draw.normal(size=(models, EXAMPLES))
    labels = dict(zip(KEYS, ("report", "fcnn", "report_pga", 0.025, "sharpness"), strict=True))
    names = ("value", "train_loss", "accuracy", "base_loss", "max_loss")
    values = {name: draw.random(models) for name in names}
    values |= {"seed": np.arange(models), "test_loss": losses.mean(axis=1)}
    runs = pd.DataFrame({**labels, "headline": True, **values})
    estimates = runs[KEYS].drop_duplicates().assign(models=models, reliability=0.9)
    return runs, estimates, {("report", "fcnn"): pd.DataFrame(losses)}


def main(models: int) -> None:
    runs, estimates, losses = study(models)
    begun = time.perf_counter()
    tau_table(runs, {}, estimates, losses)
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak": peak()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
