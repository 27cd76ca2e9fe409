"""Kendall's tau between sharpness and test loss over a pool of models, with its uncertainty."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from adaptive_sharpness.resampling import interval, tau_of_resamples, without_each

VARIANCE = 0.437  # of atanh(tau), times n - 4 (Fieller, Hartley & Pearson 1957)
FEWEST = 3  # models that a tau needs


@dataclass(frozen=True)
class Tau:
    """Kendall's tau-b of a pool, nan where it does not exist.

    Args:
        n: models used, those whose two values are finite.
        tau: Kendall's tau-b.
        low: lower end of the 95 % interval.
        high: its upper end.
        p_value: of the two-sided test of no association.
    """

    n: int
    tau: float
    low: float
    high: float
    p_value: float


def kendall(x: np.ndarray, y: np.ndarray, *, seed: int = 0, resamples: int = 9999) -> Tau:
    """Kendall's tau-b (scipy), with a BCa bootstrap interval (Efron 1987) over models.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        seed: of the resampling.
        resamples: how many.

    Returns:
        Tau; all nan but n where fewer than 3 models are usable, or where all values of x or of y tie.
    """
    x, y = finite(x, y)
    if reason(x=x, y=y):
        return Tau(len(x), *[math.nan] * 4)
    found = stats.kendalltau(x, y)
    tau = float(found.statistic)
    low, high = interval(tau, tau_of_resamples(x, y), len(x), seed=seed, resamples=resamples)
    return Tau(len(x), tau, low, high, float(found.pvalue))


def finite(*values: np.ndarray) -> np.ndarray:
    """The models of which all values are finite.

    Args:
        values: each [models].

    Returns:
        The same values of these models, [values, finite models].
    """
    stacked = np.stack([np.asarray(each, dtype=float) for each in values])
    return stacked[:, np.isfinite(stacked).all(axis=0)]


def usable(models: pd.DataFrame) -> pd.DataFrame:
    """The models that count in a tau: those whose sharpness, test loss and training loss are finite.

    Args:
        models: a row a model. One whose training diverged has losses that are nan or infinite.

    Returns:
        Its rows, some left out.
    """
    return models[np.isfinite(models[["sharpness", "test_loss", "train_loss"]]).all(axis=1)]


def reason(**values: np.ndarray) -> str:
    """Why there is no tau.

    Args:
        values: finite values of the same models, [models], by what they are called.

    Returns:
        Empty where there is one.
    """
    n = min(len(each) for each in values.values())
    if n < FEWEST:
        return f"{n} usable {'model' if n == 1 else 'models'}, wanted at least {FEWEST}"
    tied = [name for name, each in values.items() if np.ptp(each) == 0]
    return f"all values of {' and of '.join(name.replace('_', ' ') for name in tied)} tie" if tied else ""


def tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b alone.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        Of the models with two finite values; nan where `kendall` has none.
    """
    x, y = finite(x, y)
    return math.nan if reason(x=x, y=y) else float(stats.kendalltau(x, y).statistic)


def fisher(tau: float, n: int) -> tuple[float, float]:
    """Fisher's 95 % interval, tanh(atanh tau +- 1.96 sqrt(0.437 / (n - 4))) (Fieller, Hartley & Pearson 1957).

    Args:
        tau: Kendall's.
        n: models behind it.

    Returns:
        Both ends; nan where tau is, where it is 1 or -1, or where n is at most 4.
    """
    if not abs(tau) < 1 or n <= 4:
        return math.nan, math.nan
    half = stats.norm.ppf(0.975) * math.sqrt(VARIANCE / (n - 4))
    return math.tanh(math.atanh(tau) - half), math.tanh(math.atanh(tau) + half)


def leave_one_out(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The range of tau as each model in turn is left out: how much one model can do.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        The lowest and the highest tau-b, over models whose absence leaves a tau; nan if there is none.
    """
    x, y = finite(x, y)
    n = len(x)
    if reason(x=x, y=y) or n == FEWEST:
        return math.nan, math.nan
    rest = without_each(n)
    defined = (np.ptp(x[rest], axis=1) > 0) & (np.ptp(y[rest], axis=1) > 0)
    taus = tau_of_resamples(x, y)(rest[defined])
    return (float(taus.min()), float(taus.max())) if len(taus) else (math.nan, math.nan)


def consistency(tau: float, n: int, published: float, published_n: int) -> float:
    """z of the difference of two independent taus; they are consistent where |z| < 1.96.

    z = (atanh tau - atanh published) / sqrt(0.437 / (n - 4) + 0.437 / (published_n - 4)): both are samples, so that a
    published tau outside our interval is not yet a contradiction.

    Args:
        tau: ours.
        n: models behind it, more than 4.
        published: the other.
        published_n: models behind it, more than 4.

    Returns:
        z, nan where tau is or n is too small, infinite where tau is 1 or -1.
    """
    if not math.isfinite(tau) or n <= 4:
        return math.nan
    if abs(tau) == 1:
        return math.copysign(math.inf, tau)
    return (math.atanh(tau) - math.atanh(published)) / math.sqrt(VARIANCE / (n - 4) + VARIANCE / (published_n - 4))
