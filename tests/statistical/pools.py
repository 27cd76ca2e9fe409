"""Pools of a full grid of three levels an axis, with three repeats of each setting, drawn from a generator."""

import itertools
import math
from typing import NamedTuple

import numpy as np

BETWEEN = 0.7  # share of the variance that lies between settings
REPEATS = 3
LEVELS = 3


class Pool(NamedTuple):
    """A pool of models.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis, [models] each.
        setting: of each model, [models].
    """

    mu: np.ndarray
    g: np.ndarray
    axes: dict[str, np.ndarray]
    setting: np.ndarray


def pool(
    rng: np.random.Generator,
    axes: int,
    between: float = 0.0,
    within: float = 0.0,
    mu_effects: np.ndarray | None = None,
    g_effects: np.ndarray | None = None,
) -> Pool:
    """Settings and repeats are Gaussian, with these correlations of mu and g; a level adds effect x level to either."""
    levels = np.array(list(itertools.product(range(LEVELS), repeat=axes)))
    settings = _correlated(rng, between, (len(levels), 1))
    repeats = _correlated(rng, within, (len(levels), REPEATS))
    effects = (np.zeros(axes) if each is None else np.asarray(each) for each in (mu_effects, g_effects))
    values = [
        math.sqrt(BETWEEN) * own + math.sqrt(1 - BETWEEN) * noise + (levels @ effect)[:, None]
        for own, noise, effect in zip(settings, repeats, effects, strict=True)
    ]
    setting = np.repeat(np.arange(len(levels)), REPEATS)
    by_axis = {f"axis {axis}": levels[setting, axis] for axis in range(axes)}
    return Pool(values[0].ravel(), values[1].ravel(), by_axis, setting)


def _correlated(rng: np.random.Generator, correlation: float, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
    one, noise = rng.normal(size=(2, *shape))
    return one, correlation * one + math.sqrt(1 - correlation**2) * noise
