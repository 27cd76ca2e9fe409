"""The seam between training and measuring: the loss of one network on a batch, as a function of its parameters."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

Parameters = dict[str, Tensor]


class Objective:
    """L_S(w), the loss of a network on a batch S, in eval mode: batch-norm statistics frozen, dropout off.

    It takes several problems at once, stacked along a first dimension, each with its own parameters and batch.

    Args:
        network: gives the function and its buffers; its own parameters are not used.
        loss: from (network, batch) to the mean loss on the batch, a scalar.

    Raises:
        ValueError: if a part of the network is in training mode.
    """

    def __init__(self, network: nn.Module, loss: Callable[[Callable[..., Tensor], Tensor], Tensor]):
        training = [name or "the network" for name, module in network.named_modules() if module.training]
        if training:
            raise ValueError(f"{training[0]} is in training mode, wanted eval mode: call network.eval() first")
        self._network, self._loss = network, loss

    def __call__(self, parameters: Parameters, batches: Tensor) -> Tensor:
        """The losses of P problems.

        Args:
            parameters: by name, each [P, *shape].
            batches: each problem's batch, [P, ...].

        Returns:
            Losses, [P].
        """
        if len(batches) == 1:  # without vmap: on a CPU it slows down convolutions and graphs
            return self._one({name: _only(value) for name, value in parameters.items()}, batches[0])[None]
        return vmap(self._one)(parameters, batches)

    def _one(self, parameters: Parameters, batch: Tensor) -> Tensor:
        return self._loss(partial(_call, self._network, parameters), batch)


def _only(value: Tensor) -> Tensor:
    """The one problem's parameter; images in channels-last order take a quarter less time on a CPU."""
    return value[0].clone(memory_format=torch.channels_last) if value.dim() == 5 else value[0]


def _call(network: nn.Module, parameters: Parameters, *inputs: Tensor) -> Tensor:
    return functional_call(network, parameters, inputs)
