"""Kendall's tau of a pool that varies: between repeats of one setting, and between settings."""

import math
from collections.abc import Sequence

from adaptive_sharpness.stats.within_between import within_between as both_taus
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import PERMUTATIONS, Comparison

INTERVAL = "{{{name}_low:+.3f}} to {{{name}_high:+.3f}}"
COLUMNS = (
    Column("settings", "Settings of a pool that varies.", heading="settings", form="{settings:.0f}", varying=True),
    Column(
        "tau_within",
        "τ between repeats of one setting, which differ by their seeds alone, pooled over settings.",
        heading="τ within settings",
        varying=True,
    ),
    Column(
        "tau_within_low",
        "Lower end of its 95 % interval, from the variance between settings.",
        heading="95 % interval within",
        form=INTERVAL.format(name="tau_within"),
        varying=True,
    ),
    Column("tau_within_high", "Its upper end.", varying=True),
    Column("tau_within_p", "Its p, by exchange of repeats within settings.", "Phipson & Smyth 2010", varying=True),
    Column(
        "tau_between",
        "τ between the means of settings; it may have the opposite sign.",
        "Simpson 1951",
        heading="τ between settings",
        varying=True,
    ),
    Column(
        "tau_between_low",
        "Lower end of its 95 % interval, over settings.",
        "Fafchamps & Gubert 2007",
        heading="95 % interval between",
        form=INTERVAL.format(name="tau_between"),
        varying=True,
    ),
    Column("tau_between_high", "Its upper end.", "Fafchamps & Gubert 2007", varying=True),
    Column("tau_between_p", "Its p, by exchange of settings.", "Phipson & Smyth 2010", varying=True),
)


def within_between(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return the number of settings, and tau within and between them.

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each; nan for a pool of one setting.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"value": [1, 2, 11, 12], "test_loss": [12, 11, 22, 21], "train_loss": 1.0})
        >>> models["setting"] = ["lr=0.1", "lr=0.1", "lr=0.2", "lr=0.2"]
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = within_between([pool])
        >>> found[0]["settings"], found[0]["tau_within"]
        (2, -1.0)
    """
    return [_of_one(each) for each in comparisons]


def _of_one(comparison: Comparison) -> dict:
    if comparison.settings is None:
        return dict.fromkeys((column.name for column in COLUMNS), math.nan)
    values = comparison.value, comparison.test_loss, comparison.settings
    found = both_taus(*values, permutations=PERMUTATIONS)
    return {
        "settings": found.between.n,
        **_with_interval("tau_within", found.within),
        **_with_interval("tau_between", found.between),
    }


def _with_interval(name: str, tau) -> dict:
    low, high = tau.confidence_interval()
    p = math.nan if tau.pvalue is None else tau.pvalue
    return {name: tau.statistic, f"{name}_low": low, f"{name}_high": high, f"{name}_p": p}
