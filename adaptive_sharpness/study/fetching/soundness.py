"""What is refused of a data set before it becomes a number."""

import torch
from torch import Tensor

from adaptive_sharpness.datasets import Dataset


def sound_dataset(name: str, dataset: Dataset) -> Dataset:
    """Return a data set; refuse one with an empty split, a value that is no finite number, or a class below 0.

    Args:
        name: the data set's, which the message begins with.
        dataset: what `load` of its file returned.

    Returns:
        The data set, as it is.

    Raises:
        ValueError: if it is none, or not sound; one line that says which split, what was got and what is wanted.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> nothing, one = torch.tensor(0.0), torch.tensor(1.0)
        >>> rows = Rows(torch.tensor([[1.0], [torch.inf]]), torch.zeros(2, 1), shift=nothing, scale=one)
        >>> sound_dataset("mine", Dataset(rows, rows))
        Traceback (most recent call last):
        ValueError: data set mine, train, inputs: got inf at [1, 0], wanted finite numbers
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(f"data set {name}: load() gave {type(dataset).__name__}, wanted a Dataset")
    for part, split in dataset.splits.items():
        if not len(split):
            raise ValueError(f"data set {name}, {part}: got no examples, wanted at least one")
        for field, values in vars(split).items():
            wrong = _not_finite(values)
            if wrong is not None:
                raise ValueError(f"data set {name}, {part}, {field}: got {wrong}, wanted finite numbers")
        lowest = split.targets.min().item()
        if not split.targets.is_floating_point() and lowest < 0:
            raise ValueError(f"data set {name}, {part}, targets: got class {lowest}, wanted classes from 0")
    return dataset


def _not_finite(values: Tensor) -> str | None:
    """The first value that is not finite, and where."""
    if not values.is_floating_point():
        return None
    wrong = ~torch.isfinite(values)
    if not wrong.any():
        return None
    place = wrong.nonzero()[0].tolist()
    return f"{values[tuple(place)].item()} at {place}"
