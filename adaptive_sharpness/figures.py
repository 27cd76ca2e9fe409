"""The study's figures, as Matplotlib draws them: one palette, fit to print, the same bytes every time."""

import math
from collections.abc import Iterable, Mapping
from itertools import cycle

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adaptive_sharpness.correlation import usable

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe & Ito 2008, distinct to colour-blind readers
COLORS = (ORANGE, BLUE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")  # theirs too
MARKERS = ("s", "o", "^", "v", "D", "P", "X")  # as many: lines differ in grey print too
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
        runs: rows of `tables.runs`, of one protocol and measure; models that are not used are left out.
        tau: the same of `tables.tau_table`.

    Returns:
        The report's Figure 1.
    """
    with mpl.rc_context(STYLE):
        figure, panels = _panels(tau)
        for panel, (name, rows) in zip(panels, _by_architecture(tau), strict=True):
            row = _shown(rows)
            models = usable(runs[(runs["architecture"] == name) & _same(runs["rho"], row["rho"])])
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
    # Not by the share: a network of which no model can be used keeps its panel.
    compared = estimates[estimates["compared_with"].notna()]
    looks = cycle(zip(COLORS, MARKERS, strict=True))
    measures = dict(zip(compared["measure"].unique(), looks, strict=False))  # the same in every panel
    with mpl.rc_context(STYLE):
        figure, panels = _panels(compared, sharey=True)
        for panel, (name, rows) in zip(panels, _by_architecture(compared), strict=True):
            panel.axhline(1, color=GREY, lw=0.8)
            for measure, each in rows.groupby("measure", sort=False):
                color, marker = measures[measure]
                style = {"marker": marker, "color": color, "ms": 4, "lw": 1}
                panel.plot(each["rho"], each["share_of_best"], "-", label=measure, **style)
                panel.plot(each["rho"], each["worst_share"], ":", mfc="white", **style)
            _radii(panel, f"{name}, n = {rows['models'].max()}", rows["rho"].drop_duplicates())
        _finish(figure, panels, "share of the best value found")
    return figure


def ladder(table: pd.DataFrame, published: Mapping[str, float]) -> Figure:
    """Tau with its 95 % interval on each rung, a panel a network, rungs from top to bottom.

    Args:
        table: a row a rung: architecture, rung, switch, tau, tau_low, tau_high, delta_low and delta_high (95 %, of the
            change from the rung before; nan on the first).
        published: the published tau of each architecture that has one.

    Returns:
        The figure; a filled square where the interval of the change excludes 0, an open circle elsewhere.
    """
    networks = list(table.groupby("architecture", sort=False))
    heights = [max(len(rungs), 2) for _, rungs in networks]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.9 + sum(0.35 + 0.24 * height for height in heights)), layout="constrained")
        panels = figure.subplots(len(networks), squeeze=False, sharex=True, height_ratios=heights)[:, 0]
        for panel, (name, rungs) in zip(panels, networks, strict=True):
            _rungs(panel, rungs.sort_values("rung"), published.get(name))
            panel.set_title(name, loc="left")
        panels[-1].set_xlabel("τ, with 95 % interval")
        _legend(figure, panels)
    return figure


def trust(tau: pd.DataFrame) -> Figure:
    """The strength of tau beside what could be seen of it, over rho; a line a measure, a column a network.

    Args:
        tau: rows of `tables.tau_table`, of one protocol; noise_ceiling and smallest_detectable_tau are drawn where
            the table has them.

    Returns:
        The figure: |tau| with its 95 % interval, the noise ceiling and the smallest detectable |tau|.
    """
    names, measures = tau["architecture"].drop_duplicates(), tau["measure"].drop_duplicates()
    lines, columns = len(measures), len(names)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * columns, 0.5 + 1.9 * lines), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
        panels = []
        for line, measure in zip(grid, measures, strict=True):
            for panel, name in zip(line, names, strict=True):
                rows = tau[(tau["architecture"] == name) & (tau["measure"] == measure)].sort_values("rho")
                panel.set_visible(len(rows) > 0)
                if len(rows):
                    _strength(panel, rows)
                    panel.set_title(f"{name}, {measure}")
                    panels.append(panel)
        _label_lines(panels, "|τ|")
        _legend(figure, panels)
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


def _radii(panel: Axes, title: str, radii: pd.Series) -> None:
    panel.set(title=title, xlabel="ρ", xscale="log")
    panel.set_xticks(radii, [f"{rho:g}" for rho in radii], rotation=45)
    panel.minorticks_off()


def _finish(figure: Figure, panels: list[Axes], ylabel: str) -> None:
    _label_lines(panels, ylabel)
    _legend(figure, panels)


def _label_lines(panels: list[Axes], ylabel: str) -> None:
    """A label on the first panel that is shown of every line, and the numbers of its axis."""
    first = {}
    for panel in panels:
        first.setdefault(panel.get_subplotspec().rowspan.start, panel)
    for panel in first.values():
        panel.set_ylabel(ylabel)
        panel.tick_params(labelleft=True)


def _legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One for all panels."""
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
    return ((name, rows.sort_values("rho", kind="stable")) for name, rows in tau.groupby("architecture", sort=False))


def _shown(rows: pd.DataFrame) -> pd.Series:
    published = rows[rows["published_tau"].notna()]
    return published.iloc[0] if len(published) else rows.iloc[len(rows) // 2]


def _tau(row: pd.Series) -> str:
    if np.isnan(row["tau"]):
        return "no τ: too few models, or all alike"
    return f"τ = {row['tau']:+.3f}, p = ".replace("-", "\N{MINUS SIGN}") + _p(row["p_value"])


def _p(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"
