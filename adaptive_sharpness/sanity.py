"""What is refused before it becomes a number: data sets that hold none, networks that do not fit them."""

from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from adaptive_sharpness import layers
from adaptive_sharpness.dataset import Dataset, Nodes, Split


def sound(name: str, dataset: Dataset) -> Dataset:
    """Refuse a data set with an empty split, a value that is no finite number, or a class below 0.

    Args:
        name: the data set's, which the message begins with.
        dataset: what `load` of its module returned.

    Returns:
        The data set, as it is.

    Raises:
        ValueError: if it is none, or not sound; one line that says which split, what was got and what is wanted.
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(f"data set {name}: load() gave {type(dataset).__name__}, wanted a Dataset")
    for part, split in (("train", dataset.train), ("test", dataset.test)):
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


@torch.no_grad()
def fits(name: str, network: nn.Module, split: Split) -> None:
    """Refuse a network that cannot be trained on a split: losses broadcast, and would make a number of any shape.

    Args:
        name: the architecture's, which the message begins with.
        network: on the split's device; its mode, weights and statistics stay as they are.
        split: the examples.

    Raises:
        ValueError: if the network cannot be applied, or gives outputs that are not of the targets' shape, or that have
            fewer classes than the targets.
    """
    few, training = min(2, len(split)), network.training
    try:
        with torch.random.fork_rng():
            outputs = split.apply(network.eval(), torch.arange(few, device=split.targets.device))
    except Exception as error:  # whatever a user's forward() or torch finds wrong with the examples
        raise ValueError(f"network {name}: cannot be applied to the data set: {_reason(error)}") from error
    network.train(training)
    got, wanted = list(outputs.shape), list(split.targets[:few].shape)
    if split.targets.is_floating_point():
        if got != wanted:
            raise ValueError(f"network {name}: got outputs {got} for {few} examples, wanted {wanted} like the targets")
    elif len(got) != 2 or got[0] != few or got[1] <= split.targets.max():
        classes = split.targets.max().item() + 1
        raise ValueError(f"network {name}: got outputs {got} for {few} examples, wanted [{few}, at least {classes}]")


@torch.no_grad()
def stackable(name: str, network: nn.Module, split: Split) -> None:
    """Refuse a network of which models cannot be trained at once, see `stacks`.

    Args:
        name: the architecture's, which the message begins with.
        network: one that fits the split; its mode, weights and statistics stay as they are.
        split: the training examples; all on the CPU.

    Raises:
        ValueError: if the split is a graph; if the network draws random numbers in training, or changes its buffers;
            or if torch.func.vmap cannot transform it.
    """
    what = "a graph" if isinstance(split, Nodes) else _hinders(network, split)
    if what:
        raise ValueError(f"network {name}: got {what}, wanted none where models are trained at once (stacked)")
    try:
        _of_two(network, split)
    except Exception as error:  # whatever vmap finds in a user's forward()
        raise ValueError(f"network {name}: cannot be trained stacked: {_reason(error)}") from error


def _hinders(network: nn.Module, split: Split) -> str | None:
    """What makes of its outputs in training no function of weights and inputs alone."""
    network, index = deepcopy(network).train(), torch.arange(min(2, len(split)))
    before = {name: value.clone() for name, value in network.named_buffers()}
    with torch.random.fork_rng(devices=[]):
        drawn = torch.get_rng_state()
        split.apply(network, index)
        if not torch.equal(torch.get_rng_state(), drawn):
            return "random numbers in training, as of dropout"
    changed = [name for name, value in network.named_buffers() if not torch.equal(value, before[name])]
    return f"{changed[0]}, which changes in training" if changed else None


def _of_two(network: nn.Module, split: Split) -> Tensor:
    """Outputs of two models at once."""
    parameters, buffers = stack_module_state([network, network])
    outputs = partial(layers.outputs(network), {**parameters, **buffers})
    return split.apply(outputs, torch.arange(min(2, len(split))).expand(2, -1))


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
