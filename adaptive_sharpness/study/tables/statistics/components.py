"""Taus with what sharpness and test loss are made of, and with what else says how well a model does."""

import math
from collections.abc import Sequence

import numpy as np

from adaptive_sharpness.stats.kendall import tau_b
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column(
        "tau_max_loss", "τ between test loss and the loss in the ball, whose rise above the base loss is the value."
    ),
    Column("tau_base_loss", "τ between test loss and the training loss on the measure's batches."),
    Column("tau_ratio", "τ between test loss and the ratio of these two losses."),
    Column("tau_accuracy", "τ between the value and test accuracy."),
    Column("tau_gap", "τ between the value and the gap, test loss minus training loss.", heading="τ with the gap"),
)


def components(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return tau-b of several pairs.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each; nan where a side does not exist.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(3), "value": [1, 2, 3], "test_loss": [3, 2, 1]})
        >>> models = models.assign(train_loss=[3, 2, 0.5], base_loss=1.0, accuracy=[0.1, 0.2, 0.3])
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = components([pool])
        >>> found[0]["tau_accuracy"], round(found[0]["tau_gap"], 3)  # the gaps 0, 0, 0.5: 2 / sqrt(2 * 3)
        (1.0, 0.816)
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    value, test_loss = comparison.value, comparison.test_loss
    base_loss, max_loss = comparison.column("base_loss"), _max_loss(comparison)
    undefined = np.full(len(value), math.nan)
    ratio = max_loss / base_loss if base_loss.all() else undefined  # for all models or for none: all taus are of n
    return {
        "tau_max_loss": tau_b(test_loss, max_loss),
        "tau_base_loss": tau_b(test_loss, base_loss),
        "tau_ratio": tau_b(test_loss, ratio),
        "tau_accuracy": tau_b(value, comparison.column("accuracy")),
        "tau_gap": tau_b(value, test_loss - comparison.column("train_loss")),
    }


def _max_loss(comparison: Comparison) -> np.ndarray:
    """The loss whose rise above base_loss is the value; nan where the value is no such rise.

    For a mean over the ball that is not the column max_loss, the highest of the few losses that were drawn.
    """
    used = comparison.used
    has_one = used.reindex(columns=["max_loss"])["max_loss"].notna() & comparison.headline
    return (used["base_loss"] + used["value"]).where(has_one).to_numpy(dtype=float)
