"""One module a measure of sharpness, each with `measure(objective, parameters, rho, batches, **options) -> PerBatch`.

The module's name is the estimator's in config.
"""

from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor

from adaptive_sharpness.objective import Objective, Parameters
from adaptive_sharpness.randomness import generator


@dataclass(frozen=True)
class PerBatch:
    """What a measure finds on each batch.

    Args:
        base_loss: L_S(w), [batches].
        max_loss: the highest L_S(w + delta) found, [batches].
    """

    base_loss: Tensor
    max_loss: Tensor

    @property
    def rise(self) -> Tensor:
        """L_S(w + delta) - L_S(w), [batches]; its mean is the sharpness."""
        return self.max_loss - self.base_loss


def draw_batches(examples: int, batches: int, batch_size: int, seed: int) -> Tensor:
    """Batches drawn uniformly with replacement; each follows from (seed, its number), so that all models meet the same.

    Args:
        examples: size of the training split.
        batches: how many.
        batch_size: m, examples a batch.
        seed: the measure's seed.

    Returns:
        Indices, [batches, batch_size] int64.
    """
    draws = (generator(seed, "sharpness batch", batch) for batch in range(batches))
    return torch.stack([torch.randint(examples, (batch_size,), generator=draw) for draw in draws])


def measure(
    estimator: str, objective: Objective, parameters: Parameters, rho: float, batches: Tensor, options: dict
) -> PerBatch:
    """Measure one model by the estimator of this name.

    Args:
        estimator: the name of a module of this package.
        objective: the loss of the model on a batch.
        parameters: its weights, by name.
        rho: radius of the ball, in units of its scale.
        batches: stacked along the first dimension, [batches, ...].
        options: what the estimator takes besides.

    Returns:
        What it found on each batch.

    Raises:
        ValueError: if the estimator does not take these options.
    """
    module = import_module(f"{__name__}.{estimator}")
    try:
        return module.measure(objective, parameters, rho, batches, **options)
    except TypeError as error:
        raise ValueError(f"estimator {estimator}: options {options} do not fit its measure(): {error}") from error
