"""Abalone as the report's released notebook reads it: without the first row, which it takes for a header.

FCNN_model.ipynb, `pd.read_csv` without `header=None`.
"""

from pathlib import Path

from adaptive_sharpness.datasets import Dataset, abalone


def load(raw: Path) -> Dataset:
    """As `abalone.load`, but without the first row, neither for training nor to standardise by.

    Args:
        raw: the folder that holds abalone.data.

    Returns:
        3340 training and 836 test rows; inputs [n, 10], targets [n, 1], float32.
    """
    table = abalone.columns(raw)
    return abalone.standardised(table, *abalone.split(table))
