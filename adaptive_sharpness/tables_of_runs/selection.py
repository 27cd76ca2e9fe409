"""selection.csv: what is lost when a measure picks the setting."""

from collections.abc import Iterator

from adaptive_sharpness.stats import selection
from adaptive_sharpness.tables_of_runs.comparisons import Comparison

COLUMNS = ("measure", "target", "regret", "p", "best_found", "best_expected", "best_p", "n", "reason")


def rows(each: Comparison, draws: int, seed: int) -> Iterator[dict]:
    """Return what is lost when the setting of the lowest measure is taken.

    Args:
        each: a comparison.
        draws: permutations, where values tie.
        seed: of the permutations.

    Returns:
        A row of selection.csv.

    Example:
        >>> import pandas as pd
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> from adaptive_sharpness.tables_of_runs.columns import Question
        >>> table = pd.DataFrame({"sharpness": [3.0, 1.0, 2.0, 5.0, 4.0], "loss": [0.3, 0.2, 0.1, 0.5, 0.4]})
        >>> found, = comparisons(table, Question(("sharpness",), ("loss",)))
        >>> [round(row["regret"], 3) for row in rows(found, 9, 0)]
        [0.5]
    """
    found = selection(each.mu, each.g, clusters=each.settings, seed=seed, permutations=draws)
    yield {
        **{"regret": found.statistic, "p": found.pvalue, "best_found": found.best_found},
        **{"best_expected": found.best_expected, "best_p": found.best_pvalue, "n": found.n, "reason": found.reason},
    }
