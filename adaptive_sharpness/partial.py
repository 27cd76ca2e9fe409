"""Kendall's tau between sharpness and test loss that is left once training loss is given."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from adaptive_sharpness.correlation import finite, reason, tau_b
from adaptive_sharpness.resampling import interval, tau_of_resamples, without_each

ROUNDING = 1e-9  # of a partial correlation, which divides by what is left of x and y


@dataclass(frozen=True)
class Partial:
    """A partial tau, nan where it does not exist.

    Args:
        tau: Kendall's partial tau.
        low: lower end of its 95 % interval.
        high: its upper end.
        gaussian: the tau of a Gaussian that has the partial correlation which the three taus imply.
        gaussian_low: lower end of its 95 % interval.
        gaussian_high: its upper end.
    """

    tau: float
    low: float
    high: float
    gaussian: float
    gaussian_low: float
    gaussian_high: float


def partial_tau(x: np.ndarray, y: np.ndarray, z: np.ndarray, *, seed: int = 0, resamples: int = 9999) -> Partial:
    """Kendall's partial tau (Kendall 1942), with a BCa bootstrap interval (Efron 1987) over models.

    It is not 0 where x and y are independent given z, not even for a Gaussian; `gaussian` is, for a Gaussian.

    Args:
        x: one value a model, [models].
        y: another value of the same models, [models].
        z: what is given, [models].
        seed: of the resampling.
        resamples: how many; one in which it does not exist counts as 0: it shows no association, and draws the
            interval towards 0.

    Returns:
        Partial; all nan where fewer than 3 models are usable, all values of one tie, or z orders x or y perfectly.
        `gaussian` and its interval are nan too where it is 1 or -1 or beyond: of the four kinds of pairs of models (x
        orders them as z does or not, and so does y) one is empty. Few models do that by chance, whatever tau is. Its
        interval alone is nan where that is so without one of the models.
    """
    x, y, z = finite(x, y, z)
    if reason(x=x, y=y, z=z):
        return Partial(*[math.nan] * 6)
    pairs = (x, y), (x, z), (y, z)
    taus = [tau_b(*pair) for pair in pairs]
    resampled = [tau_of_resamples(*pair) for pair in pairs]

    def of_resamples(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.nan_to_num(partial(*(each(positions, axis) for each in resampled)))

    tau, gaussian = float(partial(*taus)), float(gaussian_partial(*taus))
    if abs(gaussian) > 1 - ROUNDING:
        gaussian = math.nan
    without = gaussian_partial(*(each(without_each(len(x))) for each in resampled))
    return Partial(
        tau,
        *interval(tau, of_resamples, len(x), seed=seed, resamples=resamples),
        gaussian,
        *jackknife(gaussian, without),
    )


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


def gaussian_partial(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    """(2/pi) asin of the partial correlation of a Gaussian with these taus, r = sin(pi tau / 2) (Kruskal 1958).

    Args:
        xy: tau of x and y, [...].
        xz: tau of x and z, [...].
        yz: tau of y and z, [...].

    Returns:
        [...], from -1 to 1; nan where z leaves nothing of x or of y, and where the partial correlation would lie beyond
        1 or -1 by more than rounding, as only the taus of values that tie can make it.
    """
    r = partial(*np.sin(np.pi / 2 * np.array([xy, xz, yz])))
    whole = np.abs(np.abs(r) - 1) <= ROUNDING  # asin is so steep there that it would show the rounding
    return 2 / np.pi * np.arcsin(np.where(whole, np.sign(r), np.where(np.abs(r) > 1, math.nan, r)))


def jackknife(tau: float, without: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of `gaussian_partial`, from what it is without each of the models (Tukey 1958).

    On the scale of atanh r, as Fisher's. The bootstrap's is too wide where x and y depend on z much: models that are
    drawn twice make no pair, so that taus of resamples vary more than those of pools.

    Args:
        tau: of all models.
        without: [models], of all but one.

    Returns:
        Both ends; nan where tau is, or where one of the others is nan, 1 or -1.
    """
    if not (np.abs([tau, *without]) < 1 - ROUNDING).all():
        return math.nan, math.nan
    z, others = (np.arctanh(np.sin(np.pi / 2 * each)) for each in (tau, without))
    error = math.sqrt((len(others) - 1) * others.var())
    ends = z + stats.norm.ppf([0.025, 0.975]) * error
    return tuple((2 / np.pi * np.arcsin(np.tanh(ends))).tolist())
