"""Is there an association, once it is said how many were looked for?"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.stats.permutation import max_t
from adaptive_sharpness.stats.samples import finite, missing_reason
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column(
        "permutation_p",
        "p of τ by permutation of the models; of a pool that varies by exchange of whole settings.",
        "Phipson & Smyth 2010",
    ),
    Column(
        "p_holm",
        "Permutation p after Holm's correction over all headline quantities of the table, or over all others.",
        "Holm 1979",
        heading="p, Holm",
        form="{p_holm:.2g}",
    ),
    Column(
        "p_max_t",
        "p of the largest |τ| over the radii of a measure on a pool; none of a pool that varies.",
        "Westfall & Young 1993",
        heading="p, max-T",
        form="{p_max_t:.2g}",
    ),
)


def permutation(comparisons: Sequence[Comparison], *, seed: int = 0, permutations: int = 9999) -> list[dict]:
    """Return permutation p of each tau, alone, over the table and over a grid of radii.

    Args:
        comparisons: one for each row.
        seed: of the permutations.
        permutations: how many.

    Returns:
        For each permutation_p; p_holm, the same after Holm's correction over all rows that have one, of headline
        quantities and of others apart; p_max_t, adjusted over the radii of this row's measure, pool and quantity that
        have a tau, on the models that are usable at all of them. nan where there is no tau.

    Example:
        >>> models = pd.DataFrame({"seed": range(8), "value": range(8), "test_loss": range(8), "train_loss": 1.0})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> permutation([pool], permutations=99)[0]["permutation_p"].item()  # no other order has a tau of 1
        0.01
    """
    grids: dict[tuple, list[int]] = {}
    for position, each in enumerate(comparisons):
        grids.setdefault((each.protocol, each.pool, each.measure, each.quantity), []).append(position)
    found = np.full((len(comparisons), 2), math.nan)
    for positions in grids.values():
        found[positions] = _of_grid([comparisons[position] for position in positions], seed, permutations)
    corrected, headline = np.full(len(comparisons), math.nan), np.array([each.headline for each in comparisons], bool)
    for family in (headline, ~headline):
        corrected[family] = holm(found[family, 0])
    names = [column.name for column in COLUMNS]
    return [
        dict(zip(names, (p, p_holm, p_max_t), strict=True))
        for (p, p_max_t), p_holm in zip(found, corrected, strict=True)
    ]


def _of_grid(grid: Sequence[Comparison], seed: int, permutations: int) -> list[tuple[float, float]]:
    """p and p adjusted over the grid, of each radius."""
    if any(each.settings is not None for each in grid):
        return [(math.nan if each.tau.pvalue is None else each.tau.pvalue, math.nan) for each in grid]
    options = {"seed": seed, "permutations": permutations}
    found = [(math.nan, math.nan)] * len(grid)
    known = [at for at, each in enumerate(grid) if not missing_reason(x=each.value, y=each.test_loss)]
    if not known:
        return found
    shared = _shared_models([grid[at].used for at in known])
    together = max_t(shared[:-1], shared[-1], **options)
    for place, at in enumerate(known):
        each = grid[at]
        # A model that another radius lacks still counts here.
        whole = len(each.used) == shared.shape[1]
        p = (
            together.single_pvalue[place]
            if whole
            else max_t(each.value[None], each.test_loss, **options).single_pvalue[0]
        )
        found[at] = (p, together.pvalue[place])
    return found


def _shared_models(tables: list[pd.DataFrame]) -> np.ndarray:
    """The value at each radius and then test loss, of the models that are usable at all, [radii + 1, models]."""
    by_seed = [rows.set_index("seed") for rows in tables]
    columns = [*(rows["value"] for rows in by_seed), by_seed[0]["test_loss"]]
    return finite(*pd.concat(columns, axis=1).to_numpy().T)
