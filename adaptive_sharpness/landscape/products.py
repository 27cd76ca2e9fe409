"""Products of the Hessian of a loss with vectors."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from torch import Tensor, nn

from adaptive_sharpness.landscape.problems import Chunk


def scaled_hessian_product(chunk: Chunk) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """Return the function from v to diag(c) H diag(c) v of one problem, H the Hessian of its loss (curvlinops).

    Args:
        chunk: of one problem.

    Returns:
        The function, of float64 vectors, and the number of weights.

    Example:
        >>> weights, c = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 2.0]])
        >>> chunk = Chunk([0], [0], {"w": weights}, {"w": c}, lambda w: w["w"].square() @ torch.tensor([1.0, 3.0]))
        >>> product, size = scaled_hessian_product(chunk)  # H = diag(2, 6)
        >>> product(np.array([1.0, 1.0])).tolist(), size
        ([2.0, 24.0], 2)
    """
    risk, nothing = _Risk(chunk), torch.zeros(1)
    c = torch.cat([value.flatten() for value in chunk.scale.values()])
    # Its own check of the data changes a view in place; Objective.check has found no randomness.
    data, as_they_are = [(nothing, nothing)], {"check_deterministic": False, "num_data": 1}
    operator = HessianLinearOperator(risk, _LossAsItIs(), list(risk.weights), data, **as_they_are)

    def product(v: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():  # of what torch does by itself for the second derivative of some losses
            warnings.filterwarnings("ignore", "An output with one or more elements was resized", UserWarning)
            return (c * (operator @ (c * torch.from_numpy(v).to(c)))).cpu().double().numpy()

    return product, len(c)


class _Risk(nn.Module):
    """The loss of one problem as a module of its weights, which is how curvlinops wants it."""

    def __init__(self, chunk: Chunk):
        super().__init__()
        self._names, self._loss = list(chunk.weights), chunk.loss
        self.weights = nn.ParameterList(value[0].detach().clone() for value in chunk.weights.values())

    def forward(self, _: Tensor) -> Tensor:
        return self._loss({name: value[None] for name, value in zip(self._names, self.weights, strict=True)})


class _LossAsItIs(nn.Module):
    """A loss function that leaves the loss as it is."""

    reduction = "sum"

    def forward(self, loss: Tensor, _: Tensor) -> Tensor:
        return loss.sum()
