"""Is there an association, once it is said how many were looked for?"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from adaptive_sharpness.correlation import finite, reason, usable
from adaptive_sharpness.permutation import no_association


def significance(pools: Mapping[tuple, pd.DataFrame], *, seed: int = 0, permutations: int = 9999) -> pd.DataFrame:
    """Permutation p of Kendall's tau between sharpness and test loss, alone, over the table and over a grid of radii.

    Args:
        pools: by (protocol, architecture, measure, rho), a row a model with seed, sharpness, test_loss and train_loss.
        seed: of the permutations.
        permutations: how many.

    Returns:
        In the order of the pools permutation_p; p_holm, the same after Holm's correction (1979, statsmodels) over all
        pools that have one; p_max_t, adjusted over the radii of this pool's grid that have a tau, on the models that
        are usable at all of them. nan where there is no tau.
    """
    grids: dict[tuple, list] = {}
    for pool in pools:
        grids.setdefault(pool[:3], []).append(pool)
    found = {}
    for grid in grids.values():
        found.update(_of_grid({pool: pools[pool] for pool in grid}, seed, permutations))
    table = pd.DataFrame([found[pool] for pool in pools], columns=["permutation_p", "p_max_t"], dtype=float)
    table.insert(1, "p_holm", holm(table["permutation_p"].to_numpy()))
    return table


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction of those p that are not nan.

    Args:
        p: of each test, [tests].

    Returns:
        Adjusted p, [tests].
    """
    known = ~np.isnan(p)
    adjusted = np.full(len(p), math.nan)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted


def _of_grid(pools: Mapping[tuple, pd.DataFrame], seed: int, permutations: int) -> dict[tuple, tuple[float, float]]:
    """p and p adjusted over the grid, by pool."""
    options = {"seed": seed, "permutations": permutations}
    found = dict.fromkeys(pools, (math.nan, math.nan))
    used = {pool: usable(rows) for pool, rows in pools.items()}
    used = {pool: rows for pool, rows in used.items() if not reason(x=rows["sharpness"], y=rows["test_loss"])}
    if not used:
        return found
    shared = _shared(list(used.values()))
    alone, adjusted = no_association(shared[:-1], shared[-1], **options)
    for place, (pool, rows) in enumerate(used.items()):
        # A model that another radius lacks still counts here.
        x, y = rows["sharpness"].to_numpy()[None], rows["test_loss"].to_numpy()
        p = alone[place] if len(rows) == shared.shape[1] else no_association(x, y, **options)[0][0]
        found[pool] = (p, adjusted[place])
    return found


def _shared(pools: list[pd.DataFrame]) -> np.ndarray:
    """Sharpness of each pool and then test loss, of the models that are usable in all, [pools + 1, models]."""
    by_seed = [rows.set_index("seed") for rows in pools]
    return finite(*pd.concat([*(rows["sharpness"] for rows in by_seed), by_seed[0]["test_loss"]], axis=1).to_numpy().T)
