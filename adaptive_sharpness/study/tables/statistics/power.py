"""What a pool of this size can show at all."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.power import equivalence, smallest_detectable
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column(
        "smallest_detectable_tau",
        "The smallest τ that n independent models show with 80 % power; none of a pool that varies.",
        "Fieller, Hartley & Pearson 1957",
        heading="detectable",
        form="{smallest_detectable_tau:.3f}",
    ),
    Column(
        "equivalence_p",
        "p of the test that |τ| is at least 0.1, of independent models; small where τ is shown to be near 0.",
        "Schuirmann 1987",
        heading="p, equivalence",
        form="{equivalence_p:.2g}",
    ),
)


def power(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return the smallest detectable tau, and p of the test of equivalence to 0.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(50), "value": range(50), "test_loss": range(50), "train_loss": 1.0})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = power([pool])
        >>> round(found[0]["smallest_detectable_tau"], 3)  # tanh(2.802 sqrt(0.437 / 46))
        0.266
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    independent, tau = comparison.settings is None, comparison.tau
    return {
        "smallest_detectable_tau": smallest_detectable(tau.n) if independent else math.nan,
        "equivalence_p": equivalence(tau.statistic, tau.n) if independent else math.nan,
    }
