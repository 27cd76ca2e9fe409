"""Sharpness as LeNet5_model.ipynb computes it, in the cells "Projected Gradient Ascent" and "Compute the sharpness"."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape.randomness import default_generator, generator

from ._ascent import Box, Highest, check, climb_, copied, whole

CHUNK = 100  # examples at a time where no gradient is needed


def notebook_lenet5(
    model: nn.Module,
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    rho: float,
    rate: float,
    seed: int = 0,
    epochs: int = 5,
    batch_size: int = 64,
    train_mode: bool = True,
    aliased_centre: bool = True,
) -> Highest:
    """The highest training loss, in eval mode, after an epoch of ascent over the training set, minus that at w.

    The report's text takes 5 steps on each of 50 batches of 64 examples, each time from w. The notebook takes 5 epochs,
    each a step w <- clamp(w + rate * gradient) on every batch of the shuffled training set, and evaluates the loss on
    the whole set after each. Here that is the mean over examples; the notebook's mean over batches counts the last,
    smaller batch as much as any other.

    Args:
        model: a network; left as it is.
        loss: of (network, index), the mean loss on the training examples index.
        batches: [1, n], one batch of all training examples.
        rho: radius of the box, in units of |w|.
        rate: the length of a step as a multiple of the gradient.
        seed: of the shuffles and of dropout, the model's own.
        epochs: of the ascent.
        batch_size: examples a step; the last batch of an epoch holds the rest.
        train_mode: the notebook climbs after `model.train()`: dropout is on, and the running statistics of batch norm
            drift and count as part of what the ascent found. The text's loss is that of the network as it is used:
            dropout off, statistics frozen. At the head of the loop over epochs.
        aliased_centre: the notebook's `clone_w` shares memory with the weights until the first projection replaces
            them, so that the box lies around w after one free step; the text's ball lies around w.

    Returns:
        Highest, [1].

    Raises:
        ValueError: if an option is none of these, or there is not one batch.
        NotFinite: if a loss is nan or infinite.
    """
    check(rho, rate, epochs=epochs, batch_size=batch_size)
    examples, network = whole(batches, model), copied(model)
    losses = [_mean(loss, network.eval(), examples)]
    box = None if aliased_centre else Box(network.parameters(), rho)
    with default_generator(seed, "released dropout"):
        for epoch in range(epochs):
            network.train(train_mode)
            order = torch.randperm(len(examples), generator=generator(seed, "released batches", epoch))
            for index in examples[order.to(examples.device)].split(batch_size):
                climb_(network, loss, index, rate)
                box = box or Box(network.parameters(), rho)
                box.project_(network.parameters())
            losses.append(_mean(loss, network.eval(), examples))
    base, *after = losses
    broken = [value for value in after if value != value]  # max() would hide a nan
    return Highest.of([broken[0] if broken else max(after)], [base], rho)


@torch.no_grad()
def _mean(loss: Callable[..., Tensor], network: nn.Module, examples: Tensor) -> float:
    """The mean loss over examples, summed in float64."""
    losses = [loss(network, index).double() * len(index) for index in examples.split(CHUNK)]
    return torch.stack(losses).sum().item() / len(examples)
