"""What the figures have in common: one palette, fit to print, the same bytes every time."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe & Ito 2008, distinct to colour-blind readers
COLORS = (ORANGE, BLUE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")  # theirs too
MARKERS = ("s", "o", "^", "v", "D", "P", "X")  # as many: lines differ in grey print too
ENTRY = 1.6  # inches of a legend that an entry takes
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "adaptive-sharpness",
}


def level_styles(levels: int) -> list[tuple[str, str]]:
    """Return a colour and a marker for each level; both differ as far as there are enough.

    Example:
        >>> level_styles(1), len(set(level_styles(49)))
        ([('#0072B2', 'o')], 49)
    """
    colors, markers = (tuple(dict.fromkeys((first, *several))) for first, several in ((BLUE, COLORS), ("o", MARKERS)))
    shift = len(colors)
    return [(colors[at % shift], markers[(at + at // shift) % len(markers)]) for at in range(levels)]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as SVG and as PDF, without the date that would make two runs differ.

    Args:
        figure: what a plug-in drew.
        path: of both files, without their endings; its folder is made.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_figure(Figure(), Path(folder, "report", "ladder"))
        ...     sorted(path.name for path in Path(folder, "report").iterdir())
        ['ladder.pdf', 'ladder.svg']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure.savefig(path.with_name(f"{path.name}.svg"), metadata={"Date": None})
        figure.savefig(path.with_name(f"{path.name}.pdf"), metadata={"CreationDate": None})


def new_panels(tau: pd.DataFrame, **options) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel a pool, and the panels.

    Args:
        tau: rows of a table with a column pool.
        **options: of `Figure.subplots`.

    Example:
        >>> _, panels = new_panels(pd.DataFrame({"pool": ["fcnn", "fcnn", "gat"]}))
        >>> len(panels)
        2
    """
    names = tau["pool"].nunique()
    columns = min(names, 3)
    lines = math.ceil(names / columns)
    # Not through pyplot, which would keep every figure open and ask for a screen.
    figure = Figure(figsize=(2.4 * columns, 2.6 * lines), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False, **options).flat)
    for spare in axes[names:]:
        spare.set_visible(False)
    return figure, axes[:names]


def rows_by_pool(tau: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each pool's name and its rows by rho; pools in the order of the table, which is config's.

    Example:
        >>> tau = pd.DataFrame({"pool": ["gat", "gat", "fcnn"], "rho": [0.2, 0.1, 0.3]})
        >>> [(name, rows["rho"].tolist()) for name, rows in rows_by_pool(tau)]
        [('gat', [0.1, 0.2]), ('fcnn', [0.3])]
    """
    return ((name, rows.sort_values("rho", kind="stable")) for name, rows in tau.groupby("pool", sort=False))


def show_radii(panel: Axes, title: str, radii: pd.Series) -> None:
    """Give a panel a title and a logarithmic axis of radii, with a mark at each.

    Example:
        >>> panel = Figure().subplots()
        >>> show_radii(panel, "gat", pd.Series([0.01, 0.1]))
        >>> panel.get_title(), [label.get_text() for label in panel.get_xticklabels()]
        ('gat', ['0.01', '0.1'])
    """
    panel.set(title=title, xlabel="ρ", xscale="log")
    panel.set_xticks(radii, [f"{rho:g}" for rho in radii], rotation=45)
    panel.minorticks_off()


def finish(figure: Figure, panels: list[Axes], ylabel: str) -> None:
    """Label the lines of panels, and add one legend for all.

    Example:
        >>> figure, panels = new_panels(pd.DataFrame({"pool": ["fcnn", "gat"]}))
        >>> _ = [panel.plot([1, 2], label="hessian") for panel in panels]
        >>> finish(figure, panels, "τ")
        >>> [panel.get_ylabel() for panel in panels], len(figure.legends)
        (['τ', ''], 1)
    """
    label_lines(panels, ylabel)
    add_legend(figure, panels)


def label_lines(panels: list[Axes], ylabel: str) -> None:
    """Put a label on the first panel that is shown of every line, and the numbers of its axis.

    Example:
        >>> panels = list(Figure().subplots(2, 2).flat)
        >>> label_lines(panels, "τ")
        >>> [panel.get_ylabel() for panel in panels]
        ['τ', '', 'τ', '']
    """
    first = {}
    for panel in panels:
        first.setdefault(panel.get_subplotspec().rowspan.start, panel)
    for panel in first.values():
        panel.set_ylabel(ylabel)
        panel.tick_params(labelleft=True)


def add_legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """Add one legend for all panels.

    Example:
        >>> figure, panels = new_panels(pd.DataFrame({"pool": ["fcnn", "gat"]}))
        >>> _ = [panel.plot([1, 2], label="hessian") for panel in panels]
        >>> add_legend(figure, panels)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]  # once, though both panels have it
        ['hessian']
    """
    named = {label: line for panel in panels for line, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    fit = max(1, int(figure.get_figwidth() / ENTRY))
    figure.legend(named.values(), named, loc="outside lower center", ncols=min(fit, 4))
