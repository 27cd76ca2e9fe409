"""The scale c of each weight, in whose units a ball's radius is given: by name, or a function of (name, parameter).

Where a rescaling of the weights leaves the network's function as it was, a measure in these units keeps its value if
the scale is rescaled alike: `Invariant` says for which factors it is.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from adaptive_sharpness.landscape import options

Scale = Callable[[str, Tensor], Tensor]
ASAM_OFFSET = 0.01  # eta of Kwon et al. 2021, section 5


def adaptive(_: str, w: Tensor) -> Tensor:
    """|w| (Kwon et al. 2021, eq. 3, element-wise).

    Invariant: each weight by a factor of its own.

    Example:
        >>> adaptive("fc.weight", torch.tensor([[-3.0, 4.0]])).tolist()
        [[3.0, 4.0]]
    """
    return w.abs()


def none(_: str, w: Tensor) -> Tensor:
    """1: the ball is in the units of the weights.

    Invariant: none.

    Example:
        >>> none("fc.weight", torch.tensor([[-3.0, 4.0]])).tolist()
        [[1.0, 1.0]]
    """
    return torch.ones_like(w)


def filter(_: str, w: Tensor) -> Tensor:
    """Of a convolution the 2-norm of a weight's filter, elsewhere |w| (Kwon et al. 2021, section 3, filter-wise).

    Invariant: each filter by a factor, elsewhere each weight.

    Example:
        >>> filter("conv.weight", torch.tensor([[[[-3.0, 4.0]]]])).tolist()
        [[[[5.0, 5.0]]]]
    """
    return _norm_of_row(w) if w.dim() > 2 else w.abs()


def neuron(_: str, w: Tensor) -> Tensor:
    """The 2-norm of all weights into a filter or neuron, |w| for what has one dimension (Li et al. 2018, section 4).

    Invariant: all weights into a filter or neuron by one factor.

    Example:
        >>> neuron("fc.weight", torch.tensor([[-3.0, 4.0], [0.0, 2.0]])).tolist()
        [[5.0, 5.0], [2.0, 2.0]]
    """
    return _norm_of_row(w) if w.dim() > 1 else w.abs()


def keskar(_: str, w: Tensor) -> Tensor:
    """|w| + 1 (Keskar et al. 2017, eq. 3).

    Invariant: none.

    Example:
        >>> keskar("fc.weight", torch.tensor([[-3.0, 4.0]])).tolist()
        [[4.0, 5.0]]
    """
    return w.abs() + 1


def asam(name: str, w: Tensor) -> Tensor:
    """|w| + 0.01 for what has "weight" in its name, else 1 (the code of Kwon et al. 2021).

    Invariant: none; nearly those of adaptive, where weights are far above 0.01.

    Example:
        >>> round(asam("fc.weight", torch.tensor([-3.0])).item(), 6), asam("fc.bias", torch.tensor([-3.0])).item()
        (3.01, 1.0)
    """
    return w.abs() + ASAM_OFFSET if "weight" in name else torch.ones_like(w)


SCALES: dict[str, Scale] = {each.__name__: each for each in (adaptive, none, filter, neuron, keskar, asam)}


def of_models(weights: dict[str, Tensor], scale: str | Scale) -> dict[str, Tensor]:
    """The scales of several models.

    Args:
        weights: by name, each [models, *shape].
        scale: a key of SCALES, or a function of (name, parameter).

    Returns:
        Scales, by name, of the weights' shapes.

    Raises:
        ValueError: if the scale is neither, or gives another shape, or numbers that are negative or not finite.

    Example:
        >>> of_models({"w": torch.tensor([[-3.0], [2.0]])}, "adaptive")["w"].tolist()
        [[3.0], [2.0]]
    """
    if callable(scale):
        function = scale
    else:
        options.one_of("scale", scale, tuple(SCALES), further="a function of (name, parameter)")
        function = SCALES[scale]
    return {
        name: _of_models(name, value, function, trusted=function in SCALES.values()) for name, value in weights.items()
    }


def _of_models(name: str, models: Tensor, function: Scale, *, trusted: bool) -> Tensor:
    found = []
    for value in models:
        c = function(name, value if trusted else value.clone())
        if not trusted and not _fits(c, value):
            raise ValueError(f"scale: got one for {name} that does not fit, wanted its shape, finite and at least 0")
        found.append(c.detach().to(value))
    return found[0][None] if len(found) == 1 else torch.stack(found)


def _fits(c, value: Tensor) -> bool:
    return isinstance(c, Tensor) and c.shape == value.shape and bool((c.isfinite() & (c >= 0)).all())


def _norm_of_row(w: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(w.flatten(1), dim=1)
    return length.reshape(-1, *[1] * (w.dim() - 1)).expand_as(w).contiguous()
