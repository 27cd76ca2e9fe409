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
    """

    def ends(epochs: Sequence[Epoch]) -> bool:
        return is_stopped([epoch.mean for epoch in epochs], stop)

    batches = partial(shuffled_batches, split, seed, batch_size=batch_size)
    return descend(network, split, loss, seed, batches=batches, ends=ends, optimiser=optimiser, schedule=schedule)
