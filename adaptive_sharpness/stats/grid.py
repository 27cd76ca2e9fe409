"""The settings of a pool: which models share all levels, and which settings differ in one axis alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Grid:
    """The settings of a pool, and the models that are repeats of each.

    Args:
        names: of the axes, those with one level among them.
        levels: the level of each setting on each axis, counted from 0 in an order without meaning, [settings, axes].
        setting: of each model, [models].
    """

    names: tuple[str, ...]
    levels: np.ndarray
    setting: np.ndarray

    @cached_property
    def repeats(self) -> np.ndarray:
        """How many models each setting has, [settings].

        Example:
            >>> read_grid({"rate": [0.1, 0.2, 0.1]}, 3).repeats.tolist()
            [2, 1]
        """
        return np.bincount(self.setting, minlength=len(self.levels))

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of each setting's repeats, the same in whatever order they come, [settings].

        Example:
            >>> read_grid({"rate": [0.1, 0.2, 0.1]}, 3).means(np.array([1.0, 5.0, 2.0])).tolist()
            [1.5, 5.0]
        """
        order = np.lexsort((values, self.setting))
        return np.add.reduceat(values[order], _starts(self.setting[order])) / self.repeats

    def clusters(self, clusters: np.ndarray | None) -> np.ndarray:
        """Return the cluster of each setting, [settings]; each setting its own if None is given.

        Raises:
            ValueError: if one setting's models lie in several clusters.

        Example:
            >>> read_grid({"rate": [0.1, 0.2, 0.1, 0.3]}, 4).clusters(np.array([0, 1, 0, 0])).tolist()
            [0, 1, 0]
        """
        if clusters is None:
            return np.arange(len(self.levels))
        of_setting = np.zeros(len(self.levels), dtype=int)
        of_setting[self.setting] = clusters
        if (of_setting[self.setting] != clusters).any():
            raise ValueError("clusters: got models of one setting in several clusters, wanted every setting in one")
        return codes("clusters", of_setting)


@dataclass(frozen=True, eq=False)
class Dyads:
    """Pairs of settings that differ in one axis alone, the pairs of a cell one after the other.

    Args:
        axis: in which the two differ, [pairs].
        first: setting, [pairs].
        second: setting, [pairs].
        starts: the first pair of each cell, [cells].
        cell_axis: the axis that varies in a cell, [cells].
        cell: of each setting, on each axis, [axes, settings].
        kind: which two levels of which axis a pair compares, [pairs].
    """

    axis: np.ndarray
    first: np.ndarray
    second: np.ndarray
    starts: np.ndarray
    cell_axis: np.ndarray
    cell: np.ndarray
    kind: np.ndarray


def read_grid(axes: Mapping, models: int) -> Grid:
    """Return the settings of a pool.

    Args:
        axes: the levels of each axis by its name, each [models]: a mapping, or a table with a column an axis.
        models: how many.

    Returns:
        Grid, its settings in the order in which the first model of each comes.

    Raises:
        ValueError: if there is no axis, an axis is not one level a model, or a level is missing.

    Example:
        >>> read_grid({"rate": [0.1, 0.1, 0.2], "width": [8, 8, 8]}, 3).setting.tolist()
        [0, 0, 1]
    """
    names = tuple(axes)
    if not names:
        raise ValueError("axes: got none, wanted at least one")
    levels = np.stack([_levels(name, axes[name], models) for name in names], axis=1)
    setting = joint(levels)
    first = np.unique(setting, return_index=True)[1]
    return Grid(tuple(str(name) for name in names), levels[first], setting)


def kept(grid: Grid, models: np.ndarray) -> Grid:
    """Return the settings of some of the models of a pool.

    Args:
        grid: of all models.
        models: whether each is kept, [models].

    Returns:
        Grid, without those settings that no model is left of.

    Example:
        >>> kept(read_grid({"rate": [0.1, 0.1, 0.2]}, 3), np.array([True, False, False])).levels.tolist()
        [[0]]
    """
    if models.all():
        return grid
    left, setting = np.unique(grid.setting[models], return_inverse=True)
    return Grid(grid.names, grid.levels[left], setting)


