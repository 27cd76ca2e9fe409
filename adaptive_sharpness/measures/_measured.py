"""What a measure returns."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor


@dataclass(frozen=True, repr=False, kw_only=True)
class Measured:
    """Named quantities of each batch, one of them the headline: float64 on the CPU.

    All tensors are [batches], or [models, batches] where a measure was given several models.

    Args:
        per_batch: the headline quantity; its mean over batches is the sharpness.
        base_loss: L_S(w); nan where the measure takes no loss at the weights.
        headline: the name of the headline quantity.
        further: other quantities, by name.

    Example:
        >>> Measured(per_batch=torch.tensor([1.0, 3.0]), further={"trace": torch.tensor([5.0, 7.0])})
        Measured(sharpness 2, trace 6, standard error 1; 2 batches)
    """

    per_batch: Tensor
    base_loss: Tensor | None = None
    headline: str = "sharpness"
    further: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self):
        if self.base_loss is None:
            object.__setattr__(self, "base_loss", torch.full_like(self.per_batch, math.nan))

    @property
    def quantities(self) -> dict[str, Tensor]:
        """All quantities by name, the headline first.

        Example:
            >>> measured = Measured(per_batch=torch.tensor([1.0, 3.0]), further={"trace": torch.tensor([5.0, 7.0])})
            >>> list(measured.quantities)
            ['sharpness', 'trace']
        """
        return {self.headline: self.per_batch, **self.further}

    @property
    def sharpness(self) -> float | Tensor:
        """The mean of the headline quantity over the batches that are finished, of several models [models].

        Example:
            >>> Measured(per_batch=torch.tensor([1.0, 3.0])).sharpness
            2.0
        """
        return _plain(self.per_batch.nanmean(dim=-1))

    @property
    def standard_error(self) -> float | Tensor:
        """The standard error of the sharpness over batches, nan for one batch; of several models [models].

        Example:
            >>> Measured(per_batch=torch.tensor([1.0, 3.0])).standard_error  # sqrt(2) / sqrt(2)
            1.0
        """
        known = (~self.per_batch.isnan()).sum(dim=-1).double()
        apart = (self.per_batch - self.per_batch.nanmean(dim=-1, keepdim=True)).square().nansum(dim=-1)
        return _plain((apart / (known - 1)).sqrt() / known**0.5)  # of one batch 0 / 0

    def diagnostics(self) -> dict[str, Tensor]:
        """Return what else is known of each batch, by name: losses, and how the search went.

        Example:
            >>> Measured(per_batch=torch.tensor([1.0]), base_loss=torch.tensor([4.0])).diagnostics()
            {'base_loss': tensor([4.])}
        """
        known = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "per_batch"}
        return {
            name: value
            for name, value in known.items()
            if isinstance(value, Tensor) and value.shape == self.per_batch.shape
        }

    def __repr__(self) -> str:
        means = {name: value.nanmean(dim=-1) for name, value in {**self.quantities, **self.diagnostics()}.items()}
        shown = ", ".join(f"{name} {_spelled(mean)}" for name, mean in means.items() if not mean.isnan().all())
        *models, batches = self.per_batch.shape
        of = "".join(f"{count} models, " for count in models)
        return f"{type(self).__name__}({shown}, standard error {_spelled(self.standard_error)}; {of}{batches} batches)"


def warn_of_rounding(measure: str, found: Measured, dtype: torch.dtype, there_is_one: Tensor) -> None:
    """Warn of rises that are smaller than the last digits of the losses whose difference they are.

    Args:
        measure: its name.
        found: its rises and losses.
        dtype: of the weights.
        there_is_one: whether the loss rises at all, of the rises' shape.

    Example:
        >>> found = Measured(per_batch=torch.tensor([1e-8]), base_loss=torch.tensor([1.0]))
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warn_of_rounding("worst_case", found, torch.float32, torch.tensor([True]))
        >>> len(told)
        1
    """
    lost = (found.per_batch.abs() <= 4 * torch.finfo(dtype).eps * found.base_loss.abs()) & there_is_one
    if lost.any():
        warnings.warn(
            f"{measure}: the rise of {int(lost.sum())} of {lost.numel()} batches is below the last digits of a loss in "
            f"{str(dtype).removeprefix('torch.')}: use float64, a larger rho, or first_order of worst_case",
            stacklevel=3,
        )


def _plain(value: Tensor) -> float | Tensor:
    return value if value.dim() else value.item()


def _spelled(value: float | Tensor) -> str:
    """A number; of several models the range of those that are no nan."""
    values = torch.as_tensor(value)
    values = values if values.isnan().all() else values[~values.isnan()]
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"
