"""The loss of many examples as a sum over micro-batches: memory is that of one of them."""

from collections.abc import Sequence

import torch

from adaptive_sharpness.landscape import examples
from adaptive_sharpness.landscape.derivatives import InParts
from adaptive_sharpness.landscape.objective import Objective, Parameters


def in_micro_batches(objective: Objective, batches: Sequence[Sequence], size: int | None, *, mean: bool) -> InParts:
    """The losses of P problems on all their examples.

    Args:
        objective: the loss on some examples.
        batches: the data: one batch after the other, of each the P batches of the problems, equal in shape.
        size: examples at once, None for whole batches.
        mean: whether the loss is a mean over examples; else it is a sum.

    Returns:
        A function from states, by name [P, *shape], to losses, [P].

    Example:
        >>> from torch import nn
        >>> objective = Objective(nn.Linear(1, 1, bias=False).eval(), nn.functional.mse_loss)
        >>> batch = torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(3, 1)
        >>> loss = in_micro_batches(objective, [[batch]], 2, mean=True)
        >>> len(loss.parts), round(loss({"weight": torch.tensor([[[1.0]]])}).item(), 6)  # (1 + 4 + 9) / 3
        (2, 4.666667)
    """
    total = sum(examples.count(problems[0]) for problems in batches)
    parts = []
    for problems in batches:
        for begin, end in _cuts(examples.count(problems[0]), size):
            loss = objective.on([examples.some(batch, begin, end) for batch in problems])
            parts.append(_Share(loss, (end - begin) / total if mean else 1))
    return InParts(parts)


def is_mean(objective: Objective, state: Parameters, batches: Sequence, size: int | None) -> bool:
    """Whether a loss is a mean over examples, and not a sum: two micro-batches are compared with both at once.

    Args:
        objective: the loss.
        state: of one model, by name.
        batches: of which the first one with two examples is looked at: of one example mean and sum are the same.
        size: examples of a micro-batch, None for half the batch.

    Raises:
        ValueError: if it is neither, as when examples meet each other in the loss or in the network.

    Example:
        >>> from torch import nn
        >>> batch, state = (torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1)), {"weight": torch.ones(1, 1)}
        >>> network = nn.Linear(1, 1, bias=False).eval()
        >>> is_mean(Objective(network, nn.functional.mse_loss), state, [batch], 1)
        True
        >>> is_mean(Objective(network, nn.MSELoss(reduction="sum")), state, [batch], 1)
        False
    """
    batch = next((each for each in batches if examples.count(each) > 1), batches[0])
    number = examples.count(batch)
    size = min(size or number, max(1, number // 2))
    means, sums = True, True
    for begin in range(0, number - size, 2 * size):
        end = min(begin + 2 * size, number)
        bounds = (begin, end), (begin, begin + size), (begin + size, end)
        whole, first, second = (objective.value(state, examples.some(batch, *each)).double() for each in bounds)
        both = (size * first + (end - begin - size) * second) / (end - begin)
        tolerance = {"rtol": 1e3 * torch.finfo(_precision(state)).eps, "atol": 0, "equal_nan": True}
        means = means and torch.isclose(whole, both, **tolerance).item()
        sums = sums and torch.isclose(whole, first + second, **tolerance).item()
        if not (means or sums):
            got = f"{whole:.6g} on examples {begin} to {end - 1}, {first:.6g} and {second:.6g} on two parts of them"
            raise ValueError(f"micro_batch: got a loss of {got}, wanted a mean or a sum over examples")
    return means


def _precision(state: Parameters) -> torch.dtype:
    """The coarsest type of numbers in a network."""
    types = [value.dtype for value in state.values() if value.is_floating_point()]
    return max(types, key=lambda each: torch.finfo(each).eps)


def _cuts(number: int, size: int | None) -> list[tuple[int, int]]:
    size = size or number
    return [(begin, min(begin + size, number)) for begin in range(0, number, size)]


class _Share:
    """A loss times a number."""

    def __init__(self, loss, share: float):
        self._loss, self._share = loss, share

    def __call__(self, weights: Parameters):
        return self._share * self._loss(weights)
