"""One module a measure, each with a function of its own name, which config and users call.

`name(model, loss, batches, *, rho, seed, ...) -> PerBatch`; a measure that knows no ball takes no rho.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module

import torch
from torch import Tensor, nn

from adaptive_sharpness.randomness import generator


@dataclass(frozen=True, repr=False)
class PerBatch:
    """What a measure finds on each batch: float64 on the CPU, [batches], or [models, batches] if it was given several.

    Args:
        per_batch: the value; its mean over batches is the sharpness.
        base_loss: L_S(w).
    """

    per_batch: Tensor
    base_loss: Tensor

    @property
    def sharpness(self) -> float | Tensor:
        """The mean over batches, of several models [models]."""
        return _plain(self.per_batch.mean(dim=-1))

    @property
    def standard_error(self) -> float | Tensor:
        """The standard error of the sharpness over batches, nan for one batch; of several models [models]."""
        if self.per_batch.shape[-1] == 1:
            return _plain(torch.full(self.per_batch.shape[:-1], math.nan))
        return _plain(self.per_batch.std(dim=-1) / self.per_batch.shape[-1] ** 0.5)

    def columns(self) -> dict[str, Tensor]:
        """All that there is about each batch, by name, the value itself as `sharpness`."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            "sharpness" if name == "per_batch" else name: value
            for name, value in found.items()
            if isinstance(value, Tensor) and value.shape == self.per_batch.shape
        }

    def __repr__(self) -> str:
        names = ("sharpness", *(name for name in self.columns() if name != "sharpness"))
        values = {name: self.columns()[name].nanmean(dim=-1) for name in names}
        shown = ", ".join(f"{name} {_shown(value)}" for name, value in values.items() if not value.isnan().all())
        *models, batches = self.per_batch.shape
        of = "".join(f"{count} models, " for count in models)
        return f"{type(self).__name__}({shown}, standard error {_shown(self.standard_error)}; {of}{batches} batches)"


def _plain(value: Tensor) -> float | Tensor:
    return value if value.dim() else value.item()


def _shown(value: float | Tensor) -> str:
    """A number, or the range of several, of those that are numbers."""
    values = torch.as_tensor(value)
    values = values if values.isnan().all() else values[~values.isnan()]
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def draw_batches(examples: int, batches: int, batch_size: int, seed: int) -> Tensor:
    """Batches drawn uniformly with replacement; each follows from (seed, its number), so that all models meet the same.

    Args:
        examples: size of the training split.
        batches: how many.
        batch_size: m, examples a batch.
        seed: the measure's seed.

    Returns:
        Indices, [batches, batch_size] int64.
    """
    draws = (generator(seed, "sharpness batch", batch) for batch in range(batches))
    return torch.stack([torch.randint(examples, (batch_size,), generator=draw) for draw in draws])


def measure(
    estimator: str, model: nn.Module, loss: Callable[..., Tensor], batches: Iterable, options: Mapping
) -> PerBatch:
    """Measure by the estimator of this name.

    Args:
        estimator: a module of this package, or with a dot of another one, such as released.gat; and the function of the
            same name in it.
        model: a network in eval mode.
        loss: see `adaptive_sharpness.objective.Objective`.
        batches: see `adaptive_sharpness.problems.Problems`.
        options: what the estimator takes besides, by name.

    Returns:
        What it found on each batch.

    Raises:
        ValueError: if the estimator does not take these options.
    """
    module = import_module(f"adaptive_sharpness.{estimator}" if "." in estimator else f"{__name__}.{estimator}")
    function = getattr(module, estimator.split(".")[-1])
    try:
        inspect.signature(function).bind(model, loss, batches, **options)
    except TypeError as error:
        raise ValueError(f"estimator {estimator}: options {dict(options)} do not fit it: {error}") from error
    return function(model, loss, batches, **options)
