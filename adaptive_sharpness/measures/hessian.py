"""The Hessian in adaptive coordinates, diag(c) H diag(c), batch by batch: the second-order term of sharpness."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import options
from adaptive_sharpness.landscape.lanczos import lanczos, largest
from adaptive_sharpness.landscape.objective import Parameters
from adaptive_sharpness.landscape.problems import Chunk, Problems
from adaptive_sharpness.landscape.products import ScaledHessian, flat
from adaptive_sharpness.landscape.progress import Callback, until_interrupted
from adaptive_sharpness.landscape.scales import Scale
from adaptive_sharpness.measures._measured import Measured

MOST_VECTORS = 1000  # for the trace of one batch


@dataclass(frozen=True)
class Density:
    """The spectral density by stochastic Lanczos quadrature (Ghorbani et al. 2019, section 2): a mean over probes.

    Args:
        nodes: where each probe puts weight, [..., vectors, steps] float64.
        weights: how much, of the same shape; a probe's sum is 1.
        size: eigenvalues in all.
    """

    nodes: Tensor
    weights: Tensor
    size: int

    def moment(self, k: int) -> Tensor:
        """Each probe's estimate of the trace of the k-th power, [..., vectors].

        Example:
            >>> Density(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.5, 0.5]]), size=2).moment(2).tolist()  # 1 + 9
            [10.0]
        """
        return self.size * (self.weights * self.nodes**k).sum(-1)

    def at(self, points: Tensor, width: float) -> Tensor:
        """The density at some points, smoothed by a normal distribution.

        Args:
            points: [n].
            width: the normal distribution's standard deviation.

        Returns:
            Densities, [..., n]; each integrates to 1.

        Example:
            >>> density = Density(torch.zeros(1, 1), torch.ones(1, 1), size=1)
            >>> round(density.at(torch.tensor([0.0]), width=1.0).item(), 4)  # 1 / sqrt(2 pi)
            0.3989
        """
        z = (points - self.nodes[..., None]) / width
        bells = torch.exp(-z.square() / 2) / (width * math.sqrt(2 * math.pi))
        return (self.weights[..., None] * bells).sum(-2).mean(-2)


@dataclass(frozen=True, repr=False, kw_only=True)
class Curvature(Measured):
    """What `hessian` finds on each batch, see `Measured`; its quantities are lambda_max, trace, lambda_2, ...

    Args:
        errors: standard errors, by the quantity's name: that of the trace, nan from one vector.
        eigenvalues: the largest ones, descending, [..., batches, eigenvalues].
        eigenvectors: theirs, by name, [..., batches, eigenvalues, *shape], in the coordinates delta / c; if asked for.
        density: if asked for.
        groups: the curvature of each group of parameters, by the group's name, if asked for.
    """

    headline: str = "lambda_max"
    errors: Mapping[str, Tensor] = field(default_factory=dict)
    eigenvalues: Tensor | None = None
    eigenvectors: Parameters | None = None
    density: Density | None = None
    groups: Mapping[str, "Curvature"] | None = None

    @property
    def trace(self) -> Tensor:
        """Hutchinson's estimate of the trace.

        Example:
            >>> Curvature(per_batch=torch.tensor([2.0]), further={"trace": torch.tensor([3.0])}).trace.item()
            3.0
        """
        return self.further["trace"]

    @property
    def trace_error(self) -> Tensor:
        """The standard error of the trace.

        Example:
            >>> Curvature(per_batch=torch.tensor([2.0]), errors={"trace": torch.tensor([0.5])}).trace_error.item()
            0.5
        """
        return self.errors["trace"]

    def diagnostics(self) -> dict[str, Tensor]:
        """Return what else is known of each batch, see `Measured.diagnostics`.

        Example:
            >>> list(Curvature(per_batch=torch.tensor([1.0])).diagnostics())
            ['base_loss']
        """
        return {"base_loss": self.base_loss}


def hessian(
    model: nn.Module | Sequence[nn.Module],
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    scale: Literal["adaptive", "none", "filter", "neuron", "keskar", "asam"] | Scale = "adaptive",
    eigenvalues: int = 1,
    eigenvectors: bool = False,
    vectors: int = 10,
    trace_error: float | None = None,
    density: int = 0,
    groups: Literal["layer"] | Callable[[str], str] | None = None,
    whole: bool = False,
    tolerance: float | None = None,
    perturb: Literal["all", "weights", "no_normalisation", "trainable"] | Callable[[str], bool] = "all",
    normalise_logits: bool = False,
    states: Mapping[str, Tensor] | None = None,
    micro_batch: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    seed: int = 0,
) -> Curvature:
    """Return the largest eigenvalues and the trace of diag(c) H diag(c), H the Hessian of L_S at w, for every batch S.

    Where the gradient is 0, worst-case l2 sharpness tends to rho^2 / 2 times the largest eigenvalue as rho -> 0, and
    average-case l2 sharpness to rho^2 / 2 times the trace; on a real batch the first-order term dominates the former.
    The eigenvalues are found by Lanczos, the trace by Hutchinson's estimate.

    Args:
        model: a network in eval mode, or several of one architecture.
        loss: of (output, target) where a batch is a pair of tensors; of (network, batch) for all else. The mean.
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; one pair or dict.
        scale: c: a name of `scales.SCALES`, or a function of (name, parameter); "none" is the plain Hessian.
        eigenvalues: how many of the largest ones.
        eigenvectors: whether to return theirs.
        vectors: random vectors of signs for the trace, and starts for the density.
        trace_error: the standard error of the trace wanted, as a share of it: more vectors are drawn until it is that.
        density: steps of stochastic Lanczos for the spectral density, 0 for none.
        groups: "layer", or a function from a parameter's name to its group's: whose own blocks of the Hessian to
            measure, too, each with all other parameters fixed; of a few weights there are as many eigenvalues.
        whole: whether all batches are one, the whole data, whose eigenvalues are no means of those of its batches.
        tolerance: the error of an eigenvalue allowed, as a share of the absolutely largest; by precision if None.
        perturb: "all" parameters, "weights" without biases, "no_normalisation" layers, "trainable" ones, or a function
            of the name.
        normalise_logits: whether the network's outputs are divided by their standard deviation over classes.
        states: parameters and buffers of several models, by name [models, *shape]; `model` is then one network.
        micro_batch: examples that are computed at once, None for a whole batch.
        progress: whether to show a bar; an interrupt then returns what is finished, all else nan.
        callback: called after each batch with the positions of its model and of itself, and the numbers found.
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
    for name, value, least in (("vectors", vectors, 1), ("eigenvalues", eigenvalues, 1), ("density", density, 0)):
        options.whole(name, value, least=least)
    options.positive("trace_error", trace_error)
    options.positive("tolerance", tolerance)
    of_loss = {"scale": scale, "normalise_logits": normalise_logits, "micro_batch": micro_batch, "whole": whole}
    told = {"progress": progress, "callback": callback}
    problems = Problems(model, loss, batches, states=states, twice=True, perturb=perturb, **of_loss, **told)
    size = sum(shape.numel() for shape in problems.perturbed.values())
    if eigenvalues > size:
        raise ValueError(f"eigenvalues: got {eigenvalues}, wanted at most {size}, as many as there are weights")
    members = {} if groups is None else _groups(problems.perturbed, groups)
    ranks = ["lambda_max", *(f"lambda_{rank}" for rank in range(2, eigenvalues + 1))]

    def solution(chunk: Chunk) -> dict[str, Tensor]:
        base = chunk.base_loss()
        product = ScaledHessian(chunk)
        known = {"base_loss": base, **_trace(chunk, product, seed, vectors, trace_error)}
        chunk.require_finite(known["trace"], "at the weights", what="curvature")
        accuracy = tolerance or torch.finfo(product.dtype).eps ** 0.8
        start = _vector(chunk, product, seed, 0)
        values, found = largest(product, start, eigenvalues, accuracy)
        if eigenvectors:
            each = [product.by_name(vector) for vector in found]
            known |= {f"vector.{name}": torch.stack([one[name] for one in each], dim=1) for name in each[0]}
        if density:
            known |= _density(chunk, product, seed, vectors, min(density, size))
        return {**known, **{rank: value[None] for rank, value in zip(ranks, values, strict=True)}}

    found = problems.solve(solution)
    of_vectors = {name.removeprefix("vector."): found[name] for name in found if name.startswith("vector.")}
    blocks = {}
    if members and not found["trace"].isnan().any():  # else interrupted
        again = partial(hessian, model, loss, problems.first(), eigenvectors=eigenvectors, states=states, seed=seed)
        same = {"vectors": vectors, "trace_error": trace_error, "density": density, "tolerance": tolerance}
        with until_interrupted(progress):
            for group, names in members.items():
                most = min(eigenvalues, sum(problems.perturbed[name].numel() for name in names))
                blocks[group] = again(**same, **of_loss, eigenvalues=most, perturb=names.__contains__)
    return Curvature(
        per_batch=found["lambda_max"],
        base_loss=found["base_loss"],
        further={"trace": found["trace"], **{rank: found[rank] for rank in ranks[1:]}},
        errors={"trace": found["error"]},
        eigenvalues=torch.stack([found[rank] for rank in ranks], dim=-1),
        eigenvectors=of_vectors or None,
        density=Density(found["nodes"], found["weights"], size) if density else None,
        groups=blocks or None,
    )


