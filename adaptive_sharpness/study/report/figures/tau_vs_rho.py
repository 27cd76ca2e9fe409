"""Tau against the radius.

Bars: 95 % interval. A bar that crosses the grey line leaves the sign open. Values at neighbouring ρ come from the
same models and are not independent evidence.
"""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.style import (
    BLUE,
    GREY,
    ORANGE,
    STYLE,
    finish,
    new_panels,
    rows_by_pool,
    show_radii,
)
from adaptive_sharpness.study.report.tables import Tables


def draw(tables: Tables) -> dict[str, Figure]:
    """Return a figure for each protocol and measure with a ball, a panel a pool; none of a study with a ladder.

    Args:
        tables: of the study.

    Returns:
        Figures by folder.
    """
    if tables.ladder is not None:
        return {}
    in_balls = tables.tau[tables.tau["headline"] & tables.tau["rho"].notna()]
    groups = in_balls.groupby(["protocol", "measure"], sort=False)
    return {f"{protocol}/{measure}": _figure(rows) for (protocol, measure), rows in groups}


def _figure(tau: pd.DataFrame) -> Figure:
    with mpl.rc_context(STYLE):
        figure, panels = new_panels(tau, sharey=True)
        for panel, (name, rows) in zip(panels, rows_by_pool(tau), strict=True):
            panel.axhline(0, color=GREY, lw=0.8)
            panel.plot(rows["rho"], rows["tau"], "o-", ms=4, lw=1, color=BLUE, label="ours")
            panel.vlines(rows["rho"], rows["tau_low"], rows["tau_high"], color=BLUE, lw=1)
            if rows["published_tau"].notna().any():
                panel.plot(rows["rho"], rows["published_tau"], "D", ms=5, color=ORANGE, label="published")
            show_radii(panel, f"{name}, n = {rows['n'].max()}", rows["rho"])
        finish(figure, panels, "τ, with 95 % interval")
    return figure
