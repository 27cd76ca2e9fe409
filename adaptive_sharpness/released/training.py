"""Train one network as the released notebooks do where that differs from the report's text."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from adaptive_sharpness.dataset import Split
from adaptive_sharpness.training import Epoch, descend, shuffled, stopped

FIRST = 100.0  # what the one-sided rule compares the first epoch with


def stopped_one_sided(sums: Sequence[float], tolerance: float, min_epochs: int, max_epochs: int) -> bool:
    """The rule of FCNN_model.ipynb: go on while (a - b) / a >= tolerance, so that a rise stops training at once.

    Args:
        sums: for each epoch so far the sum over its steps of the losses met; b is the last, a the one before, at first
            100.
        tolerance: the relative fall below which training stops.
        min_epochs: no stop before so many epochs.
        max_epochs: always stop after so many.

    Returns:
        Whether training ends now; also where the fall is no number.
    """
    if len(sums) >= max_epochs:
        return True
    if len(sums) < min_epochs:
        return False
    before, now = [FIRST, *sums][-2:]
    return before == 0 or not (before - now) / before >= tolerance


def train(
    network: nn.Module,
    split: Split,
    loss: str,
    seed: int,
    *,
    rate: float,
    max_epochs: int,
    min_epochs: int = 1,
    tolerance: float = 0.05,
    batch_size: int = 64,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    full_batch: bool = False,
    one_sided_stop: bool = False,
    summed_loss: bool = False,
    eval_after_first: bool = False,
) -> list[float]:
    """Train in place by SGD, and leave the network in eval mode. With all switches off this is `training.train`.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: a name in torch.nn.functional.
        seed: the model's seed.
        rate: learning rate.
        max_epochs: always stop after so many; FCNN_model.ipynb has one and then at most 11 more.
        min_epochs: no stop before so many epochs; GAT_model.ipynb has 11, where the text has 10.
        tolerance: the relative change of the loss below which training stops.
        batch_size: examples a step; the last batch of an epoch holds the rest.
        momentum: of SGD.
        weight_decay: of SGD; LeNet5_model.ipynb has 5e-3, where the text has none.
        full_batch: FCNN_model.ipynb draws batches and does not use them: each of the ceil(n / batch_size) steps of an
            epoch is on the whole training set; the text says batches of 64. In `train_network`.
        one_sided_stop: see `stopped_one_sided`; the text's rule takes the size of the change. In `train_network`.
        summed_loss: all notebooks' rules look at the sum over steps of the losses met, or at its mean over steps, in
            which the last, smaller batch counts as much as any other; the text does not say, and `training.train` takes
            the mean over examples. Where each rule is; one_sided_stop always does so.
        eval_after_first: LeNet5_model.ipynb calls `model.eval()` at the end of the first epoch, for a test, and never
            `model.train()` again: from then on batch norm is frozen and dropout is off. In the cell that trains.

    Returns:
        For every epoch the mean over examples of the losses met in it.
    """

    def batches(epoch: int) -> Sequence[Tensor]:
        if full_batch:
            return [torch.arange(len(split))] * math.ceil(len(split) / batch_size)
        return shuffled(split, seed, epoch, batch_size)

    def after(epochs: Sequence[Epoch]) -> bool:
        network.train(not eval_after_first)
        losses = [epoch.summed if summed_loss or one_sided_stop else epoch.mean for epoch in epochs]
        return (stopped_one_sided if one_sided_stop else stopped)(losses, tolerance, min_epochs, max_epochs)

    sgd = {"lr": rate, "momentum": momentum, "weight_decay": weight_decay}
    return descend(network, split, loss, seed, batches, after, sgd)
