"""Sharpness as GAT_model.ipynb computes it, in the cell "Compute Adaptive Worst-case Sharpness"."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.randomness import default_generator, generator

from ._ascent import Box, Highest, check, climb_, copied, whole


def notebook_gat(
    model: nn.Module,
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    rho: float,
    rate: float,
    seed: int = 0,
    trials: int = 5,
    steps: int = 5,
    batch_size: int = 64,
    train_mode: bool = True,
    summed_score: bool = True,
    as_mask: bool = True,
) -> Highest:
    """In each of a few trials the highest score met in an ascent on a batch of its own, minus the score at w.

    The report's text has 50 batches, the notebook 5 (`nb_pga_trials`). A trial starts from w and takes 5 steps
    w <- clamp(w + rate * gradient) on the loss of its batch; the best point after a step counts. With all switches off
    this is `worst_case` with solver "pga" and origin false, on `draw_batches(n, trials, batch_size, seed)`.

    Args:
        model: a network; left as it is.
        loss: of (network, index), the mean loss on the training nodes index.
        batches: [1, n], one batch of all training nodes.
        rho: radius of the box, in units of |w|.
        rate: the length of a step as a multiple of the gradient.
        seed: of the trials' batches, of the shuffles and of dropout, the model's own.
        trials: how many.
        steps: of each ascent.
        batch_size: nodes that a trial draws, uniformly with replacement, and the size of a part of the score.
        train_mode: the notebook climbs, and takes every score, after `model.train()`, with another draw of dropout at
            every call; the text's loss is that of the network as it is used. In `train` and in the loop over steps.
        summed_score: the notebook's score is the sum of the mean losses on the parts of the shuffled training nodes,
            64, 64 and 12, and the score at w is taken once for all trials, so that the standard error over trials
            leaves out its share; the text's is the loss on the trial's own batch. In `train`, called with False.
        as_mask: the notebook marks the 64 nodes drawn in a mask, so that a node drawn twice counts once, about 51 of
            140 nodes in all; the text's batch holds 64 draws. In `get_mask`.

    Returns:
        Highest, [trials].

    Raises:
        ValueError: if an option is none of these, or there is not one batch.
        NotFinite: if a loss is nan or infinite.
    """
    check(rho, rate, trials=trials, steps=steps, batch_size=batch_size)
    nodes, shuffles = whole(batches, model), generator(seed, "released masks")
    drawn = [nodes[each.to(nodes.device)] for each in draw_batches(len(nodes), trials, batch_size, seed)]
    drawn = [each.unique() for each in drawn] if as_mask else drawn

    @torch.no_grad()
    def score(network: nn.Module, batch: Tensor) -> float:
        if not summed_score:
            return loss(network, batch).item()
        order = nodes[torch.randperm(len(nodes), generator=shuffles).to(nodes.device)]
        return sum(loss(network, part).item() for part in order.split(batch_size))

    def highest(batch: Tensor) -> float:
        network = copied(model).train(train_mode)
        box, scores = Box(network.parameters(), rho), []
        for _ in range(steps):
            climb_(network, loss, batch, rate)
            box.project_(network.parameters())
            scores.append(score(network, batch))
        return max(scores, key=lambda value: (value != value, value))  # a nan is not to be hidden

    with default_generator(seed, "released dropout"):
        at_w = [score(copied(model).train(train_mode), batch) for batch in (drawn[:1] if summed_score else drawn)]
        base = at_w * trials if summed_score else at_w
        return Highest.of([highest(batch) for batch in drawn], base, rho)
