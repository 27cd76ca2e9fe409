"""The Hessian in adaptive coordinates, diag(c) H diag(c), batch by batch: the second-order term of sharpness."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from curvlinops import HessianLinearOperator
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from adaptive_sharpness import options
from adaptive_sharpness.measures import PerBatch
from adaptive_sharpness.objective import Parameters
from adaptive_sharpness.problems import Chunk, Problems

DENSE = 32  # up to so many weights the matrix itself is small


@dataclass(frozen=True, repr=False)
class Curvature(PerBatch):
    """What `hessian` finds on each batch, see `PerBatch`; `per_batch` is the largest eigenvalue.

    Args:
        trace: Hutchinson's estimate of the trace.
    """

    trace: Tensor


def hessian(
    model: nn.Module | Sequence[nn.Module],
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    adaptive: bool | Callable[[Parameters], Parameters] = True,
    vectors: int = 10,
    perturb: Literal["all", "weights", "no_normalisation"] | Callable[[str], bool] = "all",
    normalise_logits: bool = False,
    states: Mapping[str, Tensor] | None = None,
    seed: int = 0,
) -> Curvature:
    """The largest eigenvalue and the trace of diag(c) H diag(c), H the Hessian of L_S at w, for every batch S.

    Where the gradient is 0, worst-case l2 sharpness tends to rho^2 / 2 times the largest eigenvalue as rho -> 0, and
    average-case l2 sharpness to rho^2 / 2 times the trace; on a real batch the first-order term dominates the former.
    The product of H with a vector is curvlinops', the eigenvalue scipy's (ARPACK), the trace Hutchinson's.

    Args:
        model: a network in eval mode, or several of one architecture.
        loss: of (output, target) where a batch is a pair of tensors; of (network, batch) for all else. The mean.
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; or one pair.
        adaptive: the scale c: |w| if true, 1 if false, or a function from a model's parameters, by name, to c.
        vectors: random vectors of signs for the trace.
        perturb: "all" parameters, "weights" without biases, "no_normalisation" layers, or a function of the name.
        normalise_logits: whether the network's outputs are divided by their standard deviation over classes.
        states: parameters and buffers of several models, by name [models, *shape]; `model` is then one network.
        seed: of the vectors.

    Returns:
        Curvature.

    Raises:
        ValueError: if an option is none of these, or the loss cannot be measured (see `Problems`, `Objective.check`).
        NotFinite: if a loss is nan or infinite.
    """
    options.whole("vectors", vectors, least=1)
    how = {"adaptive": adaptive, "perturb": perturb, "normalise_logits": normalise_logits}

    def solution(chunk: Chunk) -> dict[str, Tensor]:
        base = chunk.loss(chunk.weights).detach()
        chunk.require_finite(base, "at the weights")
        product, size = _product(chunk)
        signs = [np.sign(_vector(chunk, seed, number, size)) for number in range(1, vectors + 1)]
        trace = torch.tensor([np.mean([sign @ product(sign) for sign in signs])], dtype=torch.float64)
        chunk.require_finite(trace, "at the weights", what="curvature")  # ARPACK would fail with a riddle
        largest = _largest(product, _vector(chunk, seed, 0, size), chunk)
        return {"per_batch": largest, "base_loss": base, "trace": trace}

    return Curvature(**Problems(model, loss, batches, states=states, transformed=True, **how).solve(solution))


class _Risk(nn.Module):
    """The loss of one problem as a module of its weights, which is how curvlinops wants it."""

    def __init__(self, chunk: Chunk):
        super().__init__()
        self._names, self._loss = list(chunk.weights), chunk.loss
        self.weights = nn.ParameterList(value[0].detach().clone() for value in chunk.weights.values())

    def forward(self, _: Tensor) -> Tensor:
        return self._loss({name: value[None] for name, value in zip(self._names, self.weights, strict=True)})


class _Same(nn.Module):
    """A loss function that leaves the loss as it is."""

    reduction = "sum"

    def forward(self, loss: Tensor, _: Tensor) -> Tensor:
        return loss.sum()


def _product(chunk: Chunk) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """The function from v to diag(c) H diag(c) v, and the number of weights."""
    risk, nothing = _Risk(chunk), torch.zeros(1)
    c = torch.cat([value.flatten() for value in chunk.scale.values()])
    # Its own check of the data changes a view in place; Objective.check has found no randomness.
    data, as_they_are = [(nothing, nothing)], {"check_deterministic": False, "num_data": 1}
    operator = HessianLinearOperator(risk, _Same(), list(risk.weights), data, **as_they_are)
    return lambda v: (c * (operator @ (c * torch.from_numpy(v).to(c)))).cpu().double().numpy(), len(c)


def _vector(chunk: Chunk, seed: int, number: int, size: int) -> np.ndarray:
    normal = chunk.normal(chunk.generators(seed, "hessian", number))
    return torch.cat([value.flatten() for value in normal.values()]).cpu().double().numpy().reshape(size)


def _largest(product: Callable[[np.ndarray], np.ndarray], start: np.ndarray, chunk: Chunk) -> Tensor:
    """The largest eigenvalue; ARPACK starts from a fixed vector, and wants more than a few dimensions and no zero."""
    like, size = next(iter(chunk.weights.values())), len(start)
    if size <= DENSE:
        matrix = np.stack([product(unit) for unit in np.eye(size)])
        found = np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1]
    elif not product(start).any():
        found = 0.0
    else:
        operator = LinearOperator((size, size), matvec=lambda v: product(v.ravel()), dtype=np.float64)
        tolerance = float(torch.finfo(like.dtype).eps) ** 0.5
        found = eigsh(operator, k=1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)[0]
    return torch.tensor([found], dtype=torch.float64)
