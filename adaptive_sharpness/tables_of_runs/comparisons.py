"""One measure beside one target, within one group of rows: what all statistics are computed from."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from adaptive_sharpness.stats.grid import codes, read_grid
from adaptive_sharpness.tables_of_runs.columns import Question

ALL_AXES = "all"  # in the column axis of a table
NO_AXES = "no hyper-parameters: name them with --vary"
MOST_PAIRS = 2**20  # of settings that differ in one hyper-parameter
MOST_SIGNS = 2**26  # of such pairs times draws: seconds
TOO_MANY_PAIRS = f"more than {MOST_PAIRS:,} pairs of settings differ in one hyper-parameter alone"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One measure and one target of the rows of a group; either may lack values.

    Args:
        group: the value of the column --by; None without it.
        measure: name.
        target: name.
        mu: the measure, [rows].
        g: the target, or its negative where more of it is better, [rows].
        given: what a partial tau is given, [rows], or None.
        axes: the levels of each hyper-parameter, [rows] each; empty where none is named.
        settings: which rows are repeats of each other, whole numbers, [rows].
        clusters: which rows are no independent draws, whole numbers, [rows].
        named_clusters: the same where they are named and are not the settings; else None.
    """

    group: Hashable
    measure: str
    target: str
    mu: np.ndarray
    g: np.ndarray
    given: np.ndarray | None
    axes: dict[str, np.ndarray]
    settings: np.ndarray
    clusters: np.ndarray
    named_clusters: np.ndarray | None

    @property
    def used(self) -> np.ndarray:
        """Whether each row has both values, [rows].

        Example:
            >>> table = pd.DataFrame({"sharpness": [1.0, None], "loss": [2.0, 3.0]})
            >>> [each.used.tolist() for each in comparisons(table, Question(("sharpness",), ("loss",)))]
            [[True, False]]
        """
        return np.isfinite(self.mu) & np.isfinite(self.g)

    @property
    def independent(self) -> bool:
        """Whether no two rows with both values share a cluster.

        Example:
            >>> table = pd.DataFrame({"sharpness": [1.0, 2.0], "loss": [2.0, 3.0], "lr": [0.1, 0.1]})
            >>> [each.independent for each in comparisons(table, Question(("sharpness",), ("loss",), vary=("lr",)))]
            [False]
        """
        clusters = self.clusters[self.used]
        return len(np.unique(clusters)) == len(clusters)

    @cached_property
    def pairs(self) -> int:
        """How many pairs of settings differ in one hyper-parameter alone.

        Example:
            >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0], "loss": [2.0, 3.0, 4.0], "lr": [0.1, 0.2, 0.3]})
            >>> [each.pairs for each in comparisons(table, Question(("sharpness",), ("loss",), vary=("lr",)))]
            [3]
        """
        levels = np.unique(np.array(list(self.axes.values()))[:, self.used], axis=1)
        cells = [
            np.unique(np.delete(levels, axis, axis=0), axis=1, return_counts=True)[1] for axis in range(len(levels))
        ]
        return int(sum((sizes * (sizes - 1) // 2).sum() for sizes in cells))

    @property
    def without_pairs(self) -> str:
        """Why pairs of settings that differ in one hyper-parameter alone are not looked at; empty where they are.

        Example:
            >>> table = pd.DataFrame({"sharpness": [1.0, 2.0], "loss": [2.0, 3.0]})
            >>> [each.without_pairs for each in comparisons(table, Question(("sharpness",), ("loss",)))]
            ['no hyper-parameters: name them with --vary']
        """
        if not self.axes:
            return NO_AXES
        return TOO_MANY_PAIRS if self.pairs > MOST_PAIRS else ""

    def fitting(self, draws: int) -> int:
        """Return how many exchanges of settings take seconds, at least 1.

        Args:
            draws: as many at most.

        Example:
            >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0], "loss": [2.0, 3.0, 4.0], "lr": [0.1, 0.2, 0.3]})
            >>> [each.fitting(999) for each in comparisons(table, Question(("sharpness",), ("loss",), vary=("lr",)))]
            [999]
        """
        return max(min(draws, MOST_SIGNS // max(self.pairs, 1)), 1)


def labelled(table: pd.DataFrame, question: Question) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that have a value in all columns that say what a row is, and what is to be said of the others.

    Args:
        table: of runs.
        question: which columns are what.

    Returns:
        Those rows, and lines of words.

    Raises:
        ValueError: if no row is left, or a setting has two rows of one repeat.

    Example:
        >>> table = pd.DataFrame({"loss": [1.0, None, 3.0], "sharpness": [1.0, 2.0, 3.0], "lr": [0.1, 0.2, None]})
        >>> labelled(table, Question(("sharpness",), ("loss",), vary=("lr",)))[1]
        ['left out: 1 of 3 rows without lr; of the others 1 without loss']
    """
    values = table[question.labels]
    missing = values.isna()
    if question.given:
        missing[question.given] = ~np.isfinite(numbers(table[question.given]))
    kept = table[~missing.any(axis=1)]
    if kept.empty:
        raise ValueError(f"table: got no row with a value in each of {', '.join(question.labels)}, wanted some")
    _require_repeats(kept, question)
    parts = []
    if len(kept) < len(table):
        names = " or ".join(name for name in question.labels if missing[name].any())
        parts.append(f"{len(table) - len(kept):,} of {len(table):,} rows without {names}")
    lacking = {name: int((~np.isfinite(numbers(kept[name]))).sum()) for name in question.measures + question.targets}
    lacking = {name: count for name, count in lacking.items() if count}
    if lacking:
        named = ", ".join(f"{count:,} without {name}" for name, count in lacking.items())
        parts.append(f"of the others {named}" if parts else f"of {len(table):,} rows {named}")
    return kept, [f"left out: {'; '.join(parts)}"] if parts else []


def comparisons(table: pd.DataFrame, question: Question) -> Iterator[Comparison]:
    """Return each measure beside each target, group by group.

    Args:
        table: of runs, each with all labels; see `labelled`.
        question: which columns are what.

    Returns:
        Comparisons; those of a group and target, which differ in the measure alone, one after the other.

    Example:
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0], "accuracy": [0.5, 0.6]})
        >>> question = Question(("sharpness",), ("accuracy",), maximised=("accuracy",))
        >>> [each.g.tolist() for each in comparisons(table, question)]
        [[-0.5, -0.6]]
    """
    groups = [(None, table)] if question.by is None else table.groupby(question.by, sort=True, observed=True)
    for group, rows in groups:
        axes = {name: _levels(rows[name]) for name in question.vary}
        named = codes(question.clusters, _levels(rows[question.clusters])) if question.clusters else None
        alone = np.arange(len(rows)) if named is None else named
        settings = read_grid(axes, len(rows)).setting if axes else alone
        common = {
            "given": numbers(rows[question.given]) if question.given else None,
            **{"axes": axes, "settings": settings, "clusters": settings if named is None else named},
            "named_clusters": named if axes else None,
        }
        for target in question.targets:
            g = numbers(rows[target]) * (-1 if target in question.maximised else 1)
            for measure in question.measures:
                yield Comparison(group, measure, target, numbers(rows[measure]), g, **common)


def numbers(column: pd.Series) -> np.ndarray:
    """Return a column as numbers, nan where it has none.

    Args:
        column: of numbers.

    Returns:
        [rows].

    Example:
        >>> numbers(pd.Series([1, None], dtype="Int64"))
        array([ 1., nan])
    """
    return column.to_numpy(dtype=float, na_value=np.nan)


def _levels(column: pd.Series) -> np.ndarray:
    """Levels as whole numbers: what cannot be looked up, such as a list, by how it is written."""
    try:
        return pd.factorize(column)[0]
    except TypeError:
        return pd.factorize(column.map(repr))[0]


def _require_repeats(table: pd.DataFrame, question: Question) -> None:
    if not question.repeats:
        return
    same = [name for name in (question.by, *question.vary, *([] if question.vary else [question.clusters])) if name]
    keys = pd.DataFrame({name: _levels(table[name]) for name in dict.fromkeys([*same, question.repeats])})
    twice = keys.duplicated().to_numpy()
    if twice.any():
        value = table[question.repeats].to_numpy()[twice][0]
        raise ValueError(
            f"--repeats: got two rows of one setting with {question.repeats} {value}, wanted each setting once with "
            "each: is there a column more to --vary?"
        )
