"""Columns of a table: what each says, where it is from, and how the page shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column that a statistic adds to tau.csv.

    Args:
        name: the column's.
        answers: the question that it answers, or what it is, in a sentence.
        source: where its definition is from, empty for what is a plain count or mean.
        heading: what the page writes above it; empty for a column that the page leaves out.
        form: how the page writes it: a format string with names of columns, by default a number with a sign and three
            decimals.
        varying: whether it says something of pools that vary alone; a study without one has no such column.
    """

    name: str
    answers: str
    source: str = ""
    heading: str = ""
    form: str = ""
    varying: bool = False

    def __post_init__(self):
        object.__setattr__(self, "form", self.form or f"{{{self.name}:+.3f}}")
