"""Steps on shuffled batches, as the report's text says."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.study.config.pools import Stop
from adaptive_sharpness.study.training.descent import Epoch, descend, is_stopped, shuffled_batches


def train(
    network: nn.Module,
    split: Split,
    loss: Callable[..., Tensor],
    seed: int,
    *,
    optimiser: Callable,
    batch_size: int,
    stop: Stop,
    schedule: Callable | None = None,
) -> list[float]:
    """Train in place on shuffled batches, and leave the network in eval mode.

    The order of examples follows from (seed, epoch), dropout from the seed: neither depends on what else is trained.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: of (outputs, targets), to a scalar.
        seed: the model's seed.
        optimiser: from parameters to an optimiser.
        batch_size: examples a step; the last batch of an epoch holds the rest.
        stop: see `descent.is_stopped`.
        schedule: from the optimiser to a schedule, or None.

    Returns:
        For every epoch the mean over examples of the losses met in it.

    Example:
        >>> import torch
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> network = nn.Linear(1, 1, bias=False)  # w^2: a step takes w to 0.5 w
        >>> _ = nn.init.ones_(network.weight)
        >>> how = {"optimiser": partial(torch.optim.SGD, lr=0.25), "batch_size": 1, "stop": Stop(max_epochs=3)}
        >>> train(network, rows, nn.functional.mse_loss, 0, **how)
        [1.0, 0.25, 0.0625]
    """

    def ends(epochs: Sequence[Epoch]) -> bool:
        return is_stopped([epoch.mean for epoch in epochs], stop)

    batches = partial(shuffled_batches, split, seed, batch_size=batch_size)
    return descend(network, split, loss, seed, batches=batches, ends=ends, optimiser=optimiser, schedule=schedule)
