"""The batches on which sharpness is measured."""

import torch
from torch import Tensor

from adaptive_sharpness.landscape.randomness import generator


def draw_batches(examples: int, batches: int, batch_size: int, seed: int) -> Tensor:
    """Return batches drawn uniformly with replacement; each follows from (seed, its number): all models meet the same.

    Args:
        examples: size of the training split.
        batches: how many.
        batch_size: m, examples a batch.
        seed: the measure's seed.

    Returns:
        Indices, [batches, batch_size] int64.

    Example:
        >>> bool((draw_batches(100, 3, 4, seed=0)[:2] == draw_batches(100, 2, 4, seed=0)).all())
        True
    """
    draws = (generator(seed, "sharpness batch", batch) for batch in range(batches))
    return torch.stack([torch.randint(examples, (batch_size,), generator=draw) for draw in draws])
