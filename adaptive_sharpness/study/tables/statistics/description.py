"""How many models there are, and what they are like."""

from collections.abc import Sequence

from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.comparison import Comparison

COLUMNS = (
    Column(
        "n",
        "Models used: value and both losses are finite, and training reached the loss that its stop rule names.",
        heading="n",
        form="{n:.0f}",
    ),
    Column("left_out", "Models that are not among the n.", heading="left out", form="{left_out:.0f}"),
    Column(
        "value_mean",
        "The quantity: mean ± standard deviation over models.",
        heading="value",
        form="{value_mean:.4g} ± {value_sd:.2g}",
    ),
    Column("value_sd", "Standard deviation of the quantity over models."),
    Column(
        "share_negative",
        "The share of models whose value is below 0, which a maximum over a ball around the weights cannot be.",
        heading="below 0",
        form="{share_negative:.0%}",
    ),
    Column(
        "test_loss_mean",
        "Test loss: mean ± standard deviation over models.",
        heading="test loss",
        form="{test_loss_mean:.4f} ± {test_loss_sd:.2g}",
    ),
    Column("test_loss_sd", "Standard deviation of the test loss over models."),
)


def description(comparisons: Sequence[Comparison]) -> list[dict]:
    """Return counts, means and standard deviations (ddof 1).

    Args:
        comparisons: one for each row.

    Returns:
        Values by column, for each.

    Example:
        >>> import pandas as pd
        >>> models = pd.DataFrame({"seed": range(4), "value": [-1, 1, 3, None], "test_loss": 2.0, "train_loss": 1.0})
        >>> pool = Comparison("report", "gat", "hessian", 0.1, "trace", True, models, models, reliability=1.0)
        >>> found = description([pool])
        >>> found[0]["n"], found[0]["left_out"], found[0]["value_mean"].item(), found[0]["value_sd"].item()
        (3, 1, 1.0, 2.0)
    """
    return [
        {
            "n": len(each.used),
            "left_out": len(each.models) - len(each.used),
            "value_mean": each.used["value"].mean(),
            "value_sd": each.used["value"].std(),
            "share_negative": (each.used["value"] < 0).mean(),
            "test_loss_mean": each.used["test_loss"].mean(),
            "test_loss_sd": each.used["test_loss"].std(),
        }
        for each in comparisons
    ]
