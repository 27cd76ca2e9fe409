"""A published tau beside ours."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.kendall import consistency
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column("published_tau", "The τ that is published for this pool and radius.", heading="published τ"),
    Column(
        "z",
        "Is the published τ consistent with ours? It is where |z| < 1.96: both have a sampling error, that of "
        "independent models; none for a pool that varies.",
        "Fieller, Hartley & Pearson 1957",
        heading="z",
        form="{z:+.2f}",
    ),
    Column("published_n", "Models behind the published τ."),
)


def published_tau(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return the published tau of the headline quantity, and z of its difference from ours.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each; nan where nothing is published.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(3), "value": [1, 2, 3], "test_loss": [3, 2, 1], "train_loss": 1.0})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> published_tau([pool])
        [{'published_tau': nan, 'z': nan, 'published_n': nan}]
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    published, tau = comparison.published, comparison.tau
    if published is None:
        return {"published_tau": math.nan, "z": math.nan, "published_n": math.nan}
    independent = comparison.settings is None
    z = consistency(tau.statistic, tau.n, published["tau"], published["n"]) if independent else math.nan
    return {"published_tau": published["tau"], "z": z, "published_n": published["n"]}