def dyads(grid: Grid) -> Dyads:
    """Return all pairs of settings that differ in one axis alone.

    Args:
        grid: the settings.

    Returns:
        Dyads.

    Example:
        >>> pairs = dyads(read_grid({"rate": [1, 2, 1, 2], "width": [8, 8, 9, 9]}, 4))
        >>> list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
        [(0, 1), (2, 3), (0, 2), (1, 3)]
    """
    axes = range(grid.levels.shape[1])
    cells = [joint(np.delete(grid.levels, axis, axis=1)) for axis in axes]
    found = [pairs_within(cell) for cell in cells]
    counts = [len(first) for first, _, _ in found]
    first, second = (np.concatenate(each).astype(int) for each in list(zip(*found, strict=True))[:2])
    axis = np.repeat(np.arange(len(cells)), counts)
    starts = [starts + before for (_, _, starts), before in zip(found, np.cumsum([0, *counts[:-1]]), strict=True)]
    cell_axis = np.repeat(np.arange(len(cells)), [len(each) for each in starts])
    ends = np.stack([grid.levels[first, axis], grid.levels[second, axis]], axis=1)
    kind = joint(np.column_stack([axis, np.sort(ends, axis=1)]))
    return Dyads(axis, first, second, np.concatenate(starts).astype(int), cell_axis, np.array(cells), kind)


def codes(name: str, values: np.ndarray) -> np.ndarray:
    """Return a whole number for each value, equal where values are, counted from 0 as they come.

    Args:
        name: of the values, for the message.
        values: anything that can be told apart, [models].

    Returns:
        [models].

    Raises:
        ValueError: if a value is missing: None or NaN.

    Example:
        >>> codes("optimiser", ["sgd", "sam", "sgd"]).tolist()
        [0, 1, 0]
    """
    seen: dict = {}
    found = np.array([seen.setdefault(value, len(seen)) for value in np.asarray(values).tolist()], dtype=int)
    missing = [seen[value] for value in seen if value is None or value != value]
    if missing:
        raise ValueError(f"{name}: got no value for {np.isin(found, missing).sum()} of {len(found)} models")
    return found


def joint(levels: np.ndarray) -> np.ndarray:
    """Return a whole number for each row, equal where rows are, counted from 0 as they come.

    Args:
        levels: whole numbers from 0, [rows, columns].

    Returns:
        [rows]; all 0 if there are no columns.

    Example:
        >>> joint(np.array([[0, 1], [0, 0], [0, 1]])).tolist()
        [0, 1, 0]
    """
    found = np.zeros(len(levels), dtype=int)
    for column in levels.T:
        _, first, inverse = np.unique(
            found * (column.max(initial=0) + 1) + column, return_index=True, return_inverse=True
        )
        found = np.argsort(np.argsort(first))[inverse]
    return found


def pairs_within(group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all pairs of units that share a group, those of a group one after the other.

    Args:
        group: of each unit, whole numbers, [units].

    Returns:
        Both units of each pair, [pairs] each, and where the pairs of each group of at least two start, [groups].

    Example:
        >>> [each.tolist() for each in pairs_within(np.array([0, 1, 0, 0]))]
        [[0, 0, 2], [2, 3, 3], [0]]
    """
    order = np.argsort(group, kind="stable")
    starts = _starts(group[order])
    sizes = np.diff(np.append(starts, len(group)))
    firsts, seconds, of_group = [], [], []
    for size in np.unique(sizes[sizes > 1]):
        rows, columns = np.triu_indices(size, 1)
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        firsts.append(members[:, rows].ravel())
        seconds.append(members[:, columns].ravel())
        of_group.append(np.full(len(members), math.comb(size, 2)))
    lengths = np.concatenate([np.zeros(0, dtype=int), *of_group])
    empty = np.zeros(0, dtype=int)
    return np.concatenate([empty, *firsts]), np.concatenate([empty, *seconds]), np.cumsum(lengths) - lengths


def _levels(name: str, values: np.ndarray, models: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (models,):
        raise ValueError(
            f"axis {name}: got an array of shape {values.shape}, wanted one level for each of {models} models"
        )
    return codes(f"axis {name}", values)


def _starts(group: np.ndarray) -> np.ndarray:
    """Where each run of equal values starts."""
    return np.flatnonzero(np.diff(group, prepend=-1))
