"""Comparisons of all pairs of models, up to 64 to a machine word: which lie above which, by one value or by two.

For n models a comparison of all pairs is n^2 bits: 0.6 MB for 2,187, and a few passes over them count all pairs.
"""

import math
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


class Memory:
    """Memory that calls work in, so that they do not ask for it each time: it serves one thread."""

    def __init__(self):
        self._held: dict[str, np.ndarray] = {}

    def array(self, purpose: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array for a purpose, with what was left there before.

        Args:
            purpose: each has memory of its own, which grows if need be.
            shape: of the array.
            dtype: of its elements.

        Example:
            >>> memory = Memory()
            >>> memory.array("words", (2, 3), np.dtype("uint8"))[:] = 7
            >>> memory.array("words", (4,), np.dtype("uint8")).tolist()
            [7, 7, 7, 7]
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if purpose not in self._held or self._held[purpose].nbytes < size:
            self._held[purpose] = np.empty(size, dtype=np.uint8)
        return self._held[purpose][:size].view(dtype).reshape(shape)


class Columns:
    """A bit of its own for each model; models of one group share no word with those of another.

    Args:
        group: of each model, whole numbers from 0, [models].
        memory: that calls work in; several objects may share it. Its own, if None.
    """

    def __init__(self, group: np.ndarray, memory: Memory | None = None):
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
        self._memory, self._dtype = memory or Memory(), word

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
        shape = (len(self._rows) + 1, self._shape[1] * self._shape[2])
        lowest = self._memory.array("lowest", shape, self._dtype)
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
        ones = np.bitwise_count(bits, out=self._memory.array("ones", bits.shape, np.dtype(np.uint8)))
        return np.add.reduceat(ones, self.starts, axis=0, dtype=np.int64).reshape(self._shape).sum(axis=1)
