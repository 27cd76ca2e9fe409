"""Abalone (Nash et al. 1995): predict the rings of a shell from its sex and seven measurements.

Reads abalone.data: 4177 rows without a header; sex (M, F or I), seven measurements, rings.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from adaptive_sharpness.dataset import Dataset, Rows

SEXES = ("M", "F", "I")


def load(raw: Path) -> Dataset:
    """Ten standardised inputs (seven measurements, then one-hot sex), and the standardised rings.

    The split is the report's: scikit-learn's train_test_split(test_size=0.2, random_state=42) over rows 2 to 4177, to
    whose training part row 1 is added, since the report's code loses that row. Inputs and target are standardised by
    mean and (unbiased) standard deviation of the training part.

    Args:
        raw: the folder that holds abalone.data.

    Returns:
        3341 training and 836 test rows; inputs [n, 10], targets [n, 1], float32.
    """
    table = np.loadtxt(raw / "abalone.data", delimiter=",", dtype=str)
    sex = (table[:, :1] == np.array(SEXES)).astype(np.float64)
    columns = np.hstack([table[:, 1:8].astype(np.float64), sex, table[:, 8:].astype(np.float64)])
    train, test = train_test_split(np.arange(1, len(columns)), test_size=0.2, random_state=42)
    train = np.concatenate([[0], train])
    columns = (columns - columns[train].mean(axis=0)) / columns[train].std(axis=0, ddof=1)
    return Dataset(_rows(columns[train]), _rows(columns[test]))


def _rows(columns: np.ndarray) -> Rows:
    values = torch.from_numpy(columns).float()
    return Rows(values[:, :-1], values[:, -1:], shift=torch.tensor(0.0), scale=torch.tensor(1.0))
