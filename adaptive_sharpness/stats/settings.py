"""The means of each setting's repeats, what is exchanged, and why there may be no statistic of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adaptive_sharpness.stats.exchange import cluster_kinds
from adaptive_sharpness.stats.grid import Grid, codes, kept, read_grid
from adaptive_sharpness.stats.samples import FEWEST


@dataclass(frozen=True, eq=False)
class Repeats:
    """The models of a pool whose two values are finite, and their settings.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        grid: their settings.
        clusters: of each setting, whole numbers from 0, [settings].
        used: whether each model of the pool is among them, [models of the pool].
    """

    mu: np.ndarray
    g: np.ndarray
    grid: Grid
    clusters: np.ndarray
    used: np.ndarray


@dataclass(frozen=True, eq=False)
class SettingMeans:
    """A value a setting.

    Args:
        mu: mean of a measure over repeats, [settings].
        g: mean of what it should foretell, [settings].
        grid: the settings.
        clusters: of each setting, whole numbers from 0, [settings].
        reason: why settings have no order; empty where they have one.
    """

    mu: np.ndarray
    g: np.ndarray
    grid: Grid
    clusters: np.ndarray
    reason: str

    @property
    def exchange_groups(self) -> np.ndarray:
        """Of each cluster; clusters of one group may be exchanged, [clusters].

        Example:
            >>> setting_means([1, 2, 3, 4], [1, 2, 3, 4], {"rate": [0.1, 0.2, 0.2, 0.3]}, None).exchange_groups.tolist()
            [0, 1, 0]
        """
        return cluster_kinds(self.clusters, self.grid.repeats)


def read_repeats(mu: np.ndarray, g: np.ndarray, axes: Mapping, clusters: np.ndarray | None) -> Repeats:
    """Return the models whose mu and g are finite.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis by its name, each [models].
        clusters: settings that are no independent draws share one, [models]; each setting is its own if None.

    Returns:
        Repeats.

    Raises:
        ValueError: if arrays do not fit, a level is missing, or a setting lies in several clusters.

    Example:
        >>> read_repeats([1, 2, np.nan], [1, 2, 3], {"rate": [0.1, 0.2, 0.2]}, None).grid.setting.tolist()
        [0, 1]
    """
    mu, g = same_length(mu=mu, g=g)
    grid = read_grid(axes, len(mu))
    if clusters is not None:
        clusters = cluster_codes(clusters, len(mu))
    used = np.isfinite(mu) & np.isfinite(g)
    grid = kept(grid, used)
    return Repeats(mu[used], g[used], grid, grid.clusters(None if clusters is None else clusters[used]), used)


def setting_means(mu: np.ndarray, g: np.ndarray, axes: Mapping, clusters: np.ndarray | None) -> SettingMeans:
    """Return the means of mu and g over each setting's repeats; see `read_repeats`.

    Args:
        mu: a measure, [models].
        g: what it should foretell, [models].
        axes: the levels of each axis by its name, each [models].
        clusters: settings that are no independent draws share one, [models]; each setting is its own if None.

    Returns:
        SettingMeans.

    Raises:
        ValueError: as `read_repeats`.

    Example:
        >>> setting_means([1, 2, 3], [1, 2, 3], {"rate": [0.1, 0.2, 0.2]}, None).mu.tolist()
        [1.0, 2.5]
    """
    pool = read_repeats(mu, g, axes, clusters)
    n = len(pool.grid.levels)
    reason = "" if n >= FEWEST else f"{n} usable {'setting' if n == 1 else 'settings'}, wanted at least {FEWEST}"
    means = [pool.grid.means(values) if n else values for values in (pool.mu, pool.g)]
    return SettingMeans(*means, pool.grid, pool.clusters, reason)


def same_length(**values: np.ndarray) -> list[np.ndarray]:
    """Return arrays of numbers, one value a model.

    Args:
        values: each [models], by what they are called.

    Returns:
        The same as arrays.

    Raises:
        ValueError: if one has another length or more than one axis.

    Example:
        >>> same_length(mu=[1, 2], g=[3, 4])
        [array([1., 2.]), array([3., 4.])]
    """
    arrays = {name: np.asarray(each, dtype=float) for name, each in values.items()}
    shapes = {each.shape for each in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        found = ", ".join(f"{name} of shape {each.shape}" for name, each in arrays.items())
        raise ValueError(f"values: got {found}, wanted one value a model each")
    return list(arrays.values())


def cluster_codes(clusters: np.ndarray, models: int) -> np.ndarray:
    """Return the cluster of each model as a whole number from 0.

    Args:
        clusters: anything that can be told apart, [models].
        models: how many.

    Returns:
        [models].

    Raises:
        ValueError: if there is not one for each model, or one is missing.

    Example:
        >>> cluster_codes(["a", "b", "a"], 3).tolist()
        [0, 1, 0]
    """
    found = codes("clusters", clusters)
    if found.shape != (models,):
        raise ValueError(f"clusters: got {len(found)}, wanted one for each of {models} models")
    return found
