"""Comparisons of all pairs of models, up to 64 to a machine word: which lie above which, by one value or by two.

For n models a comparison of all pairs is n^2 bits: 0.6 MB for 2,187, and a few passes over them count all pairs.
"""

from typing import NamedTuple

import numpy as np

WIDTHS = (8, 16, 32, 64)  # bits of a word


class Order(NamedTuple):
    """Models in order of their values.

    Args:
        rising: positions that sort them, [models].
        lower: how many models lie below each, [models].
    """

    rising: np.ndarray
    lower: np.ndarray


def ordered(values: np.ndarray) -> Order:
    """Return models in order of their values.

    Args:
        values: [models].

    Returns:
        Order.

    Example:
        >>> ordered(np.array([5.0, 1.0, 5.0])).lower.tolist()
        [1, 0, 1]
    """
    rising = np.argsort(values)
    return Order(rising, np.searchsorted(values[rising], values))


class Columns:
    """A bit of its own for each model; models of one group share no word with those of another.

    An object holds the memory that its calls work in, so that they do not ask for it each time: it serves one thread.

    Args:
        group: of each model, whole numbers from 0, [models].
    """

    def __init__(self, group: np.ndarray):
        sizes = np.bincount(group)
        width = next((bits for bits in WIDTHS if sizes.max() <= bits), WIDTHS[-1])
        word = np.dtype(f"uint{width}")
        self.order = np.argsort(group, kind="stable")  # models, group by group
        self.starts = np.cumsum(sizes) - sizes
        within = np.empty(len(group), dtype=int)
        within[self.order] = np.arange(len(group)) - self.starts[group[self.order]]
        self._shape = (len(sizes), -(-int(sizes.max()) // width), len(sizes))
        self._word = within // width * len(sizes) + group
        self._bit = word.type(1) << (within % width).astype(word)
        self._rows = np.arange(1, len(group) + 1)
        self._lowest = np.empty((len(group) + 1, self._shape[1] * self._shape[2]), dtype=word)
        self._ones = np.empty((len(group), self._lowest.shape[1]), dtype=np.uint8)

    def above(self, order: Order, out: np.ndarray | None = None) -> np.ndarray:
        """Return, for each model, a bit for each model that it lies above.

        Args:
            order: of the models.
            out: where to, as it was returned before.

        Returns:
            [models, words x groups]; the models group by group.

        Example:
            >>> Columns(np.zeros(3, dtype=int)).above(ordered(np.array([5.0, 1.0, 7.0]))).tolist()
            [[2], [0], [3]]
        """
        lowest = self._lowest
        lowest.fill(0)
        lowest[self._rows, self._word[order.rising]] = self._bit[order.rising]
        np.cumsum(lowest, axis=0, dtype=lowest.dtype, out=lowest)  # row k holds the k lowest models
        return np.take(lowest, order.lower[self.order], axis=0, mode="clip", out=out)

    def counts(self, bits: np.ndarray) -> np.ndarray:
        """Return how many bits are set for the pairs of each two groups.

        Args:
            bits: [models, words x groups].

        Returns:
            [groups of the models above, groups of the models below].

        Example:
            >>> columns = Columns(np.array([0, 0, 1]))
            >>> columns.counts(columns.above(ordered(np.array([1.0, 2.0, 3.0])))).tolist()
            [[1, 0], [2, 0]]
        """
        np.bitwise_count(bits, out=self._ones)
        return np.add.reduceat(self._ones, self.starts, axis=0, dtype=np.int64).reshape(self._shape).sum(axis=1)
