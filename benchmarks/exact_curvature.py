"""The largest eigenvalue of diag(c) H diag(c) in float64, by code that shares nothing with the library's."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from torch import Tensor

from benchmarks.made_networks import Made

TOLERANCE = 1e-5  # of the residual, as a share of the eigenvalue; the eigenvalue's own error is about its square


def largest(made: Made, scale: str, *, most: int = 300) -> float:
    """Lanczos's three-term recurrence on products by double backward.

    Without orthogonalisation, which costs memory: rounding then gives copies of eigenvalues, and none too large.

    Args:
        made: the network, its loss and batch.
        scale: "adaptive" for c = |w|, "none" for c = 1.
        most: products.

    Returns:
        The eigenvalue.

    Raises:
        ArithmeticError: if it has not converged.
    """
    product, size = _product(made, scale)
    draw = torch.Generator().manual_seed(1)
    vector = torch.randn(size, generator=draw, dtype=torch.float64).to(made.batch[0].device)
    vector, before, beside = vector / vector.norm(), torch.zeros_like(vector), 0.0
    diagonal, off = [], []
    for _ in range(most):
        ahead = product(vector) - beside * before
        diagonal.append(float(ahead @ vector))
        ahead -= diagonal[-1] * vector
        beside = float(ahead.norm())
        values, vectors = eigh_tridiagonal(np.array(diagonal), np.array(off))
        if abs(beside * vectors[-1, -1]) <= TOLERANCE * abs(values[-1]):
            return float(values[-1])
        off.append(beside)
        before, vector = vector, ahead / beside
    raise ArithmeticError(f"eigenvalue: got none after {most} products, wanted a residual of {TOLERANCE:g} of it")


def _product(made: Made, scale: str) -> tuple[Callable[[Tensor], Tensor], int]:
    """The function from v to diag(c) H diag(c) v, and the number of weights."""
    network = deepcopy(made.network).double()
    weights = list(network.parameters())
    inputs, targets = made.batch
    gradient = torch.autograd.grad(made.loss(network(inputs.double()), targets), weights, create_graph=True)
    flat = torch.cat([each.flatten() for each in weights]).detach()
    c = flat.abs() if scale == "adaptive" else torch.ones_like(flat)

    def product(v: Tensor) -> Tensor:
        parts = [each.view_as(w) for each, w in zip((c * v).split([w.numel() for w in weights]), weights, strict=True)]
        found = torch.autograd.grad(gradient, weights, parts, retain_graph=True)
        return c * torch.cat([each.flatten() for each in found])

    return product, len(flat)
