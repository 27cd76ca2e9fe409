"""Train small networks many at once, where most of the time is not in their operations but between them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.landscape import stacking
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import Epoch, is_stopped, run_epoch, shuffled_batches

log = logging.getLogger(__name__)


def train_stacked(
    networks: Mapping[int, nn.Module],
    split: Split,
    loss: Callable[..., Tensor],
    *,
    stacked: int,
    optimiser: Callable,
    batch_size: int,
    stop: Stop,
) -> dict[int, list[float]]:
    """Train each in place as `minibatches.train` would, but for rounding, and leave it in eval mode.

    Rounding depends on how many models are stacked, and on a model's place among them. So the stack is of one size
    even where there are fewer models, and a seed's place is seed % stacked: its result never depends on the others.

    Args:
        networks: by seed, such as `fitness.require_stackable` lets pass; on the split's device, with their initial
            weights.
        split: the training examples, rows.
        loss: of (outputs, targets), to a scalar.
        stacked: models trained at once.
        optimiser: from parameters to a torch.optim.SGD.
        batch_size: examples a step.
        stop: see `descent.is_stopped`.

    Returns:
        By seed, for every epoch the mean over examples of the losses met in it.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> networks = {seed: nn.Sequential(nn.Linear(1, 1, bias=False)) for seed in (0, 1)}
        >>> _ = nn.init.ones_(networks[0][0].weight), nn.init.zeros_(networks[1][0].weight)
        >>> how = {"optimiser": partial(torch.optim.SGD, lr=0.25), "batch_size": 1, "stop": Stop(max_epochs=2)}
        >>> train_stacked(networks, rows, nn.functional.mse_loss, stacked=2, **how)  # each step halves the weight
        {0: [1.0, 0.25], 1: [0.0, 0.0]}
    """
    queues = [[seed for seed in networks if seed % stacked == place] for place in range(stacked)]
    stack = _Stack(next(iter(networks.values())), stacked, optimiser)
    met: dict[int, list[Epoch]] = {seed: [] for seed in networks}
    for place, queue in enumerate(queues):
        _put_next(stack, place, queue, networks)
    while any(queues):
        epochs = stack.epoch(split, loss, _batches(split, queues, met, batch_size))
        for place, queue in enumerate(queues):
            if not queue:
                continue
            seed = queue[0]
            met[seed].append(epochs[place])
            log.info("seed %d epoch %d training loss %.6g", seed, len(met[seed]), epochs[place].mean)
            if is_stopped([epoch.mean for epoch in met[seed]], stop):
                stack.take(place, networks[queue.pop(0)])
                _put_next(stack, place, queue, networks)
    return {seed: [epoch.mean for epoch in epochs] for seed, epochs in met.items()}


def _put_next(stack: "_Stack", place: int, queue: Sequence[int], networks: Mapping[int, nn.Module]) -> None:
    if queue:
        stack.put(place, networks[queue[0]])


def _batches(split: Split, queues: Sequence[Sequence[int]], met: Mapping[int, Sequence], size: int) -> Sequence[Tensor]:
    """The next epoch's batches of every place, each [places, m]; of one that is free, any."""
    orders = [shuffled_batches(split, queue[0], len(met[queue[0]]), len(split)) if queue else None for queue in queues]
    return torch.stack([order[0] if order else torch.arange(len(split)) for order in orders]).split(size, dim=1)


class _Stack:
    """Places for models that are trained at once; one that is free, or was left, holds a model of no account."""

    def __init__(self, network: nn.Module, places: int, optimiser: Callable):
        parameters, buffers = stack_module_state([network.train()] * places)
        self._state = {**parameters, **buffers}
        self._outputs = partial(stacking.outputs(network), self._state)
        moved = [value for value in self._state.values() if value.requires_grad]
        self._optimiser = optimiser(moved)
        if self._optimiser.defaults["momentum"]:
            for value in moved:
                self._optimiser.state[value]["momentum_buffer"] = torch.zeros_like(value)

    @torch.no_grad()
    def put(self, place: int, network: nn.Module) -> None:
        """Copy a model that is to be trained from its first step."""
        for name, value in _state(network).items():
            self._state[name][place] = value
        for state in self._optimiser.state.values():
            state["momentum_buffer"][place] = 0

    @torch.no_grad()
    def take(self, place: int, network: nn.Module) -> None:
        """Copy a model's weights back, and put it in eval mode."""
        for name, value in _state(network).items():
            value.copy_(self._state[name][place])
        network.eval()

    def epoch(self, split: Split, loss: Callable[..., Tensor], batches: Sequence[Tensor]) -> list[Epoch]:
        """Train all on batches, each [places, m], and return what each place met."""
        return run_epoch(split, stacking.losses(loss), self._outputs, self._optimiser, batches)


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