def _trace(chunk: Chunk, product: ScaledHessian, seed: int, vectors: int, wanted: float | None) -> dict[str, Tensor]:
    """Hutchinson's estimate and its standard error."""
    forms: list[float] = []
    fewest = vectors if wanted is None else max(vectors, 2)  # one has no standard error
    most = max(vectors, MOST_VECTORS)
    while len(forms) < most:
        sign = _vector(chunk, product, seed, len(forms) + 1).sign()
        forms.append(float(torch.dot(sign.double(), product(sign).double())))
        mean, error = _mean_and_error(forms)
        if len(forms) >= fewest and (wanted is None or not error > wanted * abs(mean)):
            break
    else:
        warnings.warn(f"hessian: the trace is known to {error:.1g} after {most} vectors, wanted more", stacklevel=2)
    return {"trace": torch.tensor([mean], dtype=torch.float64), "error": torch.tensor([error], dtype=torch.float64)}


def _mean_and_error(numbers: Sequence[float]) -> tuple[float, float]:
    values = torch.tensor(numbers, dtype=torch.float64)
    error = float(values.std()) / len(numbers) ** 0.5 if len(numbers) > 1 else math.nan
    return float(values.mean()), error


def _density(chunk: Chunk, product: ScaledHessian, seed: int, vectors: int, steps: int) -> dict[str, Tensor]:
    each = [lanczos(product, _vector(chunk, product, seed, number).sign(), steps) for number in range(1, vectors + 1)]
    return {
        "nodes": torch.stack([known.values for known in each])[None],
        "weights": torch.stack([known.vectors[0].square() for known in each])[None],
    }


def _groups(names: Iterable[str], groups: str | Callable[[str], str]) -> dict[str, list[str]]:
    if not callable(groups):
        options.one_of("groups", groups, ("layer",), further="a function of a parameter's name")
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(groups(name) if callable(groups) else name.rpartition(".")[0], []).append(name)
    return found


def _vector(chunk: Chunk, product: ScaledHessian, seed: int, number: int) -> Tensor:
    normal = chunk.normal(chunk.generators(seed, "hessian", number))
    return flat(normal).to(product.dtype)
