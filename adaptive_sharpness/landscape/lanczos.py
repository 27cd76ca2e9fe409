"""Eigenvalues of a symmetric matrix that is known by its products with vectors (Golub & Van Loan 2013, chapter 10)."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
DENSE = 32  # up to so many dimensions the matrix itself is small
MOST = 500  # steps at most
FEWEST = 6  # steps before the largest eigenvalue may be called found


@dataclass(frozen=True)
class Tridiagonal:
    """What so many steps of Lanczos know of a matrix A: T = Q'AQ, the columns of Q orthonormal.

    Args:
        values: eigenvalues of T, the Ritz values, ascending, [steps] float64.
        vectors: their eigenvectors, [steps, steps].
        rest: how far a further step would leave the span of Q; 0 where the span is one that A does not leave.
        basis: the columns of Q.
    """

    values: Tensor
    vectors: Tensor
    rest: float
    basis: list[Tensor]

    def errors(self) -> Tensor:
        """Estimates of the errors of the Ritz values: min(r, r^2 / gap), r the residual (Parlett 1998).

        Example:
            >>> known = lanczos(lambda v: torch.tensor([1.0, 2.0, 4.0]) * v, torch.ones(3), 2)
            >>> [round(error, 2) for error in known.errors().tolist()]
            [0.09, 0.13]
        """
        residual = self.rest * self.vectors[-1].abs()
        apart = (self.values[:, None] - self.values[None, :]).abs().fill_diagonal_(torch.inf).amin(dim=1)
        return torch.minimum(residual, residual.square() / apart)


def largest(product: Product, start: Tensor, count: int, tolerance: float) -> tuple[Tensor, list[Tensor]]:
    """The largest eigenvalues and their eigenvectors, by Lanczos, which stops once they have converged.

    Lanczos meets one vector of each eigenspace. So where several eigenvalues are wanted, it is begun anew orthogonally
    to those found, until nothing there is larger than the least of them.

    Args:
        product: from a vector, [n], to A's product with it.
        start: a random vector, [n].
        count: how many.
        tolerance: the error allowed, as a share of the absolutely largest Ritz value.

    Returns:
        Eigenvalues, descending, [count] float64, and an eigenvector of length 1 each.

    Example:
        >>> a = torch.diag(torch.arange(50.0, dtype=torch.float64))
        >>> values, vectors = largest(lambda v: a @ v, torch.ones(50, dtype=torch.float64), 2, 1e-10)
        >>> [round(value, 6) for value in values.tolist()]
        [49.0, 48.0]
    """
    size = len(start)
    if size <= DENSE:
        matrix = torch.stack(
            [product(unit) for unit in torch.eye(size, dtype=start.dtype, device=start.device)]
        ).double()
        values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
        return values.flip(0)[:count].cpu(), list(vectors.T.flip(0)[:count].to(start))
    values, vectors, allowed = _converged(product, start, count, tolerance, [])
    draw = torch.Generator().manual_seed(1)
    while 1 < count < size and allowed < torch.inf:
        other = torch.randn(size, generator=draw, dtype=torch.float64).to(start)  # of the start nothing is left there
        value, vector, _ = _converged(product, _orthogonal(other, vectors), 1, tolerance, vectors)
        if value <= values[-1] + allowed:
            break
        place = int((values >= value).sum())
        values = torch.cat([values[:place], value, values[place:-1]])
        vectors = [*vectors[:place], *vector, *vectors[place:-1]]
    return values, vectors


def _converged(
    product: Product, start: Tensor, count: int, tolerance: float, without: list[Tensor]
) -> tuple[Tensor, list[Tensor], float]:
    """Eigenvalues, their eigenvectors, orthogonal to some others, and the error allowed: infinite if it is not met."""

    def found(known: Tridiagonal) -> bool:
        enough = len(known.values) >= FEWEST + 2 * (count - 1)
        allowed = tolerance * known.values.abs().amax()
        return enough and bool((known.errors()[-count:] <= allowed).all())

    most = min(len(start) - len(without), MOST)
    known = lanczos(product, start, most, until=found, without=without)
    allowed = tolerance * float(known.values.abs().amax())
    if len(known.values) == MOST and not found(known):
        allowed = torch.inf
        error = known.errors()[-count:].amax()
        warnings.warn(
            f"hessian: an eigenvalue is known to {error:.1g} after {MOST} products, wanted more", stacklevel=2
        )
    weights = known.vectors.flip(1)[:, :count].T
    vectors = [sum(float(share) * q for share, q in zip(row, known.basis, strict=True)) for row in weights]
    return known.values.flip(0)[:count], vectors, allowed


def lanczos(
    product: Product,
    start: Tensor,
    steps: int,
    until: Callable[[Tridiagonal], bool] = lambda _: False,
    without: Sequence[Tensor] = (),
) -> Tridiagonal:
    """Steps of Lanczos; each new vector is made orthogonal to all before it, twice, so that no eigenvalue comes twice.

    Where the span of the vectors is one that the matrix does not leave, the next vector is another one, at random.

    Args:
        product: from a vector, [n], to A's product with it.
        start: the first vector, not 0, orthogonal to those of `without`.
        steps: at most n, less the vectors of `without`.
        until: whether what is known is enough.
        without: orthonormal eigenvectors to which all is made orthogonal, too.

    Returns:
        What is known.

    Example:
        >>> a = torch.diag(torch.tensor([1.0, 2.0, 4.0]))
        >>> [round(value, 4) for value in lanczos(lambda v: a @ v, torch.ones(3), 3).values.tolist()]
        [1.0, 2.0, 4.0]
    """
    draw = torch.Generator().manual_seed(0)  # of what comes after a span that the matrix does not leave
    basis, diagonal, beside = [start / _length(start)], [], []
    while True:
        ahead = product(basis[-1])
        diagonal.append(float(torch.dot(basis[-1], ahead)))
        rest = _length(_orthogonal(ahead, [*without, *basis]))
        known = _solved(diagonal, beside, rest, basis)
        if rest <= 16 * torch.finfo(start.dtype).eps * float(known.values.abs().amax()):
            rest, known = 0.0, _solved(diagonal, beside, 0.0, basis)
            ahead = torch.randn(len(start), generator=draw, dtype=torch.float64).to(start)
            _orthogonal(ahead, [*without, *basis])
        if len(basis) == steps or until(known):
            return known
        beside.append(rest)
        basis.append(ahead / _length(ahead))


def _solved(diagonal: list[float], beside: list[float], rest: float, basis: list[Tensor]) -> Tridiagonal:
    along, next_to = torch.tensor(diagonal, dtype=torch.float64), torch.tensor(beside, dtype=torch.float64)
    t = torch.diag(along) + torch.diag(next_to, 1) + torch.diag(next_to, -1)
    return Tridiagonal(*torch.linalg.eigh(t), rest, list(basis))


def _orthogonal(vector: Tensor, basis: Sequence[Tensor]) -> Tensor:
    """The vector less its parts along the basis, in place; once more for what rounding left."""
    for _ in range(2):
        for q in basis:
            vector.sub_(q, alpha=float(torch.dot(q, vector)))
    return vector


def _length(vector: Tensor) -> float:
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64))
