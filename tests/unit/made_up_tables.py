"""Made-up tables of pools whose hyper-parameters vary: with holes, ties, and repeats of unequal number."""

import itertools

import numpy as np
from hypothesis import settings as hypothesis_settings

FEW = hypothesis_settings(max_examples=25, deadline=None, derandomize=True)
KINDS = ("full", "holes", "ties", "repeats", "all of these")


def table(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """A measure, what it should foretell, and the levels of three axes of 2 to 4 levels."""
    rng = np.random.default_rng(seed)
    levels = np.array(list(itertools.product(*(range(rng.integers(2, 5)) for _ in range(3)))))
    if kind in ("holes", "all of these"):
        levels = levels[rng.random(len(levels)) < 0.7]
    repeats = rng.integers(1, 4, size=len(levels)) if kind in ("repeats", "all of these") else 1
    levels = rng.permutation(np.repeat(levels, repeats, axis=0))
    mu = rng.normal(size=len(levels)) + 0.3 * levels.sum(axis=1)
    g = 0.5 * mu + rng.normal(size=len(levels))
    if kind in ("ties", "all of these"):  # quarters: their means over 1, 2 or 3 repeats tie or differ clearly
        mu, g = np.round(2 * mu) / 4, np.round(2 * g) / 4
    rates = np.array([0.1, 0.01, 0.001, 0.0001])[levels[:, 0]]
    names = np.array(["sgd", "sam", "adamw", "asam"])[levels[:, 1]]
    return mu, g, {"rate": rates, "optimiser": names, "width": levels[:, 2]}


def settings(mu: np.ndarray, g: np.ndarray, axes: dict[str, np.ndarray]) -> dict[tuple, tuple[float, float]]:
    """The means of mu and g over the repeats of each setting, by its levels, in plain loops."""
    rows: dict[tuple, list] = {}
    for x, y, *levels in zip(mu, g, *axes.values(), strict=True):
        if np.isfinite(x) and np.isfinite(y):
            rows.setdefault(tuple(levels), []).append((x, y))
    return {levels: tuple(np.mean(sorted(values), axis=0)) for levels, values in rows.items()}
