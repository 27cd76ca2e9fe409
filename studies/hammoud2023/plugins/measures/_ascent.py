"""What the notebooks' ascents have in common: gradient steps on a copy of a network, clamped to a box of weights.

Each difference from the report's text is a switch; a switch's default is what was released.
"""

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import options
from adaptive_sharpness.landscape.objective import NotFinite
from adaptive_sharpness.measures import Measured


@dataclass(frozen=True, repr=False, kw_only=True)
class Highest(Measured):
    """What an ascent finds, see `Measured`.

    Args:
        max_loss: the loss that counts as the highest; `per_batch` is max_loss - base_loss and can be negative.
    """

    max_loss: Tensor

    @classmethod
    def of(cls, max_loss: list[float], base_loss: list[float], rho: float) -> "Highest":
        """From plain numbers, one an ascent.

        Args:
            max_loss: as above.
            base_loss: see `Measured`.
            rho: the radius, which the message names.

        Returns:
            Highest.

        Raises:
            NotFinite: if a loss is nan or infinite.
        """
        for losses, where in ((base_loss, "at the weights"), (max_loss, f"at rho {rho}")):
            for loss in losses:
                if not math.isfinite(loss):
                    raise NotFinite(f"got a loss of {loss} {where}, wanted a finite number")
        high, base = (torch.tensor(each, dtype=torch.float64) for each in (max_loss, base_loss))
        return cls(per_batch=high - base, base_loss=base, max_loss=high)


class Box:
    """The weights between w - rho |w| and w + rho |w|.

    Args:
        centre: the weights w.
        rho: the radius, at least 0, in units of |w|.
        crossed: whether the bounds are w - rho w and w + rho w: where w < 0 the lower one is then above the upper one,
            which is what torch.clamp returns, so that such a weight becomes w (1 + rho) whatever it was.
    """

    def __init__(self, centre: Iterable[Tensor], rho: float, *, crossed: bool = False):
        around = [(w.detach(), rho * (w if crossed else w.abs()).detach()) for w in centre]
        self._bounds = [(w - reach, w + reach) for w, reach in around]

    @torch.no_grad()
    def project_(self, weights: Iterable[Tensor]) -> None:
        """Clamp weights in place.

        Args:
            weights: in the order of the centre.
        """
        for weight, (lower, upper) in zip(weights, self._bounds, strict=True):
            weight.clamp_(lower, upper)


def climb_(network: nn.Module, loss: Callable[..., Tensor], index: Tensor, rate: float) -> Tensor:
    """One step of w <- w + rate * gradient of the loss, in place.

    Args:
        network: all its parameters move.
        loss: of (network, index), the mean.
        index: examples, [m] int64.
        rate: the length of the step as a multiple of the gradient.

    Returns:
        The loss before the step, a scalar.
    """
    weights = list(network.parameters())
    with torch.enable_grad():  # whatever the caller's mode
        value = loss(network, index)
        gradient = torch.autograd.grad(value, weights, materialize_grads=True)
    with torch.no_grad():
        for weight, slope in zip(weights, gradient, strict=True):
            weight.add_(slope, alpha=rate)
    return value.detach()


def copied(model: nn.Module) -> nn.Module:
    """A copy to change, all its parameters with gradients; images in channels-last order take less time on a CPU."""
    return deepcopy(model).requires_grad_(True).to(memory_format=torch.channels_last)


def whole(batches: Iterable, model: nn.Module) -> Tensor:
    """The one batch that holds all training examples.

    Args:
        batches: [1, n] int64.
        model: says on which device.

    Returns:
        The examples, [n] int64.

    Raises:
        ValueError: if there are more batches or none, or the one is empty.
    """
    listed = list(batches)
    if len(listed) != 1 or not len(listed[0]):
        got = f"{len(listed)} batches" if len(listed) != 1 else "an empty batch"
        raise ValueError(f"batches: got {got}, wanted one that holds all training examples")
    return listed[0].to(next(model.parameters()).device)


def check(rho: float, rate: float, **whole_numbers: int) -> None:
    """Refuse options that are none.

    Args:
        rho: the radius.
        rate: the length of a step.
        **whole_numbers: by their names, each at least 1.

    Raises:
        ValueError: if rho is no radius, rate no step length, or another no whole number above 0.
    """
    options.radius(rho)
    if rate is None:
        raise ValueError("rate: got None, wanted a finite number above 0")
    options.positive("rate", rate)
    for name, value in whole_numbers.items():
        options.whole(name, value, least=1)
