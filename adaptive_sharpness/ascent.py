"""Maximise a loss over a ball of perturbations."""

from collections.abc import Callable

import torch
from torch import Tensor

from adaptive_sharpness.balls import LInf
from adaptive_sharpness.objective import Parameters


def pga(
    loss: Callable[[Parameters], Tensor], centre: Parameters, ball: LInf, *, steps: int, rate: float
) -> tuple[Tensor, Tensor]:
    """Projected gradient ascent: delta <- project(delta + rate * gradient of L(w + delta)), from delta = 0.

    The report's solver (Hammoud et al. 2023, section II-B). Several problems ascend at once, each on its own.

    Args:
        loss: from parameters, each [P, *shape], to the losses of P problems, [P].
        centre: the weights w, by name, each [P, *shape].
        ball: the perturbations allowed.
        steps: gradient steps, at least 1.
        rate: the length of a step as a multiple of the gradient.

    Returns:
        The losses at w, [P], and the highest losses met after a step, [P]: w itself is no candidate.
    """
    delta = {name: torch.zeros_like(value) for name, value in centre.items()}
    met = []
    for _ in range(steps):
        losses, gradient = _value_and_gradient(loss, centre, delta)
        met.append(losses)
        delta = ball.project({name: value + rate * gradient[name] for name, value in delta.items()})
    with torch.no_grad():
        met.append(loss(_moved(centre, delta)))
    return met[0], torch.stack(met[1:]).amax(dim=0)


def _moved(centre: Parameters, delta: Parameters) -> Parameters:
    return {name: value + delta[name] for name, value in centre.items()}


def _value_and_gradient(loss, centre: Parameters, delta: Parameters) -> tuple[Tensor, Parameters]:
    """Each problem's loss and gradient: the problems share nothing, so the sum's gradient holds them all."""
    weights = {name: value.detach().requires_grad_() for name, value in _moved(centre, delta).items()}
    losses = loss(weights)
    gradients = torch.autograd.grad(losses.sum(), list(weights.values()))
    return losses.detach(), dict(zip(weights, gradients, strict=True))
