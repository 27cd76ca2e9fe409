"""Tables for a page: which columns a reader sees, and how their values are written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Column:
    """A column of a page's table.

    Args:
        heading: what stands above it.
        form: how its values are written, a format string with the names of the data's columns.
        needs: the names that `form` uses; where one is missing or nan, the cell is empty.
        text: whether it holds words; numbers are set flush right and with a true minus sign
            and a space before a per cent sign.
    """

    heading: str
    form: str
    needs: tuple[str, ...]
    text: bool = False

    def cell(self, row: Mapping) -> str:
        """What the column says of a row.

        Example:
            >>> Column("share", "{share:.0%}", ("share",)).cell({"share": -0.5})
            '−50 %'
        """
        if any(pd.isna(row.get(name)) for name in self.needs):
            return ""
        said = self.form.format_map(row)
        return said if self.text else said.replace("-", MINUS).replace("%", " %")


def words(heading: str, name: str) -> Column:
    """A column of words, shown as they are.

    Example:
        >>> words("pool", "name").cell({"name": "gat"})
        'gat'
    """
    return Column(heading, f"{{{name}}}", (name,), text=True)


def number(heading: str, name: str, form: str = "+.3f") -> Column:
    """A column of numbers, by default with a sign and three decimals, as a tau.

    Example:
        >>> number("τ", "tau").cell({"tau": -0.25}), number("τ", "tau").cell({"tau": float("nan")})
        ('−0.250', '')
    """
    return Column(heading, f"{{{name}:{form}}}", (name,))


def span(heading: str, low: str, high: str) -> Column:
    """A column of intervals.

    Example:
        >>> span("95 % interval", "low", "high").cell({"low": -0.25, "high": 0.5})
        '−0.250 to +0.500'
    """
    return Column(heading, f"{{{low}:+.3f}} to {{{high}:+.3f}}", (low, high))


def table(columns: Iterable[Column], data: pd.DataFrame) -> dict[str, list]:
    """The columns of which some row has something to say.

    Args:
        columns: in the order in which they are shown.
        data: the rows; it may have other columns, and lack some.

    Returns:
        `columns`, those shown, and `rows`, each the texts of its cells.

    Example:
        >>> made = table([words("pool", "pool"), number("τ", "tau")], pd.DataFrame({"pool": ["fcnn", "gat"]}))
        >>> [column.heading for column in made["columns"]], made["rows"]  # nothing is known of τ
        (['pool'], [['fcnn'], ['gat']])
    """
    rows = data.to_dict("records")
    filled = {column: [column.cell(row) for row in rows] for column in columns}
    shown = {column: cells for column, cells in filled.items() if any(cells)}
    return {"columns": list(shown), "rows": [list(cells) for cells in zip(*shown.values(), strict=True)]}
