"""How far many problems are solved: a bar, and a call a problem."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor

Callback = Callable[[int, int, Mapping[str, float]], None]


class Progress:
    """What is told of problems that are solved one after the other.

    Args:
        shown: whether to show a bar (tqdm).
        callback: called after each problem with the position of its model and of its batch, and the numbers found.
    """

    def __init__(self, *, shown: bool = False, callback: Callback | None = None):
        self.shown, self._callback = shown, callback

    @contextmanager
    def of(self, problems: int) -> Iterator[Callable[[Sequence[int], Sequence[int], Mapping[str, Tensor]], None]]:
        """Within the block call what this returns with the models, the batches and the values of solved problems.

        Args:
            problems: how many there are.

        Example:
            >>> told = []
            >>> with Progress(callback=lambda *args: told.append(args)).of(1) as done:
            ...     done([0], [3], {"loss": [2.5]})
            >>> told
            [(0, 3, {'loss': 2.5})]
        """
        bar = _bar(problems) if self.shown else None

        def done(models: Sequence[int], batches: Sequence[int], values: Mapping[str, Tensor]) -> None:
            if bar is not None:
                bar.update(len(models))
            for position, (model, batch) in enumerate(zip(models, batches, strict=True)):
                if self._callback is not None:
                    self._callback(model, batch, _numbers(values, position))

        try:
            yield done
        finally:
            if bar is not None:
                bar.close()


@contextmanager
def until_interrupted(caught: bool) -> Iterator[None]:
    """An interrupt in the block ends the block alone, with a warning, if it is to be caught.

    Args:
        caught: whether it is.

    Example:
        >>> with warnings.catch_warnings(record=True) as told, until_interrupted(True):
        ...     raise KeyboardInterrupt
        >>> len(told)
        1
    """
    try:
        yield
    except KeyboardInterrupt:
        if not caught:
            raise
        warnings.warn("interrupted: what is not finished is nan, or left out", stacklevel=4)


def _bar(problems: int):
    from tqdm.auto import tqdm  # only where asked for

    return tqdm(total=problems, unit="batch")


def _numbers(values: Mapping[str, Tensor], position: int) -> dict[str, float]:
    """What of a problem is a number; perturbations are none."""
    return {name: float(value[position]) for name, value in values.items() if getattr(value, "ndim", 1) == 1}
