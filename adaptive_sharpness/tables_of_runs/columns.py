"""What is asked of a table: which of its columns are measures, targets, hyper-parameters, repeats."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import pandas as pd
from pandas.api.types import is_numeric_dtype

MANY = 12  # names that a message of one line can hold


@dataclass(frozen=True)
class Question:
    """The columns that a question is about.

    Args:
        measures: of which is asked what they foretell.
        targets: what they should foretell.
        maximised: those targets of which more is better.
        vary: the hyper-parameters; rows that share all of them are repeats of a setting.
        repeats: tells the repeats of a setting apart.
        clusters: rows that share its value are no independent draws.
        given: a partial tau is given this.
        by: each of its values is a table of its own.
    """

    measures: tuple[str, ...]
    targets: tuple[str, ...]
    maximised: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()
    repeats: str | None = None
    clusters: str | None = None
    given: str | None = None
    by: str | None = None

    @property
    def labels(self) -> list[str]:
        """The columns that say what a row is, of which each row needs a value.

        Example:
            >>> Question(("sharpness",), ("loss",), vary=("lr", "wd"), by="arch").labels
            ['lr', 'wd', 'arch']
        """
        return list(dict.fromkeys(name for option, name in self.named() if option not in ("--measure", "--target")))

    def named(self) -> Iterator[tuple[str, str]]:
        """Each column that is named, with the option that names it.

        Example:
            >>> list(Question(("sharpness",), ("accuracy",), maximised=("accuracy",)).named())
            [('--measure', 'sharpness'), ('--target', 'accuracy')]
        """
        yield from (("--measure", name) for name in self.measures)
        yield from (("--target", name) for name in self.targets)
        yield from (("--vary", name) for name in self.vary)
        others = {"--repeats": self.repeats, "--clusters": self.clusters, "--given": self.given, "--by": self.by}
        yield from ((option, name) for option, name in others.items() if name is not None)


def numeric_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of numbers.

    Args:
        table: of runs.

    Returns:
        Names, in the table's order.

    Example:
        >>> numeric_columns(pd.DataFrame({"arch": ["cnn"], "loss": [0.1]}))
        ['loss']
    """
    return [name for name in table if is_numeric_dtype(table[name])]


def check(question: Question, table: pd.DataFrame, columns_of_tables: frozenset[str] = frozenset()) -> None:
    """Refuse a question that a table cannot answer.

    Args:
        question: which columns are what.
        table: of runs.
        columns_of_tables: names that the column of --by cannot have, since the tables have them.

    Raises:
        ValueError: if a column is not there, has no numbers where numbers are wanted, or is named as two things.

    Example:
        >>> check(Question(("sharpnes",), ("loss",)), pd.DataFrame({"sharpness": [1.0], "loss": [2.0]}))
        Traceback (most recent call last):
        ValueError: --measure: got 'sharpnes', wanted a column of the table, such as 'sharpness'
    """
    for option, name in question.named():
        if name not in table:
            raise ValueError(f"{option}: got {name!r}, wanted a column of the table{_nearest(name, list(table))}")
        if option in ("--measure", "--target", "--given") and not is_numeric_dtype(table[name]):
            text = next((value for value in table[name] if isinstance(value, str)), table[name].dtype)
            raise ValueError(f"{option}: got {name!r} with {text!r} in it, wanted a column of numbers")
    for option, taken, of in (
        ("--measure", question.measures, "--target"),
        ("--given", (question.given,), "--measure"),
        ("--given", (question.given,), "--target"),
        ("--repeats", (question.repeats,), "--vary"),
    ):
        others = [name for other, name in question.named() if other == of]
        for name in taken:
            if name in others:
                raise ValueError(f"{option}: got {name!r}, wanted another column than {of}")
    if question.repeats and not (question.vary or question.clusters):
        raise ValueError("--repeats: got no --vary, wanted the columns that say which rows are repeats of each other")
    if question.by in columns_of_tables:
        raise ValueError(f"--by: got {question.by!r}, which the tables have for themselves, wanted another name")


def _nearest(name: str, names: list[str]) -> str:
    """The nearest name, whatever the case; all names where none is near and they are few."""
    folded = {each.casefold(): each for each in reversed(names)}
    near = get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f", such as {folded[near[0]]!r}"
    listed = ", ".join(map(repr, names[:MANY]))
    return f": {listed}" + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
