"""Networks, losses and optimisers that are refused before they become numbers, since they do not fit."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import stack_module_state
from torch.nn import functional

from adaptive_sharpness.datasets import Nodes, Split
from adaptive_sharpness.landscape import stacking
from adaptive_sharpness.plugins import reason


@torch.no_grad()
def require_fit(name: str, network: nn.Module, split: Split) -> None:
    """Refuse a network that cannot be trained on a split: losses broadcast, and would make a number of any shape.

    Args:
        name: the architecture's, which the message begins with.
        network: on the split's device; its mode, weights and statistics stay as they are.
        split: the examples.

    Raises:
        ValueError: if the network cannot be applied, or gives outputs that are not of the targets' shape, or that have
            fewer classes than the targets.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(3, 1), torch.zeros(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> require_fit("mine", nn.Linear(1, 2), rows)
        Traceback (most recent call last):
        ValueError: architecture mine: got outputs [2, 2] for 2 examples, wanted [2, 1] like the targets
    """
    few, training = min(2, len(split)), network.training
    try:
        with torch.random.fork_rng():
            outputs = split.apply(network.eval(), torch.arange(few, device=split.targets.device))
    except Exception as error:  # whatever a user's forward() or torch finds wrong with the examples
        raise ValueError(f"architecture {name}: cannot be applied to the data set: {reason(error)}") from error
    network.train(training)
    got, wanted = list(outputs.shape), list(split.targets[:few].shape)
    if split.targets.is_floating_point():
        if got != wanted:
            raise ValueError(
                f"architecture {name}: got outputs {got} for {few} examples, wanted {wanted} like the targets"
            )
    elif len(got) < 2 or got[:1] + got[2:] != wanted or got[1] <= split.targets.max():
        further = "".join(f", {size}" for size in wanted[1:])
        classes = split.targets.max().item() + 1
        raise ValueError(
            f"architecture {name}: got outputs {got} for {few} examples, wanted [{few}, at least {classes}{further}]"
        )


@torch.no_grad()
def require_loss(name: str, loss: Callable[..., Tensor], network: nn.Module, split: Split) -> None:
    """Refuse a loss that does not give one number, and without a reduction a number or more an example.

    Args:
        name: the loss's, which the message begins with.
        loss: of (outputs, targets, reduction).
        network: one that fits the split; its mode stays as it is.
        split: the examples.

    Raises:
        ValueError: if what it returns is something else, or a loss of torch cannot be applied.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(3, 1), torch.zeros(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> require_loss("mine", lambda outputs, targets, reduction="mean": outputs, nn.Linear(1, 1), rows)
        Traceback (most recent call last):
        ValueError: loss mine: got shape [2, 1], wanted a tensor with one number, the mean over examples
    """
    few, training = torch.arange(min(2, len(split)), device=split.targets.device), network.training
    with torch.random.fork_rng():
        outputs, targets = split.apply(network.eval(), few), split.targets[few]
        network.train(training)
        try:
            mean, each = loss(outputs, targets), loss(outputs, targets, reduction="none")
        except (TypeError, ValueError, RuntimeError) as error:  # as torch's own losses raise them
            if loss.__module__ != functional.__name__:
                raise
            shapes = f"outputs {list(outputs.shape)} and targets {list(targets.shape)}"
            raise ValueError(f"loss {name}: cannot be applied to {shapes}: {reason(error)}") from error
    if not isinstance(mean, Tensor) or mean.dim():
        raise ValueError(f"loss {name}: got {_shape(mean)}, wanted a tensor with one number, the mean over examples")
    if not isinstance(each, Tensor) or each.shape[:1] != few.shape:
        wanted = f"a number for each of {len(few)} examples"
        raise ValueError(f"loss {name}: got {_shape(each)} with reduction='none', wanted {wanted}")


def require_methods(name: str, made: object, *methods: str) -> None:
    """Refuse what a plug-in made, if it lacks a method.

    Args:
        name: the plug-in's kind and name, which the message begins with.
        made: what its `build` returned.
        methods: their names.

    Raises:
        ValueError: if one is missing.

    Example:
        >>> require_methods("optimiser mine", [], "step", "zero_grad")
        Traceback (most recent call last):
        ValueError: optimiser mine: build() gave list, wanted what has step()
    """
    for method in methods:
        if not callable(getattr(made, method, None)):
            raise ValueError(f"{name}: build() gave {type(made).__name__}, wanted what has {method}()")


@torch.no_grad()
def require_stackable(name: str, network: nn.Module, split: Split) -> None:
    """Refuse a network of which models cannot be trained at once, see `stacked`.

    Args:
        name: the architecture's, which the message begins with.
        network: one that fits the split; its mode, weights and statistics stay as they are.
        split: the training examples; all on the CPU.

    Raises:
        ValueError: if the split is a graph; if the network draws random numbers in training, or changes its buffers;
            or if torch.func.vmap cannot transform it.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.zeros(3, 1), torch.zeros(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> require_stackable("mine", nn.Dropout(), rows)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: architecture mine: got random numbers in training, as of dropout, wanted none where models are ...
    """
    what = "a graph" if isinstance(split, Nodes) else _hinders(network, split)
    if what:
        raise ValueError(f"architecture {name}: got {what}, wanted none where models are trained at once (stacked)")
    try:
        _of_two(network, split)
    except Exception as error:  # whatever vmap finds in a user's forward()
        raise ValueError(f"architecture {name}: cannot be trained stacked: {reason(error)}") from error


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
    outputs = partial(stacking.outputs(network), {**parameters, **buffers})
    return split.apply(outputs, torch.arange(min(2, len(split))).expand(2, -1))


def _shape(value: object) -> str:
    return f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
