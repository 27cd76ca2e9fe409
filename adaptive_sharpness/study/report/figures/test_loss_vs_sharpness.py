"""Test loss against sharpness.

Each point is a model of the pool, at the published ρ, where there is one. If sharpness foretold test loss, the points
would lie along a rising (or falling) curve, whatever its shape.
"""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.style import BLUE, STYLE, new_panels, rows_by_pool
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.answers import answering_row
from adaptive_sharpness.study.tables.models import same_rho, usable


def draw(tables: Tables) -> dict[str, Figure]:
    """Return a figure for each protocol and measure, a panel a pool.

    Args:
        tables: of the study; models that are not used are left out.

    Returns:
        Figures by folder.
    """
    headline = tables.headline()
    return {f"{protocol}/{measure}": _figure(headline, protocol, measure) for protocol, measure in tables.measures()}


def _figure(tables: Tables, protocol: str, measure: str) -> Figure:
    runs, tau = (
        table[(table["protocol"] == protocol) & (table["measure"] == measure)] for table in (tables.runs, tables.tau)
    )
    with mpl.rc_context(STYLE):
        figure, panels = new_panels(tau)
        for panel, (name, rows) in zip(panels, rows_by_pool(tau), strict=True):
            row = answering_row(rows)
            models = usable(runs[(runs["pool"] == name) & same_rho(runs["rho"], row["rho"])])
            panel.plot(models["value"], models["test_loss"], "o", ms=4, mfc=BLUE, mec="white", mew=0.5, alpha=0.85)
            radius = f", ρ = {row['rho']:g}" if np.isfinite(row["rho"]) else ""
            panel.set(title=f"{name}{radius}, n = {row['n']}\n{_tau(row)}", xlabel=row["quantity"], ylabel="test loss")
            panel.ticklabel_format(axis="x", style="plain")
            panel.locator_params(axis="x", nbins=4)
    return figure


def _tau(row: pd.Series) -> str:
    if np.isnan(row["tau"]):
        return "no τ: too few models, or all alike"
    return f"τ = {row['tau']:+.3f}, p = ".replace("-", "\N{MINUS SIGN}") + _p(row["p_value"])


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"
