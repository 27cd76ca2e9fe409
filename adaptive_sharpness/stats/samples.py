"""Which models a statistic can use, and why there may be none of it."""

import numpy as np

FEWEST = 3  # models that a tau needs


def finite(*values: np.ndarray) -> np.ndarray:
    """Return the values of those models of which all are finite.

    Args:
        values: one or several values of each model, each [models].

    Returns:
        The same values of these models, [values, finite models].

    Example:
        >>> finite([1, 2, np.nan], [5, 6, 7])
        array([[1., 2.],
               [5., 6.]])
    """
    stacked = np.stack([np.asarray(value, dtype=float) for value in values])
    return stacked[:, np.isfinite(stacked).all(axis=0)]


def missing_reason(**values: np.ndarray) -> str:
    """Return why these models have no tau; an empty text where they have one.

    Args:
        values: finite values of the same models, [models], by what they are called.

    Returns:
        A reason in words.

    Example:
        >>> missing_reason(x=np.ones(4), y=np.arange(4))
        'all values of x tie'
    """
    n = min(len(value) for value in values.values())
    if n < FEWEST:
        return f"{n} usable {'model' if n == 1 else 'models'}, wanted at least {FEWEST}"
    tied = [name for name, value in values.items() if np.ptp(value) == 0]
    return f"all values of {' and of '.join(name.replace('_', ' ') for name in tied)} tie" if tied else ""
