"""What is left of tau once the training loss is given."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.partial import gaussian_partial_kendall, partial_kendall
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column("partial_tau", "Kendall's partial τ given training loss.", "Kendall 1942"),
    Column(
        "partial_tau_low",
        "Lower end of its 95 % interval: BCa bootstrap over models; of a pool that varies over settings.",
        "Efron 1987; Fafchamps & Gubert 2007",
    ),
    Column("partial_tau_high", "Its upper end.", "Efron 1987"),
    Column(
        "partial_tau_gaussian",
        "The τ that is left given training loss, by the formula for a Gaussian: 0 where it explains all.",
        "Kruskal 1958",
        heading="partial τ",
    ),
    Column(
        "partial_tau_gaussian_low",
        "Lower end of its 95 % interval: jackknife over models; none of a pool that varies.",
        "Tukey 1958",
        heading="95 % interval of partial τ",
        form="{partial_tau_gaussian_low:+.3f} to {partial_tau_gaussian_high:+.3f}",
    ),
    Column("partial_tau_gaussian_high", "Its upper end.", "Tukey 1958"),
)


def partial_tau(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return both partial taus given training loss, with their intervals.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each; nan where one does not exist.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"value": [1, 2, 3, 4], "test_loss": [2, 1, 4, 3], "train_loss": [1, 3, 2, 4]})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = partial_tau([pool])
        >>> round(found[0]["partial_tau"], 3)  # (1/3 - 2/3 * 0) / sqrt(1 - 4/9)
        0.447
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    values = comparison.value, comparison.test_loss, comparison.column("train_loss")
    plain, gaussian = partial_kendall(*values, clusters=comparison.settings), gaussian_partial_kendall(*values)
    independent = comparison.settings is None
    ends, gaussian_ends = plain.confidence_interval(), gaussian.confidence_interval() if independent else [math.nan] * 2
    numbers = (plain.statistic, *ends, gaussian.statistic, *gaussian_ends)
    return dict(zip((column.name for column in COLUMNS), numbers, strict=True))
