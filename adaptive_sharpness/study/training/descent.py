"""Train one network on batches until a rule stops it, and evaluate it."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau

from adaptive_sharpness.datasets import Split
from adaptive_sharpness.landscape.randomness import default_generator, generator
from adaptive_sharpness.study.config.training import Stop

SIDES = {  # losses of two classes, and the output above which it is the second
    functional.binary_cross_entropy: 0.5,
    functional.binary_cross_entropy_with_logits: 0.0,
}

log = logging.getLogger(__name__)


class Epoch(NamedTuple):
    """The losses met in an epoch.

    Args:
        mean: over examples.
        summed: over steps, of each step's mean.
    """

    mean: float
    summed: float


def is_stopped(losses: Sequence[float], stop: Stop) -> bool:
    """Return whether training ends now: |L[e-1] - L[e]| / |L[e-1]| < tolerance, or max_epochs reached.

    The rule of Hammoud, Liossatos & Nicollier 2023; of another rule, whether max_epochs are reached.

    Args:
        losses: mean training loss of each epoch so far.
        stop: rule, tolerance, min_epochs and max_epochs.

    Returns:
        True or false.

    Example:
        >>> is_stopped([1.0, 0.99], Stop(tolerance=0.05, max_epochs=10))
        True
    """
    if len(losses) >= stop.max_epochs:
        return True
    if stop.rule != "relative_change" or len(losses) < max(2, stop.min_epochs):
        return False
    before, now = losses[-2:]
    return abs(before - now) < stop.tolerance * abs(before)


def shuffled_batches(split: Split, seed: int, epoch: int, batch_size: int) -> Sequence[Tensor]:
    """Return the batches of an epoch: all examples in an order that follows from (seed, epoch).

    Args:
        split: the training examples.
        seed: the model's seed.
        epoch: counted from 0.
        batch_size: examples a batch; the last one holds the rest.

    Returns:
        Indices on the CPU, each [batch_size] int64.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(5, 1), torch.zeros(5, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> batches = shuffled_batches(rows, seed=0, epoch=0, batch_size=2)
        >>> [len(batch) for batch in batches], sorted(torch.cat(batches).tolist())
        ([2, 2, 1], [0, 1, 2, 3, 4])
    """
    return torch.randperm(len(split), generator=generator(seed, "batches", epoch)).split(batch_size)


def descend(
    network: nn.Module,
    split: Split,
    loss: Callable[..., Tensor],
    seed: int,
    *,
    batches: Callable[[int], Sequence[Tensor]],
    ends: Callable[[Sequence[Epoch]], bool],
    optimiser: Callable,
    schedule: Callable | None = None,
    view: Callable[[int], Split] | None = None,
) -> list[float]:
    """Train in place on given batches until told to stop; leave the network in eval mode.

    Args:
        network: on the split's device, with its initial weights.
        split: the training examples.
        loss: of (outputs, targets), to a scalar.
        seed: the model's seed; dropout follows from it.
        batches: from an epoch, counted from 0, to its batches, each [m] int64; one step each.
        ends: called after every epoch with all of them so far; training ends when it returns true.
        optimiser: from parameters to what has `step(closure)` and `zero_grad()`.
        schedule: from that to what has `step()`, called after every epoch, torch's ReduceLROnPlateau with the epoch's
            mean loss; None for none.
        view: from an epoch to the examples as it sees them; None for the split itself.

    Returns:
        For every epoch the mean over examples of the losses met in it.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> network, loss = nn.Linear(1, 1, bias=False), nn.functional.mse_loss  # w^2: a step takes w to 0.5 w
        >>> _ = nn.init.ones_(network.weight)
        >>> how = {"batches": lambda epoch: [torch.tensor([0])], "ends": lambda epochs: len(epochs) == 3}
        >>> descend(network, rows, loss, 0, **how, optimiser=lambda weights: torch.optim.SGD(weights, lr=0.25))
        [1.0, 0.25, 0.0625]
    """
    network.train().to(memory_format=torch.channels_last)
    moves = optimiser(network.parameters())
    rates = schedule(moves) if schedule else None
    epochs: list[Epoch] = []
    with default_generator(seed, "dropout"):
        while not epochs or not ends(epochs):
            seen = view(len(epochs)) if view else split
            epochs += run_epoch(seen, loss, network, moves, batches(len(epochs)))
            log.info("seed %d epoch %d training loss %.6g", seed, len(epochs), epochs[-1].mean)
            if rates is not None:
                rates.step(*([epochs[-1].mean] if isinstance(rates, ReduceLROnPlateau) else []))
    network.eval()
    return [epoch.mean for epoch in epochs]


def run_epoch(
    split: Split,
    loss: Callable[..., Tensor],
    network: Callable[..., Tensor],
    optimiser: torch.optim.Optimizer,
    batches: Sequence[Tensor],
) -> list[Epoch]:
    """Take a step on each batch, of one model or of some that are stacked; return the losses met, of each model.

    Args:
        split: the training examples.
        loss: of (outputs, targets), to a scalar; or of those of k models, to their losses, [k].
        network: any callable on what the split feeds it.
        optimiser: of the network's weights.
        batches: each [m] int64; or [k, m], each model's own.

    Returns:
        An epoch a model.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> network = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.ones_(network.weight)
        >>> moves = torch.optim.SGD(network.parameters(), lr=0.25)  # of w^2: a step takes w to 0.5 w
        >>> run_epoch(rows, nn.functional.mse_loss, network, moves, [torch.tensor([0])] * 2)
        [Epoch(mean=0.625, summed=1.25)]
    """
    weighted, summed = torch.zeros(2, *batches[0].shape[:-1], dtype=torch.float64, device=split.targets.device)
    for batch in batches:
        value = _step(split, loss, network, optimiser, batch.to(split.targets.device))
        weighted += value * batch.shape[-1]
        summed += value
    examples = sum(batch.shape[-1] for batch in batches)
    return [Epoch(w / examples, s) for w, s in zip(weighted.view(-1).tolist(), summed.view(-1).tolist(), strict=True)]


def _step(split, loss, network, optimiser, index: Tensor) -> Tensor:
    """The loss before a step; an optimiser may ask for it again, elsewhere, as SAM does."""
    met = []

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = split.loss(loss, network, index)
        met.append(value.detach())
        total = value.sum()
        total.backward()
        return total

    optimiser.step(closure)
    return met[0]


@torch.no_grad()
def evaluate(
    network: nn.Module, split: Split, loss: Callable[..., Tensor], batch_size: int = 100
) -> tuple[Tensor, float | None]:
    """Return the loss of every example of a split, in eval mode, and the accuracy.

    Args:
        network: a network in eval mode.
        split: the examples.
        loss: of (outputs, targets, reduction).
        batch_size: examples at a time; of a graph all at once.

    Returns:
        The examples' losses, [n] float64 on the CPU, and the accuracy in 0..1: of binary cross-entropy the share of
        outputs on the right side, else the share of classes that have the largest output; None where there are none.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> inputs, targets = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
        >>> rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> evaluate(nn.Identity(), rows, nn.functional.mse_loss)
        (tensor([1., 9.], dtype=torch.float64), None)
    """
    losses, right = [], []
    for index in split.parts(batch_size):
        outputs, targets = split.apply(network, index), split.targets[index]
        each = loss(outputs, targets, reduction="none")
        losses.append(each.reshape(len(index), -1).mean(dim=1).double().cpu())
        chosen = _chosen_class(outputs, targets, loss)
        right += [] if chosen is None else [int((chosen == targets).sum())]
    return torch.cat(losses), sum(right) / split.targets.numel() if right else None


def _chosen_class(outputs: Tensor, targets: Tensor, loss: Callable[..., Tensor]) -> Tensor | None:
    if loss in SIDES:
        return outputs > SIDES[loss]
    return None if targets.is_floating_point() else outputs.argmax(dim=1)
