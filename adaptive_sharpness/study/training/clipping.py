"""Gradients that are cut where they are large."""

from collections.abc import Callable, Iterable

from torch import Tensor, nn

from adaptive_sharpness.study.config.training import Clip


def clipped(closure: Callable[[], Tensor], weights: Iterable[Tensor], clip: Clip) -> Tensor:
    """Return what a closure returns, the gradients that it leaves cut (torch.nn.utils.clip_grad_norm_ and so on).

    Args:
        closure: computes gradients and returns the loss.
        weights: whose gradients they are.
        clip: `norm`, the most that the 2-norm of all gradients together may be; or `value`, the most of each entry.

    Example:
        >>> import torch
        >>> weight = torch.ones(2, requires_grad=True)
        >>> def closure():
        ...     (loss := (weight * torch.tensor([3.0, -4.0])).sum()).backward()
        ...     return loss
        >>> clipped(closure, [weight], Clip(value=3.5)).item(), weight.grad.tolist()
        (-1.0, [3.0, -3.5])
    """
    value = closure()
    if clip.norm is not None:
        nn.utils.clip_grad_norm_(weights, clip.norm)
    else:
        nn.utils.clip_grad_value_(weights, clip.value)
    return value
