"""Test loss against sharpness.

Each point is a model of the pool, at the published ρ, where there is one. If sharpness foretold test loss, the points
would lie along a rising (or falling) curve, whatever its shape. Of a pool that varies each colour and shape is a
setting; of one with many settings, a level of the axis that tells most of test loss.
"""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_sharpness.study.config.levels import levels_of, natural_order
from adaptive_sharpness.study.report.style import STYLE, level_styles, new_panels, rows_by_pool
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.answers import answering_row
from adaptive_sharpness.study.tables.models import same_rho, usable

MOST_SETTINGS = 7  # that a legend has room for


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
            _points(panel, models)
            radius = f", ρ = {row['rho']:g}" if np.isfinite(row["rho"]) else ""
            panel.set(title=f"{name}{radius}, n = {row['n']}\n{_tau(row)}", xlabel=row["quantity"], ylabel="test loss")
            panel.ticklabel_format(axis="x", style="plain")
            panel.locator_params(axis="x", nbins=4)
    return figure


def _points(panel: Axes, models: pd.DataFrame) -> None:
    """The models; where there are several settings, each has a colour and a shape of its own, and there is a legend."""
    title, levels = _levels(models)
    names = sorted(levels.unique(), key=natural_order)
    for name, (color, marker) in zip(names, level_styles(len(names)), strict=True):
        some = models[levels == name]
        look = {"marker": marker, "ms": 4, "mfc": color, "mec": "white", "mew": 0.5, "alpha": 0.85, "ls": "none"}
        panel.plot(some["value"], some["test_loss"], label=name, **look)
    if len(names) > 1:
        panel.legend(title=title, fontsize=6, title_fontsize=6, handletextpad=0.1, borderpad=0.2)


def _levels(models: pd.DataFrame) -> tuple[str, pd.Series]:
    """What tells models apart, and the level of each: the setting, or of many settings one axis."""
    settings = models["setting"] if "setting" in models else pd.Series("", models.index)
    if settings.nunique() <= MOST_SETTINGS:
        return "setting", settings
    axes = pd.DataFrame([levels_of(setting) for setting in settings], index=models.index)
    between = {name: models.groupby(axes[name])["test_loss"].transform("mean").var() for name in axes}
    title = max(sorted(between), key=between.get)
    return title, axes[title]


def _tau(row: pd.Series) -> str:
    if np.isnan(row["tau"]):
        return "no τ: too few models, or all alike"
    return f"τ = {row['tau']:+.3f}, p = ".replace("-", "\N{MINUS SIGN}") + _p(row["p_value"])


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"
