"""Sharpness as FCNN_model.ipynb computes it, in the cell that defines `project_weights` and the one after it."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ._ascent import Box, Highest, check, climb_, copied, whole


def notebook_fcnn(
    model: nn.Module,
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    rho: float,
    rate: float,
    seed: int = 0,
    epochs: int = 6,
    batch_size: int = 64,
    crossed_clamp: bool = True,
) -> Highest:
    """The training loss after a long ascent on the whole training set, minus that at w.

    The report's text takes 5 steps on each of 50 batches of 64 examples. The notebook draws batches and does not use
    them: it takes ceil(n / 64) steps an epoch, each on all n examples, w <- clamp(w + rate * gradient). What counts is
    the end of the epoch whose losses after each step have the largest sum, and need not be the highest loss met.

    Args:
        model: a network; left as it is.
        loss: of (network, index), the mean loss on the training examples index.
        batches: [1, n], one batch of all training examples.
        rho: radius of the box, in units of |w|.
        rate: the length of a step as a multiple of the gradient.
        seed: not used: nothing is drawn.
        epochs: of the ascent; the notebook's loop runs once more than its variable says, 6 times.
        batch_size: tells only how many steps an epoch has.
        crossed_clamp: the notebook clamps to [w - rho w, w + rho w], which makes every negative weight w (1 + rho);
            the text's ball is [w - rho |w|, w + rho |w|]. In `project_weights`.

    Returns:
        Highest, [1].

    Raises:
        ValueError: if an option is none of these, or there is not one batch.
        NotFinite: if a loss is nan or infinite.
    """
    check(rho, rate, epochs=epochs, batch_size=batch_size)
    examples, network = whole(batches, model), copied(model).eval()
    box, met = Box(network.parameters(), rho, crossed=crossed_clamp), []
    for _ in range(epochs * math.ceil(len(examples) / batch_size)):
        met.append(climb_(network, loss, examples, rate))
        box.project_(network.parameters())
    with torch.no_grad():
        met.append(loss(network, examples))
    base, *after = torch.stack(met).tolist()
    sums = torch.tensor(after, dtype=torch.float64).reshape(epochs, -1).sum(dim=1)
    # argmax takes nan for the largest, so that an ascent that fails is not hidden by an earlier epoch.
    end = (int(sums.argmax()) + 1) * len(after) // epochs
    return Highest.of([after[end - 1]], [base], rho)
