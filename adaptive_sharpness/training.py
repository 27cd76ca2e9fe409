"""Train one network by SGD until the report's rule stops it, and evaluate it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness.dataset import Split
from adaptive_sharpness.randomness import default_generator, generator

log = logging.getLogger(__name__)


class Epoch(NamedTuple):
    """The losses met in an epoch.

    Args:
        mean: over examples.
        summed: over steps, of each step's mean.
    """

    mean: float
    summed: float


def stopped(losses: Sequence[float], tolerance: float, min_epochs: int, max_epochs: int) -> bool:
    """The report's stop rule: |L[e-1] - L[e]| / |L[e-1]| < tolerance, or max_epochs reached.

    Args:
        losses: mean training loss of each epoch so far.
        tolerance: the relative change below which training stops.
        min_epochs: no stop before so many epochs.
        max_epochs: always stop after so many.

    Returns:
        Whether training ends now.
    """
    if len(losses) >= max_epochs:
        return True
    if len(losses) < max(2, min_epochs):
        return False
    before, now = losses[-2:]
    return abs(before - now) < tolerance * abs(before)


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
) -> list[float]:
    """Train in place, by SGD on shuffled batches, and leave the network in eval mode.

    The order of examples follows from (seed, epoch), dropout from the seed: neither depends on what else is trained.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: a name in torch.nn.functional.
        seed: the model's seed.
        rate: learning rate.
        max_epochs: see `stopped`.
        min_epochs: see `stopped`.
        tolerance: see `stopped`.
        batch_size: examples a step; the last batch of an epoch holds the rest.
        momentum: of SGD.
        weight_decay: of SGD.

    Returns:
        For every epoch the mean over examples of the losses met in it.
    """

    def after(epochs: Sequence[Epoch]) -> bool:
        return stopped([epoch.mean for epoch in epochs], tolerance, min_epochs, max_epochs)

    sgd = {"lr": rate, "momentum": momentum, "weight_decay": weight_decay}
    return descend(network, split, loss, seed, partial(shuffled, split, seed, batch_size=batch_size), after, sgd)


def shuffled(split: Split, seed: int, epoch: int, batch_size: int) -> Sequence[Tensor]:
    """The batches of an epoch: all examples in an order that follows from (seed, epoch).

    Args:
        split: the training examples.
        seed: the model's seed.
        epoch: counted from 0.
        batch_size: examples a batch; the last one holds the rest.

    Returns:
        Indices on the CPU, each [batch_size] int64.
    """
    return torch.randperm(len(split), generator=generator(seed, "batches", epoch)).split(batch_size)


def descend(
    network: nn.Module,
    split: Split,
    loss: str,
    seed: int,
    batches: Callable[[int], Sequence[Tensor]],
    after: Callable[[Sequence[Epoch]], bool],
    sgd: Mapping[str, float],
) -> list[float]:
    """Train in place by SGD, on given batches, until told to stop; leave the network in eval mode.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: a name in torch.nn.functional.
        seed: the model's seed; dropout follows from it.
        batches: from an epoch, counted from 0, to its batches, each [m] int64; one step each.
        after: called after every epoch with all of them so far; training ends when it returns true.
        sgd: options of torch.optim.SGD.

    Returns:
        For every epoch the mean over examples of the losses met in it.
    """
    network.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), **sgd, fused=True)
    epochs: list[Epoch] = []
    with default_generator(seed, "dropout"):
        while not epochs or not after(epochs):
            epochs += epoch(split, getattr(functional, loss), network, optimiser, batches(len(epochs)))
            log.info("seed %d epoch %d training loss %.6g", seed, len(epochs), epochs[-1].mean)
    network.eval()
    return [epoch.mean for epoch in epochs]


def epoch(
    split: Split,
    loss: Callable[..., Tensor],
    network: Callable[..., Tensor],
    optimiser: torch.optim.Optimizer,
    batches: Sequence[Tensor],
) -> list[Epoch]:
    """Take a step on each batch: of one model, or of some that are stacked.

    Args:
        split: the training examples.
        loss: of (outputs, targets), to a scalar; or of those of k models, to their losses, [k].
        network: any callable on what the split feeds it.
        optimiser: of the network's weights.
        batches: each [m] int64; or [k, m], each model's own.

    Returns:
        The losses met, of each model.
    """
    weighted, summed = torch.zeros(2, *batches[0].shape[:-1], dtype=torch.float64, device=split.targets.device)
    for batch in batches:
        index = batch.to(split.targets.device)
        optimiser.zero_grad()
        value = split.loss(loss, network, index)
        value.sum().backward()
        optimiser.step()
        weighted += value.detach() * batch.shape[-1]
        summed += value.detach()
    examples = sum(batch.shape[-1] for batch in batches)
    return [Epoch(w / examples, s) for w, s in zip(weighted.view(-1).tolist(), summed.view(-1).tolist(), strict=True)]


@torch.no_grad()
def evaluate(network: nn.Module, split: Split, loss: str, batch_size: int = 100) -> tuple[Tensor, float | None]:
    """Loss of every example of a split, in eval mode.

    Args:
        network: a network in eval mode.
        split: the examples.
        loss: a name in torch.nn.functional.
        batch_size: examples at a time; of a graph all at once.

    Returns:
        The examples' losses, [n] float64 on the CPU, and the accuracy in 0..1 where targets are classes, else None.
    """
    losses, right = [], 0
    for index in split.parts(batch_size):
        outputs, targets = split.apply(network, index), split.targets[index]
        each = getattr(functional, loss)(outputs, targets, reduction="none")
        losses.append(each.reshape(len(index), -1).mean(dim=1).double().cpu())
        if not targets.is_floating_point():
            right += int((outputs.argmax(dim=1) == targets).sum())
    accuracy = None if split.targets.is_floating_point() else right / len(split)
    return torch.cat(losses), accuracy
