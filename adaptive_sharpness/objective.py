"""The seam between training and measuring: the loss of one network on a batch, as a function of its parameters."""

from functools import partial

from torch import Tensor, nn
from torch.func import functional_call, vmap

from adaptive_sharpness.dataset import Split
from adaptive_sharpness.training import loss_function

Parameters = dict[str, Tensor]


class Objective:
    """L_S(w), the mean loss of a network on a batch S, in eval mode: batch-norm statistics frozen, dropout off.

    It takes several problems at once, stacked along a first dimension, each with its own parameters and batch.

    Args:
        network: gives the function and its buffers; its own parameters are not used.
        split: the examples that batches index.
        loss: a name in torch.nn.functional.

    Raises:
        ValueError: if a part of the network is in training mode.
    """

    def __init__(self, network: nn.Module, split: Split, loss: str):
        training = [name or "the network" for name, module in network.named_modules() if module.training]
        if training:
            raise ValueError(f"{training[0]} is in training mode, wanted eval mode: call network.eval() first")
        self._network, self._split, self._loss = network, split, loss_function(loss)

    def __call__(self, parameters: Parameters, index: Tensor) -> Tensor:
        """The losses of P problems.

        Args:
            parameters: by name, each [P, *shape].
            index: the examples of each problem's batch, [P, m] int64.

        Returns:
            Mean losses, [P].
        """
        if len(index) == 1:  # without vmap: on a CPU it slows down convolutions and graphs
            return self._one({name: value[0] for name, value in parameters.items()}, index[0])[None]
        return vmap(self._one)(parameters, index)

    def _one(self, parameters: Parameters, index: Tensor) -> Tensor:
        call = partial(functional_call, self._network, parameters)
        return self._loss(self._split.apply(lambda *inputs: call(inputs), index), self._split.targets[index])
