"""The study's figures, as Matplotlib draws them: one palette, fit to print, the same bytes every time."""

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe & Ito 2008, distinct to colour-blind readers
COLORS = (ORANGE, BLUE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")  # theirs too
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "adaptive-sharpness",
}


def pools(table: pd.DataFrame, protocol: str, measure: str) -> pd.DataFrame:
    """The rows of one protocol and measure."""
    return table[(table["protocol"] == protocol) & (table["measure"] == measure)]


def save(figure: Figure, png: str, svg: str) -> None:
    """Write a figure as PNG and as SVG, without the date that would make two runs differ."""
    with mpl.rc_context(STYLE):
        figure.savefig(png)
        figure.savefig(svg, metadata={"Date": None})


def scatter(runs: pd.DataFrame, tau: pd.DataFrame) -> Figure:
    """Test loss against sharpness, a panel an architecture, at the published rho or else at the middle of the grid.

    Args:
        runs: rows of `tables.runs`, of one protocol and measure.
        tau: the same of `tables.tau_table`.

    Returns:
        The report's Figure 1.
    """
    with mpl.rc_context(STYLE):
        figure, panels = _panels(tau)
        for panel, (name, rows) in zip(panels, _by_architecture(tau), strict=True):
            row = _shown(rows)
            models = runs[(runs["architecture"] == name) & _same(runs["rho"], row["rho"])]
            panel.plot(models["sharpness"], models["test_loss"], "o", ms=4, mfc=BLUE, mec="white", mew=0.5, alpha=0.85)
            radius = f", ρ = {row['rho']:g}" if np.isfinite(row["rho"]) else ""
            title = f"{name}{radius}, n = {row['n']}\n{_tau(row)}"
            panel.set(title=title, xlabel="sharpness", ylabel="test loss")
            panel.ticklabel_format(axis="x", style="plain")
            panel.locator_params(axis="x", nbins=4)
    return figure


def tau_against_rho(tau: pd.DataFrame) -> Figure:
    """Tau against rho with its 95 % interval, a panel an architecture; the published value beside it.

    Args:
        tau: rows of `tables.tau_table`, of one protocol and measure; those without a rho are left out.

    Returns:
        The figure.
    """
    tau = tau[tau["rho"].notna()]
    with mpl.rc_context(STYLE):
        figure, panels = _panels(tau, sharey=True)
        for panel, (name, rows) in zip(panels, _by_architecture(tau), strict=True):
            panel.axhline(0, color=GREY, lw=0.8)
            panel.plot(rows["rho"], rows["tau"], "o-", ms=4, lw=1, color=BLUE, label="ours")
            panel.vlines(rows["rho"], rows["tau_low"], rows["tau_high"], color=BLUE, lw=1)
            if rows["published_tau"].notna().any():
                panel.plot(rows["rho"], rows["published_tau"], "D", ms=5, color=ORANGE, label="published")
            _radii(panel, f"{name}, n = {rows['n'].max()}", rows["rho"])
        _finish(figure, panels, "τ, with 95 % interval")
    return figure


def share_of_best(estimates: pd.DataFrame) -> Figure:
    """What each measure finds as a share of the best value found, against rho, a panel an architecture.

    Args:
        estimates: rows of `estimates.estimates`, of one protocol.

    Returns:
        The figure: how far from the worst case a measure stops, in the mean over models and for the lowest model.
    """
    compared = estimates[estimates["share_of_best"].notna()]
    with mpl.rc_context(STYLE):
        figure, panels = _panels(compared, sharey=True)
        for panel, (name, rows) in zip(panels, _by_architecture(compared), strict=True):
            panel.axhline(1, color=GREY, lw=0.8)
            for color, (measure, each) in zip(COLORS, rows.groupby("measure", sort=False), strict=False):
                panel.plot(each["rho"], each["share_of_best"], "o-", ms=4, lw=1, color=color, label=measure)
                panel.plot(each["rho"], each["worst_share"], ":", lw=1, color=color)
            _radii(panel, f"{name}, n = {rows['models'].max()}", rows["rho"].drop_duplicates())
        _finish(figure, panels, "share of the best value found")
    return figure


def _radii(panel: Axes, title: str, radii: pd.Series) -> None:
    panel.set(title=title, xlabel="ρ", xscale="log")
    panel.set_xticks(radii, [f"{rho:g}" for rho in radii], rotation=45)
    panel.minorticks_off()


def _finish(figure: Figure, panels: list[Axes], ylabel: str) -> None:
    """A label on the first panel of every line, and one legend."""
    for panel in panels:
        if panel.get_subplotspec().is_first_col():
            panel.set_ylabel(ylabel)
    named = {label: line for panel in panels for line, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named, loc="outside lower center", ncols=4)


def _same(radii: pd.Series, rho: float) -> pd.Series:
    return radii == rho if np.isfinite(rho) else radii.isna()


def _panels(tau: pd.DataFrame, **options) -> tuple[Figure, list[Axes]]:
    names = tau["architecture"].nunique()
    columns = min(names, 3)
    lines = math.ceil(names / columns)
    # Not through pyplot, which would keep every figure open and ask for a screen.
    figure = Figure(figsize=(2.4 * columns, 2.6 * lines), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False, **options).flat)
    for spare in axes[names:]:
        spare.set_visible(False)
    return figure, axes[:names]


def _by_architecture(tau: pd.DataFrame):
    """In the order of the table, which is config's; rows by rho."""
    return ((name, rows.sort_values("rho")) for name, rows in tau.groupby("architecture", sort=False))


def _shown(rows: pd.DataFrame) -> pd.Series:
    published = rows[rows["published_tau"].notna()]
    return published.iloc[0] if len(published) else rows.iloc[len(rows) // 2]


def _tau(row: pd.Series) -> str:
    if np.isnan(row["tau"]):
        return "no τ: too few models, or all alike"
    return f"τ = {row['tau']:+.3f}, p = ".replace("-", "\N{MINUS SIGN}") + _p(row["p_value"])


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"
