"""axes.csv: tau where one hyper-parameter alone varies."""

from collections.abc import Iterator

from adaptive_sharpness.stats import granulated
from adaptive_sharpness.tables_of_runs.comparisons import ALL_AXES, Comparison

COLUMNS = (
    *("measure", "target", "axis", "psi", "psi_low", "psi_high", "p", "cells", "cells_without", "settings", "draws"),
    "reason",
)


def rows(each: Comparison, draws: int, seed: int) -> Iterator[dict]:
    """Return Psi and psi of each hyper-parameter.

    Args:
        each: a comparison.
        draws: exchanges at most.
        seed: of the exchanges.

    Returns:
        Rows of axes.csv.

    Example:
        >>> import pandas as pd
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> from adaptive_sharpness.tables_of_runs.columns import Question
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0, 4.0], "loss": [1.0, 2.0, 4.0, 3.0]})
        >>> table = table.assign(lr=[0.1, 0.1, 0.2, 0.2], wd=[0.0, 0.1, 0.0, 0.1])
        >>> found, = comparisons(table, Question(("sharpness",), ("loss",), vary=("lr", "wd")))
        >>> [(row["axis"], row["psi"]) for row in rows(found, 9, 0)]
        [('all', 0.5), ('lr', 1.0), ('wd', 0.0)]
    """
    if each.without_pairs:
        yield {"axis": ALL_AXES, "reason": each.without_pairs}
        return
    draws = each.fitting(draws)
    found = granulated(each.mu, each.g, each.axes, clusters=each.named_clusters, seed=seed, permutations=draws)
    for axis, one in {ALL_AXES: found, **found.by_axis}.items():
        low, high = one.confidence_interval()
        cells = [part for name, part in found.by_axis.items() if axis in (name, ALL_AXES)]
        yield {
            **{"axis": axis, "psi": one.statistic, "psi_low": low, "psi_high": high, "p": one.pvalue},
            **{"cells": sum(part.cells for part in cells), "cells_without": sum(part.cells_without for part in cells)},
            **{"settings": found.n, "draws": draws, "reason": one.reason},
        }
