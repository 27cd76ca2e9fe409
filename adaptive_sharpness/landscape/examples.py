"""The examples of a batch: how many there are, and some of them."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def count(batch: Any) -> int:
    """How many examples a batch has: the size of the first dimension, which all of its tensors share.

    Args:
        batch: a tensor; or a tuple, list or dict of them, at any depth.

    Raises:
        ValueError: if it is something else, or its tensors differ.

    Example:
        >>> import torch
        >>> count({"x": torch.zeros(4, 2), "y": torch.zeros(4)})
        4
    """
    sizes = sorted({len(value) if value.dim() else 0 for value in _tensors(batch)})
    if len(sizes) != 1:
        raise ValueError(
            f"batch: got tensors of {', '.join(map(str, sizes)) or 'no'} rows in it, wanted one number of examples: "
            f"the first dimension of all its tensors"
        )
    return sizes[0]


def some(batch: Any, begin: int, end: int) -> Any:
    """The examples from begin to before end, in a batch of the same form.

    Args:
        batch: as in `count`.
        begin: the first example.
        end: the one after the last.

    Example:
        >>> import torch
        >>> some([torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])], 1, 3)
        [tensor([2, 3]), tensor([5, 6])]
    """
    if isinstance(batch, Tensor):
        return batch[begin:end]
    if type(batch) is dict:
        return {key: some(value, begin, end) for key, value in batch.items()}
    if type(batch) in (tuple, list):
        return type(batch)(some(value, begin, end) for value in batch)
    return batch  # such as a name or a flag, which `count` leaves out


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif type(batch) is dict:
        yield from (tensor for value in batch.values() for tensor in _tensors(value))
    elif type(batch) in (tuple, list):
        yield from (tensor for value in batch for tensor in _tensors(value))
    elif not isinstance(batch, str | int | float | None):
        raise ValueError(
            f"batch: got a {type(batch).__name__} in it, whose examples cannot be told apart, wanted tensors"
        )
