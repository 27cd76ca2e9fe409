"""Exchanges that a permutation test makes, and the share of them that is as extreme as the data."""

from collections.abc import Iterator

import numpy as np

from adaptive_sharpness.stats.grid import joint

TOLERANCE = 1e-9  # of two statistics that are one and the same count
CHUNK = 2**22  # positions drawn at once


def within_strata(strata: np.ndarray, draw: np.random.Generator, draws: int) -> Iterator[np.ndarray]:
    """Return exchanges of units, each with units of its own stratum.

    Args:
        strata: of each unit, whole numbers, [units].
        draw: where they come from.
        draws: how many.

    Returns:
        Positions, some exchanges at a time, each [some, units].

    Example:
        >>> found, = within_strata(np.array([0, 1, 0]), np.random.default_rng(0), 20)
        >>> sorted(set(map(tuple, found.tolist())))
        [(0, 1, 2), (2, 1, 0)]
    """
    order = np.argsort(strata, kind="stable")
    _, starts, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    # Strata of one size are drawn together: the members of each, [strata, size].
    members = [order[starts[sizes == size][:, None] + np.arange(size)] for size in np.unique(sizes[sizes > 1])]
    for some in _chunks(draws, len(strata)):
        positions = np.tile(np.arange(len(strata)), (some, 1))
        for each in members:
            turns = draw.random((some, *each.shape), dtype=np.float32).argsort(axis=2)
            positions[:, each.ravel()] = np.take_along_axis(each[None], turns, axis=2).reshape(some, -1)
        yield positions


def of_clusters(
    clusters: np.ndarray, draw: np.random.Generator, draws: int, repeats: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Return exchanges of whole clusters, each with clusters that have as many units with as many repeats.

    Args:
        clusters: of each unit, whole numbers from 0, [units].
        draw: where they come from.
        draws: how many.
        repeats: of each unit, [units]; 1 if not given.

    Returns:
        Positions, some exchanges at a time, each [some, units]; a cluster's units keep their order.

    Example:
        >>> found, = of_clusters(np.array([0, 0, 1, 1, 2]), np.random.default_rng(0), 20)
        >>> sorted(set(map(tuple, found.tolist())))
        [(0, 1, 2, 3, 4), (2, 3, 0, 1, 4)]
    """
    kinds = cluster_kinds(clusters, np.ones(len(clusters), dtype=int) if repeats is None else repeats)
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order)) - starts[clusters[order]]  # of a unit within its cluster
    for chosen in within_strata(kinds, draw, draws):
        yield order[starts[chosen[:, clusters]] + place]


def cluster_kinds(clusters: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """Return a whole number for each cluster, equal where clusters have as many units with as many repeats in turn.

    Args:
        clusters: of each unit, whole numbers from 0, [units].
        repeats: of each unit, [units].

    Returns:
        [clusters].

    Example:
        >>> cluster_kinds(np.array([0, 1, 1, 2]), np.array([3, 3, 3, 3])).tolist()
        [0, 1, 0]
    """
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    table = np.zeros((len(sizes), sizes.max(initial=0)), dtype=int)
    starts = np.cumsum(sizes) - sizes
    table[clusters[order], np.arange(len(order)) - starts[clusters[order]]] = repeats[order]
    return joint(table)


def exchangeable(strata: np.ndarray) -> bool:
    """Return whether there are two units of one stratum.

    Args:
        strata: of each unit, whole numbers, [units].

    Returns:
        False if no exchange changes anything.

    Example:
        >>> exchangeable(np.array([0, 1, 2])), exchangeable(np.array([0, 1, 1]))
        (False, True)
    """
    return len(np.unique(strata)) < len(strata)


def two_sided(statistic: float, drawn: np.ndarray, centre: float = 0.0) -> float:
    """Return (1 + count) / (1 + draws), counting those at least as far from the centre (Phipson & Smyth 2010).

    Args:
        statistic: of the data.
        drawn: under exchange, [draws].
        centre: what it is expected to be without association.

    Returns:
        p; a drawn statistic that does not exist counts as no further than the centre.

    Example:
        >>> two_sided(0.5, np.array([-0.6, 0.1, 0.2]))
        0.5
    """
    return one_sided(abs(statistic - centre), np.abs(np.asarray(drawn) - centre))


def one_sided(statistic: float, drawn: np.ndarray) -> float:
    """Return (1 + count) / (1 + draws), counting those that are at least as high (Phipson & Smyth 2010).

    Args:
        statistic: of the data.
        drawn: under exchange, [draws].

    Returns:
        p; a drawn statistic that does not exist counts as lower.

    Example:
        >>> one_sided(0.5, np.array([0.6, 0.1, 0.2]))
        0.5
    """
    drawn = np.asarray(drawn)
    return float((1 + (drawn >= statistic - TOLERANCE).sum()) / (1 + len(drawn)))


def _chunks(draws: int, units: int) -> list[int]:
    size = max(CHUNK // max(units, 1), 1)
    return [min(size, draws - first) for first in range(0, draws, size)]
