"""An optimiser that is given other gradients than the loss's own, or whose rate changes after every step."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

Closure = Callable[[], Tensor]
Change = Callable[[Closure], Tensor]


class ChangedSteps:
    """An optimiser whose steps are changed; all else is the optimiser's own.

    Args:
        optimiser: what has `step(closure)` and `zero_grad()`.
        changes: each from a closure to what it returns, and to gradients of another kind; the first is the innermost.
        schedule: from the optimiser to what has `step()`, called after every step; None for none.

    Example:
        >>> import torch
        >>> weight = torch.ones(1, requires_grad=True)
        >>> def closure():
        ...     weight.grad = torch.ones(1)
        ...     return weight.sum()
        >>> def doubled(closure):
        ...     value = closure()
        ...     weight.grad *= 2
        ...     return value
        >>> ChangedSteps(torch.optim.SGD([weight], lr=0.25), [doubled]).step(closure).item(), weight.item()
        (1.0, 0.5)
    """

    def __init__(self, optimiser: Any, changes: Sequence[Change], schedule: Callable | None = None):
        self.optimiser, self._changes = optimiser, changes
        self._rates = schedule(optimiser) if schedule else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.optimiser, name)

    def step(self, closure: Closure) -> Tensor:
        """Take a step and return the loss before it.

        Example:
            >>> import torch
            >>> weight = torch.ones(1, requires_grad=True)
            >>> weight.grad = torch.ones(1)
            >>> halved = [lambda optimiser: torch.optim.lr_scheduler.ExponentialLR(optimiser, gamma=0.5)]
            >>> steps = ChangedSteps(torch.optim.SGD([weight], lr=0.5), [], *halved)
            >>> [steps.step(weight.sum).item() for _ in range(3)]  # steps of 0.5 and 0.25 lie between them
            [1.0, 0.5, 0.25]
        """
        for change in self._changes:
            closure = _bound(change, closure)
        value = self.optimiser.step(closure)
        if self._rates is not None:
            self._rates.step()
        return value


def _bound(change: Change, closure: Closure) -> Closure:
    return lambda: change(closure)
