"""Kendall's tau between sharpness and test loss that is left once training loss is given."""

import math
from dataclasses import dataclass

import numpy as np

from adaptive_sharpness.correlation import finite, reason, tau_b
from adaptive_sharpness.resampling import interval, tau_of_resamples


@dataclass(frozen=True)
class Partial:
    """A partial tau, nan where it does not exist.

    Args:
        tau: Kendall's partial tau.
        low: lower end of its 95 % interval.
        high: its upper end.
        gaussian: the tau of a Gaussian that has the partial correlation which the three taus imply.
    """

    tau: float
    low: float
    high: float
    gaussian: float


def partial_tau(x: np.ndarray, y: np.ndarray, z: np.ndarray, *, seed: int = 0, resamples: int = 9999) -> Partial:
    """Kendall's partial tau (Kendall 1942), with a BCa bootstrap interval (Efron 1987) over models.

    It is not 0 where x and y are independent given z, not even for a Gaussian; `gaussian` is, for a Gaussian.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        z: what is given, [models].
        seed: of the resampling.
        resamples: how many; one in which it does not exist counts as 0.

    Returns:
        Partial; all nan where fewer than 3 models are usable, all values of one tie, or z orders x or y perfectly.
    """
    x, y, z = finite(x, y, z)
    if reason(x=x, y=y, z=z):
        return Partial(*[math.nan] * 4)
    taus = tau_b(x, y), tau_b(x, z), tau_b(y, z)
    tau = float(partial(*taus))
    if math.isnan(tau):
        return Partial(*[math.nan] * 4)
    pairs = [tau_of_resamples(*pair) for pair in ((x, y), (x, z), (y, z))]

    def of_resamples(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.nan_to_num(partial(*(pair(positions, axis) for pair in pairs)))

    low, high = interval(tau, of_resamples, len(x), seed=seed, resamples=resamples)
    return Partial(tau, low, high, gaussian_partial(*taus))


def partial(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    """(xy - xz yz) / sqrt((1 - xz^2) (1 - yz^2)), for correlations of any kind.

    Args:
        xy: of x and y, [...].
        xz: of x and z, [...].
        yz: of y and z, [...].

    Returns:
        [...]; nan where z leaves nothing of x or of y.
    """
    left = (1 - np.square(xz)) * (1 - np.square(yz))
    gone = left < 1e-12
    return np.where(gone, math.nan, (xy - np.multiply(xz, yz)) / np.sqrt(np.where(gone, 1, left)))


def gaussian_partial(xy: float, xz: float, yz: float) -> float:
    """(2/pi) asin of the partial correlation of a Gaussian with these taus, r = sin(pi tau / 2) (Kruskal 1958).

    Args:
        xy: tau of x and y.
        xz: tau of x and z.
        yz: tau of y and z.

    Returns:
        From -1 to 1: a partial correlation beyond, which taus of few models can give, is taken for 1 or -1.
    """
    correlation = partial(*np.sin(np.pi / 2 * np.array([xy, xz, yz])))
    return float(2 / np.pi * np.arcsin(np.clip(correlation, -1, 1)))
