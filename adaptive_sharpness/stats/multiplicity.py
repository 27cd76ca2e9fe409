"""What is left of several p once it is said that there were several."""

import math

import numpy as np


def holm(pvalues: np.ndarray) -> np.ndarray:
    """Return Holm's correction (1979) of those p that are not nan: max over j <= i of (m - j + 1) p_(j), at most 1.

    Args:
        pvalues: of each test, [tests].

    Returns:
        Adjusted p, [tests].

    Example:
        >>> holm(np.array([0.01, np.nan, 0.03])).tolist()
        [0.02, nan, 0.03]
    """
    pvalues = np.asarray(pvalues, dtype=float)
    order = np.argsort(pvalues)[: np.count_nonzero(~np.isnan(pvalues))]  # nan sorts last
    adjusted = np.full(len(pvalues), math.nan)
    steps = np.arange(len(order), 0, -1) * pvalues[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
