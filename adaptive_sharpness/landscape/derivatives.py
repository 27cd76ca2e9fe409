"""First and second derivatives of a loss in the weights, by reverse mode alone, which every layer of torch has."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from adaptive_sharpness.landscape.objective import Parameters, first_line

Loss = Callable[[Parameters], Tensor]


class NotDifferentiable(ValueError):
    """Torch finds no derivative of a network or a loss."""


class InParts:
    """A loss that is a sum over parts of its examples, each of which is differentiated alone: memory is one part's.

    Args:
        parts: functions from weights, by name [P, *shape], to losses, [P].

    Example:
        >>> loss = InParts([lambda w: w["w"].square().sum(1), lambda w: w["w"].sum(1)])
        >>> loss({"w": torch.tensor([[3.0]])}).item()
        12.0
    """

    def __init__(self, parts: Sequence[Loss]):
        self.parts = list(parts)

    def __call__(self, weights: Parameters) -> Tensor:
        return sum(part(weights) for part in self.parts)


def gradient(loss: Loss, weights: Parameters) -> tuple[Tensor, Parameters]:
    """The losses of P problems and the gradient of each.

    Args:
        loss: from weights, by name [P, *shape], to losses, [P].
        weights: by name; nobody else's, since they are marked as leaves.

    Returns:
        Losses, [P], and gradients, by name.

    Raises:
        NotDifferentiable: if there is no gradient.

    Example:
        >>> losses, slopes = gradient(lambda w: w["w"].square().sum(1), {"w": torch.tensor([[3.0]])})
        >>> losses.item(), slopes["w"].item()
        (9.0, 6.0)
    """
    total, slopes = None, None
    leaves = {name: value.requires_grad_() for name, value in weights.items()}
    with torch.enable_grad():  # whatever the caller's mode
        for part in _parts(loss):
            losses = _called(part, leaves)
            # The problems share nothing, so that the sum's gradient holds the gradient of each.
            found = _differentiated(losses.sum(), leaves)
            total = losses.detach() if total is None else total + losses.detach()
            slopes = found if slopes is None else torch._foreach_add(slopes, found)
    for value in leaves.values():
        value.requires_grad_(False)
    return total, dict(zip(leaves, slopes, strict=True))


def hessian_product(loss: Loss, weights: Parameters) -> Callable[[Parameters], Parameters]:
    """The function from v to H v, H the Hessian of one problem's loss at its weights.

    The graph of the gradient is built once and serves all products, but of a loss that is given in parts: then each
    product builds it anew, part by part.

    Args:
        loss: from weights, by name [1, *shape], to losses, [1].
        weights: by name.

    Returns:
        The function, from and to tensors by name.

    Raises:
        NotDifferentiable: if there is no gradient, or when called, no second derivative.

    Example:
        >>> product = hessian_product(lambda w: w["w"].pow(3).sum(1), {"w": torch.tensor([[2.0]])})
        >>> product({"w": torch.tensor([[1.0]])})["w"].item()  # 6 times 2
        12.0
    """
    leaves = {name: value.detach().clone().requires_grad_() for name, value in weights.items()}

    def slopes(part: Loss) -> Sequence[Tensor]:
        with torch.enable_grad():
            return _differentiated(_called(part, leaves).sum(), leaves, create_graph=True)

    parts = _parts(loss)
    first = slopes(parts[0])
    _refuse_functions_that_are_differentiated_once(first)
    kept = first if len(parts) == 1 else None

    def product(v: Parameters) -> Parameters:
        total = None
        for part in parts:
            found = _along(slopes(part) if kept is None else kept, leaves, v)
            total = found if total is None else torch._foreach_add(total, found)
        return dict(zip(leaves, total, strict=True))

    return product


def _parts(loss: Loss) -> Sequence[Loss]:
    return loss.parts if isinstance(loss, InParts) else [loss]


def _called(loss: Loss, leaves: Parameters) -> Tensor:
    """The losses; where torch says by a warning alone that gradients will be missing, an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "None of the inputs have requires_grad", UserWarning)
        try:
            return loss(leaves)
        except UserWarning as error:
            raise NotDifferentiable(
                "network: got a reentrant checkpoint, which has no gradient, wanted torch.utils.checkpoint with "
                "use_reentrant=False"
            ) from error


def _differentiated(total: Tensor, leaves: Parameters, *, create_graph: bool = False) -> Sequence[Tensor]:
    if not total.requires_grad:
        raise NotDifferentiable(
            "loss: got one in which no perturbed parameter takes part, wanted one that torch can differentiate: "
            "without item(), detach() or no_grad()"
        )
    found = _gradients(total, leaves, "gradient", create_graph=create_graph)
    return [slope.to_dense() if slope.is_sparse else slope for slope in found]


def _refuse_functions_that_are_differentiated_once(slopes: Sequence[Tensor]) -> None:
    """Their error is a node that leads to no weight, so that torch leaves it and their derivatives out, silently."""
    met, ahead = set(), [slope.grad_fn for slope in slopes]
    while ahead:
        node = ahead.pop()
        if node is None or node in met:
            continue
        met.add(node)
        if node.name().rpartition("::")[2] == "Error":
            raise NotDifferentiable(
                "network: got no second derivative of its loss (a function of it is marked with @once_differentiable), "
                "wanted one"
            )
        ahead.extend(before for before, _ in node.next_functions)


def _along(slopes: Sequence[Tensor], leaves: Parameters, v: Parameters) -> Sequence[Tensor]:
    """The derivative of the gradient's product with v; a gradient that no weight enters adds nothing."""
    moving = [(slope, v[name]) for slope, name in zip(slopes, leaves, strict=True) if slope.requires_grad]
    if not moving:
        return [torch.zeros_like(value) for value in leaves.values()]
    outputs, directions = zip(*moving, strict=True)
    with warnings.catch_warnings():  # of what torch does by itself for the second derivative of some losses
        warnings.filterwarnings("ignore", "An output with one or more elements was resized", UserWarning)
        return _gradients(outputs, leaves, "second derivative", grad_outputs=directions, retain_graph=True)


def _gradients(outputs, leaves: Parameters, what: str, **options) -> Sequence[Tensor]:
    try:
        return torch.autograd.grad(outputs, list(leaves.values()), materialize_grads=True, **options)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise NotDifferentiable(f"network: got no {what} of its loss ({first_line(error)}), wanted one") from error
