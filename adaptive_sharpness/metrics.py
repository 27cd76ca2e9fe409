"""A study in few numbers, for DVC to show and to compare."""

import pandas as pd

from adaptive_sharpness import answer


def metrics(tau: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """One tau for each network and measure, chosen as `answer.headline` chooses: at the published or the middle radius.

    Args:
        tau: what `tables.tau_table` returns.

    Returns:
        A mapping from architectures to measures to tau; None where tau is unknown.
    """
    found = {name: {} for name in tau["architecture"].unique()}
    for measure, rows in tau.groupby("measure", sort=False):
        for row in answer.headline(rows).itertuples():
            found[row.architecture][measure] = None if pd.isna(row.tau) else row.tau
    return found
