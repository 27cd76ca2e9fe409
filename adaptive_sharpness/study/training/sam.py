"""Sharpness-aware minimisation: gradients that are taken where the loss is worst nearby."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape.scales import SCALES
from adaptive_sharpness.study.config.training import Sam


def sam_gradient(closure: Callable[[], Tensor], network: nn.Module, sam: Sam) -> Tensor:
    """Return the loss at the weights w, and leave the gradient at w + e, e = rho T^2 g / ||T g||.

    That is where the loss is worst, to first order. g is the gradient at w, T the scale plus eta. Scale `none`, T = 1,
    is SAM (Foret et al. 2021, eq. 2). ASAM (Kwon et al. 2021, algorithm 1) is `adaptive` with eta as its text has it,
    T = |w| + eta; `asam` as its code has it, T = |w| + 0.01 for what has "weight" in its name, else 1; `filter` is the
    text's filter-wise T. Where g is 0, so is e.

    Both passes have the same dropout masks. Batch norm's statistics, and all buffers, are those of the first pass.

    Args:
        closure: computes gradients anew and returns the loss.
        network: its weights are as before afterwards, to the bit.
        sam: rho, scale and eta.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.ones_(network.weight)
        >>> def closure():
        ...     network.zero_grad()
        ...     (loss := network.weight.square().sum()).backward()
        ...     return loss
        >>> sam_gradient(closure, network, Sam(rho=0.5)).item()  # of w^2: 2 (1 + 0.5) in place of 2
        1.0
        >>> network.weight.grad.item(), network.weight.item()
        (3.0, 1.0)
    """
    with torch.random.fork_rng(list({weight.device for weight in network.parameters() if weight.is_cuda})):
        value = closure()
    kept = [(each, each.detach().clone()) for each in network.buffers()]
    kept += _ascend(network, sam)
    closure()
    with torch.no_grad():
        for each, before in kept:
            each.copy_(before)
    return value


@torch.no_grad()
def _ascend(network: nn.Module, sam: Sam) -> list[tuple[Tensor, Tensor]]:
    """Move the weights by e; each with what it was."""
    moved = [(name, weight) for name, weight in network.named_parameters() if weight.grad is not None]
    scales = [SCALES[sam.scale](name, weight) + sam.eta for name, weight in moved]
    slopes = [c * weight.grad for c, (_, weight) in zip(scales, moved, strict=True)]
    length = torch.stack([torch.linalg.vector_norm(slope) for slope in slopes]).norm()
    factor = torch.where(length > 0, sam.rho / length, 0)
    before = [(weight, weight.clone()) for _, weight in moved]
    for (_, weight), c, slope in zip(moved, scales, slopes, strict=True):
        weight += factor * c * slope
    return before
