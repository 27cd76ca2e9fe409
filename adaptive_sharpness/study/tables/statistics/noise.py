"""How far noise lets a tau be seen: how reliably both sides are known."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.reliability import noise_ceiling, reliability, resolvable_pairs
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column(
        "reliability_value",
        "The share of the variance of the value between models that other batches would show again.",
        "McGraw & Wong 1996",
    ),
    Column(
        "reliability_test_loss",
        "The share of the variance of test loss between models that other test examples would show again.",
        "McGraw & Wong 1996",
    ),
    Column("resolvable_pairs", "The share of pairs of models whose test losses differ by more than chance explains."),
    Column(
        "noise_ceiling",
        "The τ that a perfect predictor would reach given both reliabilities; none of a pool that varies, whose models "
        "are no sample of one normal distribution.",
        "Spearman 1904",
        heading="ceiling",
        form="{noise_ceiling:.3f}",
    ),
)


def noise(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return both reliabilities, the ceiling that they set, and how many pairs of models test loss tells apart.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(3), "value": [1, 2, 3], "test_loss": [1, 2, 3], "train_loss": 1.0})
        >>> losses = pd.DataFrame([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])  # no example says otherwise than another
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, losses, reliability=1.0)
        >>> found = noise([pool])
        >>> found[0]["reliability_test_loss"], found[0]["noise_ceiling"]
        (1.0, 1.0)
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    losses = comparison.test_losses
    of_test_loss = reliability(losses)
    ceiling = noise_ceiling(comparison.reliability, of_test_loss) if comparison.settings is None else math.nan
    return {
        "reliability_value": comparison.reliability,
        "reliability_test_loss": of_test_loss,
        "resolvable_pairs": resolvable_pairs(losses),
        "noise_ceiling": ceiling,
    }
