"""A linear layer for inputs that are mostly zero and the same at every call, such as the words of a graph's papers."""

import warnings
from functools import cached_property

import torch
from torch import Tensor, nn

SPARSE = 0.1  # the share of entries that are not zero up to which their product takes less time than the dense one


class SparseLinear(nn.Module):
    """x W^T, as a linear layer without bias has it, by the entries of x that are not zero; equal up to rounding.

    The sparse form of an input is kept until another one comes. On a GPU, and for an input with more entries than a
    tenth, or one that needs a gradient itself, it is the dense product.

    Args:
        weight: W, [outputs, inputs].
    """

    def __init__(self, weight: nn.Parameter):
        super().__init__()
        self.weight = weight
        self._seen: tuple[Tensor | None, int, Matrix | None] = None, 0, None

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, [n, outputs], of inputs x, [n, inputs]."""
        if x.is_cuda or x.requires_grad or x.is_inference():
            return nn.functional.linear(x, self.weight)
        if self._seen[0] is not x or self._seen[1] != x._version:
            few = x.count_nonzero().item() <= SPARSE * x.numel()
            self._seen = x, x._version, Matrix(x) if few else None
        matrix = self._seen[2]
        return nn.functional.linear(x, self.weight) if matrix is None else Product.apply(self.weight.t(), matrix)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_seen": (None, 0, None)}  # a copy of the layer makes its own sparse form


class Matrix:
    """A constant matrix and its transpose, as torch multiplies both by a dense one in least time.

    Args:
        dense: the matrix, [n, m].
        transposed: its transpose, if that has been made.
    """

    def __init__(self, dense: Tensor, transposed: "Matrix | None" = None):
        self._dense, self._transposed = dense, transposed

    @cached_property
    def rows(self) -> Tensor:
        """In CSR form."""
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that torch calls it beta
            return self._dense.to_sparse_csr()

    @cached_property
    def transposed(self) -> "Matrix":
        """The transpose, of which this is the transpose."""
        return self._transposed or Matrix(self._dense.t(), self)


class Product(torch.autograd.Function):
    """A B, for a constant A; torch's own derivative of a sparse product would sort A's entries anew at each call.

    Args:
        dense: B, [m, k].
        matrix: A, [n, m]. Not a tensor, since torch.func knows no sparse ones.
    """

    @staticmethod
    def forward(dense: Tensor, matrix: Matrix) -> Tensor:
        return matrix.rows @ dense

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        ctx.matrix = inputs[1]

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple:
        return Product.apply(gradient, ctx.matrix.transposed), None

    @staticmethod
    def jvp(ctx, tangent: Tensor, _) -> Tensor:
        return Product.apply(tangent, ctx.matrix)

    @staticmethod
    def vmap(info, in_dims: tuple, dense: Tensor, matrix: Matrix) -> tuple[Tensor, int]:
        dense = dense.movedim(in_dims[0], -1)
        return Product.apply(dense.flatten(1), matrix).unflatten(1, dense.shape[1:]), dense.dim() - 1
