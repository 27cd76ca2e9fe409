"""How near each measure comes to the best value found.

Sharpness by each measure, as a share of the best value found on the same batches: solid the mean over models, dotted
the lowest model. Below 1, the search stopped short of the worst case.
"""

from itertools import cycle

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.style import (
    COLORS,
    GREY,
    MARKERS,
    STYLE,
    finish,
    new_panels,
    rows_by_pool,
    show_radii,
)
from adaptive_sharpness.study.report.tables import Tables


def draw(tables: Tables) -> dict[str, Figure]:
    """Return a figure for each protocol of which two measures seek the maximum over one ball, a panel a pool.

    Args:
        tables: of the study.

    Returns:
        Figures by folder.
    """
    # Not by the share: a network of which no model can be used keeps its panel.
    compared = tables.estimates[tables.estimates["compared_with"].notna()]
    return {protocol: _figure(rows) for protocol, rows in compared.groupby("protocol", sort=False)}


def _figure(compared: pd.DataFrame) -> Figure:
    looks = cycle(zip(COLORS, MARKERS, strict=True))
    measures = dict(zip(compared["measure"].unique(), looks, strict=False))  # the same in every panel
    with mpl.rc_context(STYLE):
        figure, panels = new_panels(compared, sharey=True)
        for panel, (name, rows) in zip(panels, rows_by_pool(compared), strict=True):
            panel.axhline(1, color=GREY, lw=0.8)
            for measure, each in rows.groupby("measure", sort=False):
                color, marker = measures[measure]
                style = {"marker": marker, "color": color, "ms": 4, "lw": 1}
                panel.plot(each["rho"], each["share_of_best"], "-", label=measure, **style)
                panel.plot(each["rho"], each["worst_share"], ":", mfc="white", **style)
            show_radii(panel, f"{name}, n = {rows['models'].max()}", rows["rho"].drop_duplicates())
        finish(figure, panels, "share of the best value found")
    return figure
