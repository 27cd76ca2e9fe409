"""How strong a tau could be seen at all.

Points: |τ| with its 95 % interval. The dashes are the noise ceiling, the τ that a perfect predictor would reach given
how reliably sharpness and test loss are known; the dotted line is the smallest |τ| that a pool of this size detects
with 80 % power. Where even the ceiling lies below the dotted line, no τ could have been seen.
"""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.style import BLUE, GREY, ORANGE, STYLE, add_legend, label_lines
from adaptive_sharpness.study.report.tables import Tables


def draw(tables: Tables) -> dict[str, Figure]:
    """Return a figure for each protocol: a line a measure, a column a pool.

    Args:
        tables: of the study; noise_ceiling and smallest_detectable_tau are drawn where tau has them.

    Returns:
        Figures by folder.
    """
    headline = tables.tau[tables.tau["headline"]]
    return {protocol: _figure(rows) for protocol, rows in headline.groupby("protocol", sort=False)}


def _figure(tau: pd.DataFrame) -> Figure:
    names, measures = tau["pool"].drop_duplicates(), tau["measure"].drop_duplicates()
    lines, columns = len(measures), len(names)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * columns, 0.5 + 1.9 * lines), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
        panels = []
        for line, measure in zip(grid, measures, strict=True):
            for panel, name in zip(line, names, strict=True):
                rows = tau[(tau["pool"] == name) & (tau["measure"] == measure)].sort_values("rho")
                panel.set_visible(len(rows) > 0)
                if len(rows):
                    _strength(panel, rows)
                    panel.set_title(f"{name}, {measure}")
                    panels.append(panel)
        label_lines(panels, "|τ|")
        add_legend(figure, panels)
    return figure


def _strength(panel: Axes, rows: pd.DataFrame) -> None:
    """Radii stand side by side, so that a measure without one has its place too."""
    at, sign = np.arange(len(rows)), np.where(rows["tau"] < 0, -1, 1)
    ends = np.sort(np.stack([sign * rows["tau_low"], sign * rows["tau_high"]]), axis=0)
    panel.axhline(0, color=GREY, lw=0.8)
    panel.vlines(at, *ends, color=BLUE, lw=1)
    panel.plot(at, rows["tau"].abs(), "o", ms=4, color=BLUE, label="|τ|, with 95 % interval")
    if "noise_ceiling" in rows:
        panel.plot(at, rows["noise_ceiling"], "_", ms=14, mew=1.5, color=ORANGE, label="noise ceiling")
    if "smallest_detectable_tau" in rows:
        panel.hlines(
            rows["smallest_detectable_tau"], at - 0.5, at + 0.5, color="black", ls=":", lw=1, label="detectable"
        )
    panel.set_xticks(at, ["" if np.isnan(rho) else f"{rho:g}" for rho in rows["rho"]], rotation=45)
    panel.set_xlim(-0.5, len(rows) - 0.5)
    if rows["rho"].notna().any():
        panel.set_xlabel("ρ")
