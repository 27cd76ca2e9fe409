"""psi, Psi and K against mbe-eval, a package of others, on made-up tables of factorial designs.

It has no test, no interval and no null: these are held against plain loops elsewhere.
"""

import math

import pandas as pd
import pytest
from made_up_tables import KINDS, table
from mbe_eval import granulated_kendall, jiang_normalized_cmi

from adaptive_sharpness.stats import conditional_information, granulated

pytestmark = [pytest.mark.parametrize("seed", range(20, 32)), pytest.mark.parametrize("kind", KINDS)]


def frame(kind: str, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """A table with holes among its values too, and a column that says which rows are repeats of one setting."""
    mu, g, axes = table(kind, seed)
    runs = pd.DataFrame({**axes, "mu": mu, "g": g})
    if kind == "all of these":
        runs.loc[0, "mu"], runs.loc[1, "g"] = math.nan, math.inf
    return runs.assign(setting=runs.groupby(list(axes)).ngroup()), list(axes)


def test_psi_is_theirs(kind, seed):
    runs, axes = frame(kind, seed)
    overall, by_axis = granulated_kendall(runs, "mu", "g", axes, group_col="setting")
    found = granulated(runs["mu"], runs["g"], runs[axes], permutations=0)
    assert found.statistic == pytest.approx(overall, abs=1e-12)
    for theirs in by_axis.itertuples():
        ours = found.by_axis[theirs.hyperparameter]
        assert ours.statistic == pytest.approx(theirs.granulated_kendall, abs=1e-12, nan_ok=True)
        assert (ours.cells, ours.cells + ours.cells_without) == (theirs.finite_cells, theirs.eligible_cells)


def test_k_is_theirs(kind, seed):
    runs, axes = frame(kind, seed)
    overall, by_set = jiang_normalized_cmi(runs, "mu", "g", axes, group_col="setting")
    found = conditional_information(runs["mu"], runs["g"], runs[axes], permutations=1)
    assert found.statistic == pytest.approx(overall, abs=1e-12)
    names = ["none" if not given else ",".join(given) for given in found.by_set]
    theirs = by_set.set_index("conditioning")["normalized_cmi"].loc[names]
    ours = [each.statistic for each in found.by_set.values()]
    assert ours == pytest.approx(theirs.tolist(), abs=1e-12, nan_ok=True)
