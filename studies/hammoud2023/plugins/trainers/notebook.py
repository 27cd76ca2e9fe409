"""Train one network as the released notebooks do where that differs from the report's text.

The notebooks: https://github.com/HadiHammoud44/CS439_Sharpness (FCNN_model, LeNet5_model and GAT_model.ipynb).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import Epoch, descend, is_stopped, shuffled_batches

FIRST = 100.0  # what the one-sided rule compares the first epoch with


def is_stopped_one_sided(sums: Sequence[float], stop: Stop) -> bool:
    """Return whether training ends by the rule of FCNN_model.ipynb: go on while (a - b) / a >= tolerance.

    A rise stops training at once.

    Args:
        sums: for each epoch so far the sum over its steps of the losses met; b is the last, a the one before, at first
            100.
        stop: tolerance, min_epochs and max_epochs.

    Returns:
        True or false; true also where the fall is no number.
    """
    if len(sums) >= stop.max_epochs:
        return True
    if len(sums) < stop.min_epochs:
        return False
    before, now = [FIRST, *sums][-2:]
    return before == 0 or not (before - now) / before >= stop.tolerance


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
    full_batch: bool = False,
    one_sided_stop: bool = False,
    summed_loss: bool = False,
    eval_after_first: bool = False,
) -> list[float]:
    """Train in place, and leave the network in eval mode. With all switches off this is the trainer `minibatches`.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: of (outputs, targets), to a scalar.
        seed: the model's seed.
        optimiser: from parameters to an optimiser; LeNet5_model.ipynb has a weight decay of 5e-3, where the text has
            none.
        batch_size: examples a step; the last batch of an epoch holds the rest.
        stop: the rule's numbers. FCNN_model.ipynb has one epoch and then at most 11 more; GAT_model.ipynb has at least
            11, where the text has 10.
        schedule: from the optimiser to a schedule, or None.
        full_batch: FCNN_model.ipynb draws batches and does not use them: each of the ceil(n / batch_size) steps of an
            epoch is on the whole training set; the text says batches of 64. In `train_network`.
        one_sided_stop: see `is_stopped_one_sided`; the text's rule takes the size of the change. In `train_network`.
        summed_loss: all notebooks' rules look at the sum over steps of the losses met, or at its mean over steps, in
            which the last, smaller batch counts as much as any other; the text does not say, and `minibatches` takes
            the mean over examples. Where each rule is; one_sided_stop always does so.
        eval_after_first: LeNet5_model.ipynb calls `model.eval()` at the end of the first epoch, for a test, and never
            `model.train()` again: from then on batch norm is frozen and dropout is off. In the cell that trains.

    Returns:
        For every epoch the mean over examples of the losses met in it.
    """

    def batches(epoch: int) -> Sequence[Tensor]:
        if full_batch:
            return [torch.arange(len(split))] * math.ceil(len(split) / batch_size)
        return shuffled_batches(split, seed, epoch, batch_size)

    def ends(epochs: Sequence[Epoch]) -> bool:
        network.train(not eval_after_first)
        losses = [epoch.summed if summed_loss or one_sided_stop else epoch.mean for epoch in epochs]
        return (is_stopped_one_sided if one_sided_stop else is_stopped)(losses, stop)

    return descend(network, split, loss, seed, batches=batches, ends=ends, optimiser=optimiser, schedule=schedule)
