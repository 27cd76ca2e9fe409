"""Average-case sharpness: the mean rise of a batch's loss under random perturbations of the weights, batch by batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import options
from adaptive_sharpness.landscape.balls import NORMS
from adaptive_sharpness.landscape.problems import Chunk, Problems
from adaptive_sharpness.landscape.progress import Callback
from adaptive_sharpness.landscape.scales import Scale
from adaptive_sharpness.measures._measured import Measured, warn_of_rounding


@dataclass(frozen=True, repr=False, kw_only=True)
class AverageCase(Measured):
    """What `average_case` finds on each batch, see `Measured`; its quantity is the sharpness.

    Args:
        max_loss: the highest L_S(w + delta) met; `per_batch` is the mean one less base_loss.
    """

    max_loss: Tensor


def average_case(
    model: nn.Module | Sequence[nn.Module],
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    rho: float,
    norm: Literal["linf", "l2"] = "linf",
    scale: Literal["adaptive", "none", "filter", "neuron", "keskar", "asam"] | Scale = "adaptive",
    samples: int = 20,
    perturb: Literal["all", "weights", "no_normalisation", "trainable"] | Callable[[str], bool] = "all",
    normalise_logits: bool = False,
    stacked: int = 1,
    states: Mapping[str, Tensor] | None = None,
    micro_batch: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    seed: int = 0,
) -> AverageCase:
    """Return an estimate of E over delta of L_S(w + delta) - L_S(w), for every batch S.

    The average-case sharpness of Andriushchenko et al. 2023, eq. 2.

    delta is uniform on [-rho c, rho c] in each coordinate for l-infinity, and normal with standard deviation rho c for
    l2. Perturbations come in pairs delta, -delta: in their mean the first-order term, which says nothing of curvature
    and would drown it, is 0. They follow from (seed, batch, sample), in units of c the same for every model.

    Args:
        model: a network in eval mode, or several of one architecture.
        loss: of (output, target) where a batch is a pair of tensors; of (network, batch) for all else. The mean.
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; one pair or dict.
        rho: scale of the perturbations, in units of c, finite and at least 0.
        norm: "linf" or "l2".
        scale: c: a name of `scales.SCALES`, such as "adaptive" or "none", or a function of (name, parameter).
        samples: perturbations a batch, an even number.
        perturb: "all" parameters, "weights" without biases, "no_normalisation" layers, "trainable" ones, or a function
            of the name.
        normalise_logits: whether the network's outputs are divided by their standard deviation over classes.
        stacked: problems (pairs of model and batch) solved at once; changes speed and memory, results by rounding only.
        states: parameters and buffers of several models, by name [models, *shape]; `model` is then one network.
        micro_batch: examples that are computed at once, None for a whole batch.
        progress: whether to show a bar; an interrupt then returns what is finished, all else nan.
        callback: called after each batch with the positions of its model and of itself, and the numbers found.
        seed: of the perturbations.

    Returns:
        AverageCase; its standard error over batches holds that of the samples, since each batch has its own.

    Raises:
        ValueError: if an option is none of these, or the loss cannot be measured (see `Problems`, `Objective.check`).
        NotFinite: if a loss is nan or infinite.

    Example:
        >>> model, batch = nn.Linear(1, 1, bias=False).eval(), (torch.tensor([[1.0]]), torch.tensor([[0.0]]))
        >>> _ = nn.init.constant_(model.weight, 2.0)
        >>> result = average_case(model, nn.functional.mse_loss, batch, rho=0.5, samples=4000)
        >>> abs(result.sharpness - 1 / 3) < 0.03  # the mean of (2 + delta)^2 - 2^2, delta uniform on [-1, 1]
        True
    """
    rho = options.radius(rho)
    options.one_of("norm", norm, tuple(NORMS))
    options.whole("samples", samples, least=2)
    if samples % 2:
        raise ValueError(f"samples: got {samples}, wanted an even number: they come in pairs")
    of_loss = {"scale": scale, "perturb": perturb, "normalise_logits": normalise_logits, "micro_batch": micro_batch}
    of_loss |= {"stacked": stacked, "states": states}
    problems = Problems(model, loss, batches, progress=progress, callback=callback, **of_loss)

    @torch.no_grad()
    def solution(chunk: Chunk) -> dict[str, Tensor]:
        ball = NORMS[norm](chunk.scale, rho)
        base = chunk.base_loss()
        losses = []
        for sample in range(samples // 2):
            delta = ball.random(chunk.normal(chunk.generators(seed, "average case", sample)))
            for sign in (1, -1):
                moved = {name: torch.add(w, delta[name], alpha=sign) for name, w in chunk.weights.items()}
                losses.append(chunk.loss(moved).double())
                chunk.require_finite(losses[-1], f"at rho {rho:g}")
        rise = torch.stack([each - base.double() for each in losses]).mean(dim=0)
        return {"per_batch": rise, "base_loss": base, "max_loss": torch.stack(losses).amax(dim=0)}

    found = AverageCase(**problems.solve(solution))
    warn_of_rounding("average_case", found, problems.dtype, found.max_loss > found.base_loss)
    return found
