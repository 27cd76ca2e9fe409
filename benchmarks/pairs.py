"""A row of the table: a ratio of two things that are measured in turn, several times."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

COLUMNS = ("topic", "work", "minimum", "median", "maximum", "aim", "met")


@dataclass(frozen=True)
class Row:
    """Two things measured in turn.

    Args:
        topic: a module of this package.
        work: what was done, in words.
        over: what the ratio's first number is, in words.
        under: what its second number is.
        unit: of both.
        pairs: both numbers, of every turn.
        least: the ratio wanted, at least; None for no such aim.
        most: the ratio wanted, at most.
    """

    topic: str
    work: str
    over: str
    under: str
    unit: str
    pairs: Sequence[tuple[float, float]]
    least: float | None = None
    most: float | None = None

    def values(self) -> dict[str, object]:
        """What there is to print and to save, by column."""
        ratios = sorted(over / under for over, under in self.pairs)
        overs, unders = zip(*self.pairs, strict=True)
        middle = median(ratios)
        aim = ("≥", self.least) if self.least is not None else ("≤", self.most)
        reached = middle >= self.least if self.least is not None else self.most is not None and middle <= self.most
        return {
            **{"topic": self.topic, "work": self.work, "ratio of": self.over, "to": self.under, "unit": self.unit},
            **{"minimum": ratios[0], "median": middle, "maximum": ratios[-1], "pairs": len(ratios)},
            "aim": "" if aim[1] is None else f"{aim[0]} {aim[1]:g}",
            "met": "" if aim[1] is None else ("yes" if reached else "no"),
            **{"median of first": median(overs), "median of second": median(unders)},
        }


def in_turn(
    first: Callable[[], float], second: Callable[[], float], pairs: int, *, warm: bool = True
) -> list[tuple[float, float]]:
    """Measure two things in turn, each as often as the other; which one begins alternates.

    Args:
        first: measures once.
        second: measures once.
        pairs: how often.
        warm: whether both are done once before, and that not counted.

    Returns:
        The numbers, (first, second) of every turn.
    """
    if warm:
        first(), second()
    found = []
    for turn in range(pairs):
        if turn % 2:
            other = second()
            found.append((first(), other))
        else:
            found.append((first(), second()))
    return found


def table(rows: Sequence[dict[str, object]]) -> str:
    """The rows as text, in columns.

    Args:
        rows: what `Row.values` returns.

    Returns:
        Lines, the first one of headings.
    """
    cells = [COLUMNS, *([_shown(row[column]) for column in COLUMNS] for row in rows)]
    widths = [max(len(line[position]) for line in cells) for position in range(len(COLUMNS))]
    aligned = [
        [cell.rjust(width) if 2 <= position <= 4 else cell.ljust(width) for position, (cell, width) in enumerate(pairs)]
        for pairs in (list(zip(line, widths, strict=True)) for line in cells)
    ]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def write(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows as a csv file, numbers with four digits.

    Args:
        path: the file.
        rows: at least one, all with the same columns.
    """
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{v:.4g}" if isinstance(v, float) else v for key, v in row.items()} for row in rows)


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
