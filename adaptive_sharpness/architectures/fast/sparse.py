"""Products with constant sparse matrices: of inputs that are mostly zero, and of what edges gather and sum."""

import warnings
from collections.abc import Callable
from functools import cached_property
from inspect import signature

import torch
from torch import Tensor, nn

SPARSE = 0.1  # the share of entries that are not zero up to which their product takes less time than the dense one


class SparseLinear(nn.Module):
    """x W^T, as a linear layer without bias has it, by the entries of x that are not zero; equal up to rounding.

    The sparse form of an input is kept, for all such layers, until another one comes. On a GPU, and for an input with
    more entries than a tenth, or one that needs a gradient itself, it is the dense product.

    Args:
        weight: W, [outputs, inputs].
    """

    def __init__(self, weight: nn.Parameter):
        super().__init__()
        self.weight = weight

    def reset_parameters(self) -> None:
        """Draw the weights anew, as torch_geometric's layers do (Glorot & Bengio 2010, eq. 16).

        Example:
            >>> layer = SparseLinear(nn.Parameter(torch.zeros(300, 300)))
            >>> layer.reset_parameters()
            >>> bool(0.0999 < layer.weight.abs().max() <= 0.1)  # sqrt(6 / (300 + 300))
            True
        """
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, [n, outputs], of inputs x, [n, inputs].

        Example:
            >>> weight, x = torch.arange(20.0)[None], torch.zeros(1, 20)
            >>> x[0, 3] = 2
            >>> SparseLinear(nn.Parameter(weight))(x).item()
            6.0
        """
        if x.is_cuda or x.requires_grad or x.is_inference():
            return nn.functional.linear(x, self.weight)
        matrix = _MATRIX.of(x)
        return nn.functional.linear(x, self.weight) if matrix is None else Product.apply(self.weight.t(), matrix)


class Kept:
    """What is made from a tensor, kept until another tensor comes or this one is changed.

    Args:
        make: from a tensor to what is kept.
    """

    def __init__(self, make: Callable[[Tensor], object]):
        self._make = make
        self._seen: tuple[Tensor | None, int, object] = None, 0, None

    def of(self, tensor: Tensor) -> object:
        """What is made from this tensor.

        Example:
            >>> kept, x = Kept(lambda tensor: tensor.sum().item()), torch.ones(3)
            >>> kept.of(x), kept.of(x.add_(1))
            (3.0, 6.0)
        """
        if tensor.is_inference():  # which does not count its changes
            return self._make(tensor)
        if self._seen[0] is not tensor or self._seen[1] != tensor._version:
            self._seen = tensor, tensor._version, self._make(tensor)
        return self._seen[2]

    def __deepcopy__(self, memo: dict) -> "Kept":
        return Kept(self._make)  # a copy of a layer makes its own


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
        """In CSR form.

        Example:
            >>> Matrix(torch.tensor([[0.0, 2.0]])).rows.values().tolist()
            [2.0]
        """
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # that torch calls it beta
            return self._dense.to_sparse_csr()

    def times(self, dense: Tensor) -> Tensor:
        """The product with a dense matrix, [m, k].

        Example:
            >>> Matrix(torch.tensor([[0.0, 2.0]])).times(torch.tensor([[1.0], [3.0]])).item()
            6.0
        """
        return self.rows @ dense

    @cached_property
    def transposed(self) -> "Matrix":
        """The transpose, of which this is the transpose.

        Example:
            >>> Matrix(torch.tensor([[0.0, 2.0]])).transposed.times(torch.tensor([[1.0]])).tolist()
            [[0.0], [2.0]]
        """
        return self._transposed or Matrix(self._dense.t(), self)


_MATRIX = Kept(lambda x: Matrix(x) if x.count_nonzero().item() <= SPARSE * x.numel() else None)


class Selection:
    """The matrix whose product with another one is some rows of it.

    Args:
        index: the rows, [n] int64.
        size: how many there are to choose from, m.
    """

    def __init__(self, index: Tensor, size: int):
        self.index, self.size = index, size

    @cached_property
    def transposed(self) -> "Sums":
        """The transpose, which sums the rows that were chosen from one.

        Example:
            >>> chosen = Selection(torch.tensor([0, 0]), 2)
            >>> chosen.transposed.times(torch.tensor([[1.0], [2.0]])).tolist()
            [[3.0], [0.0]]
        """
        return Sums(self)

    def times(self, dense: Tensor) -> Tensor:
        """The chosen rows of a matrix, [m, k].

        Example:
            >>> Selection(torch.tensor([2, 0]), 3).times(torch.tensor([[1.0], [2.0], [3.0]])).tolist()
            [[3.0], [1.0]]
        """
        return dense.index_select(0, self.index)


class Sums:
    """The transpose of a selection: each row of its product sums those that were chosen from there, in their order.

    Args:
        transposed: the selection.
    """

    def __init__(self, transposed: Selection):
        self.transposed = transposed
        self._rows: dict[torch.dtype, Tensor] = {}

    def times(self, dense: Tensor) -> Tensor:
        """The sums of rows of a matrix, [n, k].

        Example:
            >>> Sums(Selection(torch.tensor([1, 0, 1]), 2)).times(torch.tensor([[1.0], [2.0], [4.0]])).tolist()
            [[2.0], [5.0]]
        """
        if dense.dtype not in self._rows:
            self._rows[dense.dtype] = self._csr(dense.dtype)
        return self._rows[dense.dtype] @ dense

    def _csr(self, dtype: torch.dtype) -> Tensor:
        index, size = self.transposed.index, self.transposed.size
        ends = torch.bincount(index, minlength=size).cumsum(0)
        starts = torch.cat([ends.new_zeros(1), ends]).int()
        ones = torch.ones(len(index), dtype=dtype)
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            return torch.sparse_csr_tensor(starts, index.argsort(stable=True).int(), ones, (size, len(index)))


class Product(torch.autograd.Function):
    """A B, for a constant A; torch's own derivative of a sparse product would sort A's entries anew at each call.

    Args:
        dense: B, [m, k].
        matrix: A, [n, m]. No tensor, since torch.func knows no sparse ones; it has `times` and `transposed`.

    Example:
        >>> dense = torch.ones(3, 1, requires_grad=True)
        >>> Product.apply(dense, Selection(torch.tensor([2, 2]), 3)).sum().backward()
        >>> dense.grad.tolist()  # row 2 was chosen twice
        [[0.0], [0.0], [2.0]]
    """

    @staticmethod
    def forward(dense: Tensor, matrix) -> Tensor:
        return matrix.times(dense)

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
    def vmap(info, in_dims: tuple, dense: Tensor, matrix) -> tuple[Tensor, int]:
        dense = dense.movedim(in_dims[0], -1)
        return Product.apply(dense.flatten(1), matrix).unflatten(1, dense.shape[1:]), dense.dim() - 1


# torch asks for it at each call, and takes 10 microseconds to find it.
Product.forward.__signature__ = signature(Product.forward)
