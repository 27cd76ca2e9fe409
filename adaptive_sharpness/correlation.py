"""Kendall's tau between sharpness and test loss over a pool of models, with its uncertainty."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

VARIANCE = 0.437  # of atanh(tau), times n - 4 (Fieller, Hartley & Pearson 1957)


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
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = np.asarray(x)[usable], np.asarray(y)[usable]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Tau(len(x), *[math.nan] * 4)
    found = stats.kendalltau(x, y)
    low, high = _interval(x, y, seed, resamples)
    return Tau(len(x), float(found.statistic), low, high, float(found.pvalue))


def _interval(x: np.ndarray, y: np.ndarray, seed: int, resamples: int) -> tuple[float, float]:
    if abs(stats.kendalltau(x, y).statistic) == 1:  # every resample says the same: BCa is not defined
        return math.nan, math.nan
    draw = np.random.default_rng(int.from_bytes(hashlib.sha256(f"bootstrap {seed}".encode()).digest()[:8]))
    models = (np.arange(len(x)),)
    # Resamples are drawn as positions, since tau then needs no sorting; see tau_of_resamples.
    options = {"method": "BCa", "n_resamples": resamples, "rng": draw, "vectorized": True}
    interval = stats.bootstrap(models, tau_of_resamples(x, y), **options).confidence_interval
    return float(interval.low), float(interval.high)


def tau_of_resamples(x: np.ndarray, y: np.ndarray):
    """Tau-b of many resamples of a pool at once.

    With A, B the signs of all differences in x and in y and c the counts of a resample, tau-b is
    c'(A*B)c / sqrt(c'|A|c c'|B|c). A resample in which all values tie has tau 0.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].

    Returns:
        A function of positions in the pool, [..., n], and of the axis to go along (the last), to taus, [...].
    """
    a, b = (np.sign(values[:, None] - values[None, :]) for values in (x, y))
    products = (a * b, np.abs(a), np.abs(b))

    def tau(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        rows = np.moveaxis(positions, axis, -1).reshape(-1, positions.shape[axis])
        offsets = np.arange(len(rows))[:, None] * len(x)
        counts = np.bincount((rows + offsets).ravel(), minlength=len(rows) * len(x)).reshape(len(rows), len(x))
        both, in_x, in_y = (((counts @ each) * counts).sum(axis=1) for each in products)
        ties = in_x * in_y == 0
        taus = np.where(ties, 0.0, both / np.sqrt(np.where(ties, 1.0, in_x * in_y)))
        return taus.reshape(np.delete(positions.shape, axis))

    return tau


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
