"""The Hessian in adaptive coordinates, diag(c) H diag(c), batch by batch: the second-order term of sharpness."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

from adaptive_sharpness.landscape import options
from adaptive_sharpness.landscape.objective import Parameters
from adaptive_sharpness.landscape.problems import Chunk, Problems
from adaptive_sharpness.landscape.products import scaled_hessian_product
from adaptive_sharpness.measures._measured import Measured

DENSE = 32  # up to so many weights the matrix itself is small


@dataclass(frozen=True, repr=False, kw_only=True)
class Curvature(Measured):
    """What `hessian` finds on each batch, see `Measured`; its quantities are lambda_max and trace."""

    headline: str = "lambda_max"

    @property
    def trace(self) -> Tensor:
        """Hutchinson's estimate of the trace.

        Example:
            >>> Curvature(per_batch=torch.tensor([2.0]), further={"trace": torch.tensor([3.0])}).trace.item()
            3.0
        """
        return self.further["trace"]


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
    """Return the largest eigenvalue and the trace of diag(c) H diag(c), H the Hessian of L_S at w, for every batch S.

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

    Example:
        >>> model, batch = nn.Linear(1, 1, bias=False).eval(), (torch.tensor([[1.0]]), torch.tensor([[0.0]]))
        >>> _ = nn.init.constant_(model.weight, 2.0)
        >>> result = hessian(model, nn.functional.mse_loss, batch)  # 2^2 times the second derivative of w^2, which is 2
        >>> result.sharpness, result.trace.item()
        (8.0, 8.0)
    """
    options.whole("vectors", vectors, least=1)
    options_of_loss = {"adaptive": adaptive, "perturb": perturb, "normalise_logits": normalise_logits}

    def solution(chunk: Chunk) -> dict[str, Tensor]:
        base = chunk.loss(chunk.weights).detach()
        chunk.require_finite(base, "at the weights")
        product, size = scaled_hessian_product(chunk)
        signs = [np.sign(_vector(chunk, seed, number, size)) for number in range(1, vectors + 1)]
        trace = torch.tensor([np.mean([sign @ product(sign) for sign in signs])], dtype=torch.float64)
        chunk.require_finite(trace, "at the weights", what="curvature")  # ARPACK would fail with a riddle
        largest = _largest(product, _vector(chunk, seed, 0, size), chunk)
        return {"per_batch": largest, "base_loss": base, "trace": trace}

    problems = Problems(model, loss, batches, states=states, transformed=True, **options_of_loss)
    found = problems.solve(solution)
    return Curvature(further={"trace": found.pop("trace")}, **found)


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
