"""The tables and sentences as a terminal shows them."""

import sys

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from adaptive_sharpness.tables_of_runs.words import number, probability

WIDE = 180  # characters of a line where there is no terminal
TITLES = {
    "tau": "Kendall's tau",
    "axes": "Granulated tau: one hyper-parameter varies at a time",
    "information": "Conditional information K, beside its mean without association",
    "sign_errors": "Sign errors of pairs of settings that differ in one hyper-parameter",
    "selection": "Selection: the setting of the lowest measure is taken",
}
NUMBER = {"tau": "tau", "axes": "psi", "information": "information", "sign_errors": "mean", "selection": "regret"}
COUNTS = ("n", "clusters", "cells", "settings", "environments")
PVALUES = ("p", "p_holm", "p_max_t", "p_within", "p_between", "best_p")
NUMBERS = (
    *("tau", "tau_within", "tau_between", "partial_tau_gaussian", "psi", "mean", "percentile_90", "maximum"),
    *("maximum_expected", "regret", "best_found", "best_expected"),
)
IN_FILES_ALONE = (
    *("maximised", "smallest_detectable_tau", "given", "partial_tau", "partial_tau_low", "partial_tau_high"),
    *("cells_without", "draws", "left_out", "percentile_90_expected", "maximum_p"),
)
HEADINGS = {
    **{"p_holm": "Holm's p", "p_max_t": "max-T p", "tau_within": "within", "tau_between": "between"},
    **{"p_within": "p", "p_between": "p", "best_p": "p", "percentile_90": "90 %", "null_mean": "by chance"},
    **{"maximum_expected": "by chance", "best_found": "best found", "best_expected": "by chance"},
}


def show(name: str, table: pd.DataFrame) -> None:
    """Print a table of numbers, without columns that are empty throughout; of a table without numbers the reasons.

    Args:
        name: of the table.
        table: see `analysis.answers`.

    Example:
        >>> show("tau", pd.DataFrame({"measure": ["sharpness"], "tau": [0.5]}))
        Kendall's tau
        <BLANKLINE>
          measure     tau
         ───────────────────
          sharpness   0.500
        <BLANKLINE>
    """
    if table[NUMBER[name]].isna().all():
        say(f"{TITLES[name]}: none, {'; '.join(table['reason'].unique())}")
        return
    columns = shown_columns(table)
    rendered = Table(title=TITLES[name], title_justify="left", box=SIMPLE)
    for heading, _ in columns:
        rendered.add_column(heading, overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        rendered.add_row(*cells)
    _console().print(rendered)


def say(*lines: str) -> None:
    """Print lines of words, as long as they are.

    Args:
        lines: to print.

    Example:
        >>> say("[one] line")
        [one] line
    """
    for line in lines:
        _console().print(line, soft_wrap=True)


def shown_columns(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return the columns of a table as text; an interval is one of them.

    Args:
        table: see `analysis.answers`.

    Returns:
        Heading and cells of each, without those that are empty throughout.

    Example:
        >>> interval = {"tau_low": [0.4], "tau_high": [0.6]}
        >>> shown_columns(pd.DataFrame({"measure": ["a"], "tau": [0.5], **interval, "p": [None]}))
        [('measure', ['a']), ('tau', ['0.500']), ('95 % interval', ['0.400 to 0.600'])]
    """
    found = []
    for column in table:
        if column in IN_FILES_ALONE or column.endswith("_high"):
            continue
        if column.endswith("_low"):
            ends = zip(table[column], table[f"{column.removesuffix('_low')}_high"], strict=True)
            cells = ["" if pd.isna(low) else f"{number(low)} to {number(high)}" for low, high in ends]
            found.append(("95 % interval", cells))
        else:
            found.append((_heading(column, table), [_text(column, value) for value in table[column]]))
    return [(heading, cells) for heading, cells in found if any(cells)]


def _heading(column: str, table: pd.DataFrame) -> str:
    if column == "partial_tau_gaussian":
        return f"given {table['given'].iloc[0]}"
    return column if column == table.columns[0] else HEADINGS.get(column, column)


def _text(column: str, value: object) -> str:
    if not isinstance(value, str) and pd.isna(value):
        return ""
    if column in COUNTS:
        return f"{value:,.0f}"
    if column in PVALUES:
        return probability(value)
    if column in ("information", "null_mean"):
        return f"{value:.2g}"
    return number(value) if column in NUMBERS else str(value)


def _console() -> Console:
    """As wide as the terminal; names of columns are no markup."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(width=width, markup=False, highlight=False, emoji=False)
