"""Worst-case m-sharpness: the highest rise of a batch's loss in a ball around the weights, batch by batch."""

from functools import partial

import torch
from torch import Tensor

from adaptive_sharpness import balls
from adaptive_sharpness.ascent import pga
from adaptive_sharpness.measures import PerBatch
from adaptive_sharpness.objective import Objective, Parameters


def measure(
    objective: Objective,
    parameters: Parameters,
    rho: float,
    batches: Tensor,
    *,
    steps: int,
    rate: float,
    adaptive: bool = True,
    origin: bool = False,
    stacked: int = 1,
) -> PerBatch:
    """Estimate max over ||delta / c||_inf <= rho of L_S(w + delta) - L_S(w), for every batch S.

    c = |w| if adaptive (Kwon et al. 2021, eq. 3), else 1; the maximum is sought by `ascent.pga`. With the report's raw
    gradient steps the estimate depends on the scale of the weights, though what it estimates does not.

    Args:
        objective: the loss of the model on a batch.
        parameters: its weights w, by name.
        rho: radius of the ball, in units of c, finite and at least 0.
        batches: stacked along the first dimension, [batches, ...].
        steps: gradient steps.
        rate: the length of a step as a multiple of the gradient.
        adaptive: whether the ball follows the size of each weight.
        origin: whether delta = 0 is a candidate; without it, as in the report, a rise can be negative.
        stacked: batches that ascend at once; changes speed and memory, and a result by rounding only.

    Returns:
        Losses at w and the highest losses found.

    Raises:
        ValueError: if rho is negative or not finite, or if there is no step.
    """
    if steps < 1:
        raise ValueError(f"steps: got {steps}, wanted a whole number, at least 1")
    if not 0 <= rho < float("inf"):
        raise ValueError(f"rho: got {rho}, wanted a finite number, at least 0")
    found = []
    for chunk in batches.split(stacked):
        centre = {name: value.detach()[None].expand(len(chunk), *value.shape) for name, value in parameters.items()}
        ball = balls.LInf(balls.scale(centre, adaptive), rho)
        found.append(pga(partial(objective, batches=chunk), centre, ball, steps=steps, rate=rate))
    base, best = (torch.cat(losses) for losses in zip(*found, strict=True))
    return PerBatch(base, torch.maximum(base, best) if origin else best)
