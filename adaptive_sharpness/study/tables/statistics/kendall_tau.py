"""Kendall's tau between a quantity and test loss, with its uncertainty."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.kendall import fisher_interval, leave_one_out
from adaptive_sharpness.stats.resampling import Interval
from adaptive_sharpness.stats.samples import missing_reason
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column("tau", "Do models with a larger value have a larger test loss? Tau-b.", "Kendall 1945", heading="τ"),
    Column(
        "tau_low",
        "Lower end of the 95 % interval of τ: BCa bootstrap over models; of a pool that varies over settings.",
        "Efron 1987; Fafchamps & Gubert 2007",
        heading="95 % interval",
        form="{tau_low:+.3f} to {tau_high:+.3f}",
    ),
    Column("tau_high", "Its upper end.", "Efron 1987"),
    Column(
        "p_value",
        "p of the two-sided test of no association; of a pool that varies by exchange of whole settings.",
        "scipy",
        heading="p",
        form="{p_value:.2g}",
    ),
    Column(
        "fisher_low",
        "Lower end of Fisher's 95 % interval; none of a pool that varies, whose models are no independent draws.",
        "Fieller, Hartley & Pearson 1957",
    ),
    Column("fisher_high", "Its upper end.", "Fieller, Hartley & Pearson 1957"),
    Column("loo_low", "The lowest τ as each model in turn is left out; none of a pool that varies."),
    Column("loo_high", "The highest τ as each model in turn is left out."),
    Column("reason", "Why there is no τ.", heading="why no τ", form="{reason}"),
)


def kendall_tau(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return tau-b, its intervals, its p and how much one model can do.

    Of a pool that varies the settings are clusters, see `stats.kendall.kendall`.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(4), "value": range(4), "test_loss": [4, 3, 2, 1], "train_loss": 1.0})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = kendall_tau([pool])
        >>> found[0]["tau"], found[0]["loo_high"], found[0]["reason"]
        (-1.0, -1.0, '')
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    tau, value, test_loss = comparison.tau, comparison.value, comparison.test_loss
    low, high = tau.confidence_interval()
    fisher = loo = Interval(math.nan, math.nan)
    if comparison.settings is None:
        fisher, loo = fisher_interval(tau.statistic, tau.n), leave_one_out(value, test_loss)
    return {
        "tau": tau.statistic,
        "tau_low": low,
        "tau_high": high,
        "p_value": math.nan if tau.pvalue is None else tau.pvalue,
        "fisher_low": fisher.low,
        "fisher_high": fisher.high,
        "loo_low": loo.low,
        "loo_high": loo.high,
        "reason": missing_reason(**{comparison.quantity: value, "test_loss": test_loss}),
    }
