"""From the released code to the text, a switch at a time.

Read from top to bottom: each rung keeps the switches of the rungs above and turns one more. The line is the published
τ. A filled square marks a change from the rung before whose 95 % interval excludes 0.
"""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.style import BLUE, GREY, ORANGE, STYLE, add_legend
from adaptive_sharpness.study.report.tables import Tables


def draw(tables: Tables) -> dict[str, Figure]:
    """Return tau with its 95 % interval on each rung, a panel a pool, rungs from top to bottom.

    Args:
        tables: of the study; without a ladder there is nothing to draw.

    Returns:
        One figure of the whole study, or none.
    """
    if tables.ladder is None or tables.ladder.empty:
        return {}
    known = tables.tau[tables.tau["published_tau"].notna()]
    published = dict(zip(known["pool"], known["published_tau"], strict=True))
    return {"": _figure(tables.ladder, published)}


def _figure(table: pd.DataFrame, published: dict[str, float]) -> Figure:
    pools = list(table.groupby("pool", sort=False))
    heights = [max(len(rungs), 2) for _, rungs in pools]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.9 + sum(0.35 + 0.24 * height for height in heights)), layout="constrained")
        panels = figure.subplots(len(pools), squeeze=False, sharex=True, height_ratios=heights)[:, 0]
        for panel, (name, rungs) in zip(panels, pools, strict=True):
            _rungs(panel, rungs.sort_values("rung"), published.get(name))
            panel.set_title(name, loc="left")
        panels[-1].set_xlabel("τ, with 95 % interval")
        add_legend(figure, panels)
    return figure


def _rungs(panel: Axes, rungs: pd.DataFrame, published: float | None) -> None:
    at = np.arange(len(rungs))
    changed = ((rungs["delta_low"] > 0) | (rungs["delta_high"] < 0)).to_numpy()
    panel.axvline(0, color=GREY, lw=0.8)
    if published is not None:
        panel.axvline(published, color=ORANGE, ls="--", lw=1.2, label="published")
    panel.hlines(at, rungs["tau_low"], rungs["tau_high"], color=BLUE, lw=1)
    for marked, marker, fill, label in ((False, "o", "white", "τ"), (True, "s", BLUE, "τ, changed by its switch")):
        tau = rungs["tau"].where(changed == marked)
        panel.plot(tau, at, marker, ms=5, mfc=fill, mec=BLUE, label=label)
    panel.set_yticks(at, rungs["switch"])
    panel.set_ylim(len(rungs) - 0.5, -0.5)
