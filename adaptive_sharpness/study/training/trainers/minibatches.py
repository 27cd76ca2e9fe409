"""Steps on shuffled batches, as the report's text says."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import descend, shuffled_batches
from adaptive_sharpness.study.training.stopping import most_steps, stop_rule


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
    augmentation: Callable[[Split, int, int], Split] | None = None,
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
        stop: see `stopping.stop_rule`.
        schedule: from the optimiser to a schedule, or None.
        augmentation: from the split, the seed and an epoch to the examples as it sees them, or None.

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
    steps = math.ceil(len(split) / batch_size)

    def batches(epoch: int) -> Sequence[Tensor]:
        return shuffled_batches(split, seed, epoch, batch_size)[: most_steps(stop, steps) - epoch * steps]

    return descend(
        network,
        split,
        loss,
        seed,
        batches=batches,
        ends=stop_rule(stop, network, split, loss, steps),
        optimiser=optimiser,
        schedule=schedule,
        view=partial(augmentation, split, seed) if augmentation else None,
    )
