"""How much of the difference between models is the models': reliability, and the tau that it leaves within reach."""

import math

import numpy as np
from scipy.stats import norm

CRITICAL = norm.ppf(0.975)


def reliability(values: np.ndarray, k: int | None = None) -> float:
    """Return the intraclass correlation of the mean over k batches: ICC(C,k), two-way, consistency.

    McGraw & Wong 1996. The share of the variance between models' means that the choice of batches does not explain.
    With the mean squares MSR of models and MSE of the residuals, k s / (k s + MSE), where s = (MSR - MSE) / n is the
    variance of models and n the number of batches there are; s is 0 where that is negative.

    For all batches this is Cronbach's alpha, the mean over all ways to halve the batches of the split-half reliability
    4 cov(a, b) / var(a + b) (Cronbach 1951): the halving needs no chance.

    Args:
        values: [models, batches], all models on the same batches; or the losses of examples, [models, examples].
        k: batches of the mean, as many as there are if not given.

    Returns:
        From 0 to 1; nan for fewer than 2 models or batches, or where all models are equal on every batch.

    Example:
        >>> reliability(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
        1.0
    """
    models, batches = values.shape
    if models < 2 or batches < 2 or (values == values[0]).all():
        return math.nan
    means = values.mean(axis=1, keepdims=True)
    residuals = values - means - values.mean(axis=0) + values.mean()
    residual = (residuals**2).sum() / ((models - 1) * (batches - 1))
    between = np.maximum(means.var(ddof=1) - residual / batches, 0)
    k = batches if k is None else k
    return float(k * between / (k * between + residual))


def resolvable_pairs(values: np.ndarray) -> float:
    """Return the share of pairs of models whose means differ by more than 1.96 standard errors of the difference.

    Args:
        values: losses of the test examples, [models, examples].

    Returns:
        From 0 to 1; nan for fewer than 2 models or examples.

    Example:
        >>> resolvable_pairs(np.array([[0.0, 0.1, 0.2], [1.0, 1.1, 1.2]]))
        1.0
    """
    models, examples = values.shape
    if models < 2 or examples < 2:
        return math.nan
    means, covariance = values.mean(axis=1), np.cov(values)
    variances = np.diag(covariance)
    # Rounding may leave a variance of the difference just below 0 where two models differ by a constant.
    squared_errors = np.maximum(variances[:, None] + variances[None, :] - 2 * covariance, 0) / examples
    apart = np.abs(means[:, None] - means[None, :]) > CRITICAL * np.sqrt(squared_errors)
    return float(apart[np.triu_indices(models, 1)].mean())


def noise_ceiling(x: float, y: float) -> float:
    """Return the tau of two values that agree perfectly but for their noise: (2/pi) asin(sqrt(x y)), for a Gaussian.

    The correlation of two noisy values is that of the true ones times sqrt(x y) (Spearman 1904).

    Args:
        x: reliability of one.
        y: reliability of the other.

    Returns:
        From 0 to 1; nan where a reliability is.

    Example:
        >>> noise_ceiling(1.0, 1.0)
        1.0
    """
    return 2 / math.pi * math.asin(math.sqrt(x * y))
