"""Abalone (Nash et al. 1995): predict the rings of a shell from its sex and seven measurements.

Reads abalone.data: 4177 rows without a header; sex (M, F or I), seven measurements, rings.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from adaptive_sharpness.datasets import Dataset, Rows

SEXES = ("M", "F", "I")


def load(raw: Path) -> Dataset:
    r"""Ten standardised inputs (seven measurements, then one-hot sex), and the standardised rings.

    The split is the report's: scikit-learn's train_test_split(test_size=0.2, random_state=42) over rows 2 to 4177, to
    whose training part row 1 is added, since the report's code loses that row. Inputs and target are standardised by
    mean and (unbiased) standard deviation of the training part.

    Args:
        raw: the folder that holds abalone.data.

    Returns:
        3341 training and 836 test rows; inputs [n, 10], targets [n, 1], float32.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> rows = [",".join(["MFI"[row % 3], *map(str, range(row, row + 8))]) for row in range(11)]
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "abalone.data").write_text("\n".join(rows))
        ...     dataset = load(Path(folder))
        >>> len(dataset.train), len(dataset.test), dataset.train.inputs.shape[1]  # row 1 and 8 of 10, 2 of 10
        (9, 2, 10)
    """
    table = columns(raw)
    train, test = split(table)
    return standardised(table, np.concatenate([[0], train]), test)


def columns(raw: Path) -> np.ndarray:
    r"""The table of the file.

    Args:
        raw: the folder that holds abalone.data.

    Returns:
        [4177, 11] float64: seven measurements (lengths in 200 mm, weights in 200 g), one-hot sex, rings.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "abalone.data").write_text("F,1,2,3,4,5,6,7,15\nM,2,3,4,5,6,7,8,9\n")
        ...     columns(Path(folder))[0].tolist()
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0, 1.0, 0.0, 15.0]
    """
    table = np.loadtxt(raw / "abalone.data", delimiter=",", dtype=str)
    sex = (table[:, :1] == np.array(SEXES)).astype(np.float64)
    return np.hstack([table[:, 1:8].astype(np.float64), sex, table[:, 8:].astype(np.float64)])


def split(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The report's split of all rows but the first, which its code loses.

    Args:
        table: one row a shell.

    Returns:
        The positions of training and of test rows.

    Example:
        >>> train, test = split(np.zeros((11, 1)))
        >>> len(train), len(test), sorted([*train, *test]) == list(range(1, 11))
        (8, 2, True)
    """
    train, test = train_test_split(np.arange(1, len(table)), test_size=0.2, random_state=42)
    return train, test


def standardised(table: np.ndarray, train: np.ndarray, test: np.ndarray) -> Dataset:
    """Both splits, standardised by mean and (unbiased) standard deviation of the training rows.

    Args:
        table: inputs and, in the last column, the target.
        train: positions of the training rows.
        test: positions of the test rows.

    Returns:
        The data set, float32.

    Example:
        >>> table = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [5.0, 2.0]])
        >>> dataset = standardised(table, train=np.array([0, 1, 2]), test=np.array([3]))
        >>> dataset.test.inputs.item(), dataset.test.targets.item()  # (5 - 2) / 1, (2 - 4) / 2
        (3.0, -1.0)
    """
    table = (table - table[train].mean(axis=0)) / table[train].std(axis=0, ddof=1)
    return Dataset(_rows(table[train]), _rows(table[test]))


def _rows(columns: np.ndarray) -> Rows:
    values = torch.from_numpy(columns).float()
    return Rows(values[:, :-1], values[:, -1:], shift=torch.tensor(0.0), scale=torch.tensor(1.0))
