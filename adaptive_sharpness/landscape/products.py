"""Products of the Hessian of a loss with vectors, in the coordinates of a scale."""

import torch
from torch import Tensor

from adaptive_sharpness.landscape.derivatives import hessian_product
from adaptive_sharpness.landscape.objective import Parameters
from adaptive_sharpness.landscape.problems import Chunk


class ScaledHessian:
    """The function from v to C H C v of one problem, H the Hessian of its loss, C = diag(c) its scale.

    Args:
        chunk: of one problem.

    Example:
        >>> weights, c = torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 2.0]])
        >>> chunk = Chunk([0], [0], {"w": weights}, {"w": c}, lambda w: w["w"].square() @ torch.tensor([1.0, 3.0]))
        >>> ScaledHessian(chunk)(torch.tensor([1.0, 1.0])).tolist()  # H = diag(2, 6)
        [2.0, 24.0]
    """

    def __init__(self, chunk: Chunk):
        self._weights, self._scale = chunk.weights, chunk.scale
        self._product = hessian_product(chunk.loss, chunk.weights)
        kinds = [value.dtype for value in chunk.weights.values()]
        self.dtype = torch.float64 if torch.float64 in kinds else torch.float32
        self.size = sum(value.numel() for value in chunk.weights.values())

    def __call__(self, v: Tensor) -> Tensor:
        """The product with a vector, [size].

        Raises:
            NotDifferentiable: if there is no second derivative.
        """
        by_name = self.by_name(v)
        scaled = {name: c * by_name[name] for name, c in self._scale.items()}
        return flat({name: self._scale[name] * value for name, value in self._product(scaled).items()}).to(self.dtype)

    def by_name(self, v: Tensor) -> Parameters:
        """A vector, [size], as tensors of the weights' names, shapes and precisions.

        Example:
            >>> weights = {"a": torch.ones(1, 1), "b": torch.ones(1, 2)}
            >>> product = ScaledHessian(Chunk([0], [0], weights, weights, lambda w: w["a"].sum(1) + w["b"].sum(1)))
            >>> product.by_name(torch.tensor([1.0, 2.0, 3.0]))["b"].tolist()
            [[2.0, 3.0]]
        """
        pieces = v.split([value.numel() for value in self._weights.values()])
        items = zip(self._weights.items(), pieces, strict=True)
        return {name: piece.view(value.shape).to(value) for (name, value), piece in items}


def flat(values: Parameters) -> Tensor:
    """All numbers as one vector.

    Example:
        >>> flat({"a": torch.tensor([[3.0]]), "b": torch.tensor([[4.0]])}).tolist()
        [3.0, 4.0]
    """
    return torch.cat([value.reshape(-1) for value in values.values()])
