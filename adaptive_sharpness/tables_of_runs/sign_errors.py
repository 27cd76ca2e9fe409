"""sign_errors.csv: how often a measure orders wrongly two settings that differ in one hyper-parameter."""

from collections.abc import Iterator

from adaptive_sharpness.stats import sign_error
from adaptive_sharpness.tables_of_runs.comparisons import ALL_AXES, Comparison

COLUMNS = (
    *("measure", "target", "axis", "mean", "mean_low", "mean_high", "p", "percentile_90", "percentile_90_expected"),
    *("maximum", "maximum_expected", "maximum_p", "environments", "left_out", "settings", "draws", "reason"),
)


def rows(each: Comparison, draws: int, seed: int) -> Iterator[dict]:
    """Return the sign errors of all pairs of settings that differ in one hyper-parameter, and of those of each.

    Args:
        each: a comparison.
        draws: exchanges at most.
        seed: of the exchanges.

    Returns:
        Rows of sign_errors.csv.

    Example:
        >>> import pandas as pd
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> from adaptive_sharpness.tables_of_runs.columns import Question
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0], "loss": [1.0, 3.0, 2.0], "lr": [0.1, 0.2, 0.3]})
        >>> found, = comparisons(table, Question(("sharpness",), ("loss",), vary=("lr",)))
        >>> [(row["axis"], round(row["mean"], 3), row["maximum"]) for row in rows(found, 9, 0)]
        [('all', 0.333, 1.0), ('lr', 0.333, 1.0)]
    """
    if each.without_pairs:
        yield {"axis": ALL_AXES, "reason": each.without_pairs}
        return
    draws = each.fitting(draws)
    found = sign_error(each.mu, each.g, each.axes, clusters=each.named_clusters, seed=seed, permutations=draws)
    for axis, one in {ALL_AXES: found, **found.by_axis}.items():
        low, high = one.confidence_interval()
        yield {
            **{"axis": axis, "mean": one.statistic, "mean_low": low, "mean_high": high, "p": one.pvalue},
            **{"percentile_90": one.percentile_90, "percentile_90_expected": one.percentile_90_expected},
            **{"maximum": one.maximum, "maximum_expected": one.maximum_expected, "maximum_p": one.maximum_pvalue},
            **{"environments": one.environments, "left_out": one.left_out},
            **{"settings": found.n, "draws": draws, "reason": one.reason},
        }
