"""The outputs of several networks of one architecture at once, each on its own inputs."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

LOSSES = (functional.mse_loss, functional.l1_loss, functional.huber_loss, functional.smooth_l1_loss)
ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Tanh, nn.Identity)


def outputs(network: nn.Module) -> Callable[[Mapping[str, Tensor], Tensor], Tensor]:
    """How to apply networks that are stacked.

    Linear layers with elementwise functions between them are called one after the other, each for all networks by one
    batch of matrix products. All else is transformed by torch.func.vmap, which does the same, but takes a fifth more
    time for small layers.

    Args:
        network: gives the function; its own parameters and buffers stand in where a state has none.

    Returns:
        A function from states, by name [P, *shape], and inputs, [P, m, ...], to outputs, [P, m, ...].

    Example:
        >>> two_networks = {"weight": torch.tensor([[[2.0]], [[3.0]]])}
        >>> outputs(nn.Linear(1, 1, bias=False))(two_networks, torch.ones(2, 1, 1)).flatten().tolist()
        [2.0, 3.0]
    """
    if is_layered(network):
        return partial(_layer_by_layer, network)
    return vmap(partial(functional_call, network))


def losses(loss: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """How to apply a loss to the outputs of networks that are stacked; the usual ones of regression without vmap.

    Args:
        loss: of (outputs, targets), to a scalar.

    Returns:
        A function from outputs and targets, each [P, m, ...], to losses, [P].

    Example:
        >>> losses(functional.mse_loss)(torch.tensor([[[1.0]], [[3.0]]]), torch.zeros(2, 1, 1)).tolist()
        [1.0, 9.0]
    """
    if loss in LOSSES:
        return lambda outputs, targets: loss(outputs, targets, reduction="none").flatten(1).mean(1)
    return vmap(loss)


def is_layered(network: nn.Module) -> bool:
    """Whether a network is a plain sequence of linear layers and elementwise functions.

    Example:
        >>> is_layered(nn.Sequential(nn.Linear(2, 2), nn.ReLU())), is_layered(nn.Sequential(nn.Conv2d(1, 1, 3)))
        (True, False)
    """
    return type(network) is nn.Sequential and not _hooked(network) and all(map(_is_plain, network))


def _is_plain(layer: nn.Module) -> bool:
    """Whether a layer does what its type says: hooks and parametrisations may compute its weights from others."""
    linear = type(layer) is nn.Linear and {"weight"} <= dict(layer.named_parameters()).keys() <= {"weight", "bias"}
    return (linear or type(layer) in ELEMENTWISE) and not _hooked(layer)


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


def _layer_by_layer(network: nn.Sequential, states: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    missing = [(name, value.detach()) for name, value in network.named_parameters() if name not in states]
    weights = {**states, **{name: value.expand(len(inputs), *value.shape) for name, value in missing}}
    # Values are columns, [P, features, rows]: a derivative then lies in memory as its weight does.
    value = inputs.reshape(len(inputs), -1, inputs.shape[-1]).mT
    before = None
    for name, layer in network.named_children():
        if isinstance(layer, nn.Linear):
            value = _linear(name, weights, value)
        elif type(layer) is nn.ReLU and isinstance(before, nn.Linear):  # nobody else needs what a linear layer gave
            value = value.relu_()
        else:
            value = layer(value)
        before = layer
    return value.mT.reshape(*inputs.shape[:-1], -1)


def _linear(name: str, weights: Mapping[str, Tensor], columns: Tensor) -> Tensor:
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    value = torch.bmm(weight, columns)
    return value if bias is None else value.add_(bias[:, :, None])
