"""information.csv: what the order by a measure tells of the order by a target, given hyper-parameters."""

from collections.abc import Iterator

from adaptive_sharpness.stats import conditional_information
from adaptive_sharpness.stats.resampling import LARGEST
from adaptive_sharpness.tables_of_runs.comparisons import NO_AXES, Comparison

COLUMNS = ("measure", "target", "information", "null_mean", "p", "given", "settings", "draws", "reason")
MOST_DRAWS = 99  # each of them counts all pairs of settings given each set of hyper-parameters
TOO_MANY = f"more than {LARGEST:,} settings"


def rows(each: Comparison, draws: int, seed: int) -> Iterator[dict]:
    """Return the conditional information K beside what it is expected to be without association.

    Args:
        each: a comparison.
        draws: exchanges, of which at most 99 are made.
        seed: of the exchanges.

    Returns:
        A row of information.csv.

    Example:
        >>> import pandas as pd
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> from adaptive_sharpness.tables_of_runs.columns import Question
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0], "loss": [1.0, 2.0, 3.0], "lr": [0.1, 0.2, 0.3]})
        >>> found, = comparisons(table, Question(("sharpness",), ("loss",), vary=("lr",)))
        >>> [round(row["information"], 3) for row in rows(found, 9, 0)]
        [1.0]
    """
    settings = len(set(each.settings[each.used].tolist()))
    if not each.axes or settings > LARGEST:
        yield {"settings": settings, "reason": TOO_MANY if each.axes else NO_AXES}
        return
    options = {"seed": seed, "permutations": min(draws, MOST_DRAWS)}
    found = conditional_information(each.mu, each.g, each.axes, clusters=each.named_clusters, **options)
    yield {
        **{"information": found.statistic, "null_mean": found.null_mean, "p": found.pvalue},
        **{"given": " and ".join(found.given or ()), "settings": found.n, "draws": options["permutations"]},
        "reason": found.reason,
    }
