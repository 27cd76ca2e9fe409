"""Large tensors in blocks, so that several operations on a place find it in the processor's cache."""

from collections.abc import Iterator

from torch import Tensor

SIZE = 1 << 16  # elements; of float32 and six operands these are 1.5 MiB


def blocks(*values: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views on the same places of several tensors, which cover all of them.

    Args:
        values: of one shape, [P, *shape].

    Yields:
        Views, each [P, n]; or the tensors themselves, where they are small or lie in memory in different orders.

    Example:
        >>> import torch
        >>> [[view.shape[1] for view in views] for views in blocks(torch.zeros(1, SIZE + 5), torch.zeros(1, SIZE + 5))]
        [[65536, 65536], [5, 5]]
    """
    first = values[0]
    order = [0, *sorted(range(1, first.dim()), key=first.stride, reverse=True)]  # that in which they lie in memory
    if first.numel() <= SIZE or any(not value.permute(order).is_contiguous() for value in values):
        yield values
        return
    problems = len(first)
    flat = (value.permute(order).view(problems, -1) for value in values)
    yield from zip(*(value.split(max(1, SIZE // problems), dim=1) for value in flat), strict=True)
