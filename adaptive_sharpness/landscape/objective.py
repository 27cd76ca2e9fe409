"""The seam between a network and what is measured of it: its loss on a batch, as a function of its parameters."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from adaptive_sharpness.landscape import stacking
from adaptive_sharpness.landscape.network import function_of_state

Parameters = dict[str, Tensor]


class NotFinite(ValueError):
    """A loss is nan or infinite, so that there is no sharpness."""


class Objective:
    """L_S(w), the loss of a network on a batch S, in eval mode: batch-norm statistics frozen, dropout off.

    Args:
        network: gives the function; its own parameters and buffers stand in where a state has none.
        loss: the mean loss on a batch, a scalar. Of (output, target) where a batch is a pair of tensors, (input,
            target); else of (network, batch), where the network is a function of what its forward() takes.
        normalise_logits: whether the network's outputs z become z / sqrt(mean_k (z_k - mean z)^2), k over classes
            (Andriushchenko et al. 2023, section 3: sharpness that ignores the scale of the logits): dimension 1 where a
            batch is a pair, as torch's cross-entropy has it, else the last.
        in_place: whether a state stays in the network, see `function_of_state`.

    Raises:
        ValueError: if a part of the network is in training mode.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[..., Tensor],
        *,
        normalise_logits: bool = False,
        in_place: bool = False,
    ):
        training = [name or "the network" for name, module in network.named_modules() if module.training]
        if training:
            raise ValueError(f"{training[0]} is in training mode, wanted eval mode: call network.eval() first")
        if not callable(loss):
            raise ValueError(f"loss: got {loss!r}, wanted a function, such as torch.nn.functional.cross_entropy")
        self._network, self._loss, self._normalise = network, loss, normalise_logits
        self._function = function_of_state(network, in_place=in_place)

    def on(self, batches: Sequence) -> Callable[[Parameters], Tensor]:
        """The losses of P problems, each with its own state on its own batch.

        Args:
            batches: each problem's batch; tensors of equal shapes, or pairs of them, or P times the same object.

        Returns:
            A function from states, by name [P, *shape], to losses, [P].

        Example:
            >>> objective = Objective(nn.Linear(1, 1, bias=False).eval(), nn.functional.mse_loss)
            >>> batch = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
            >>> losses = objective.on([batch, batch])
            >>> losses({"weight": torch.tensor([[[2.0]], [[1.0]]])}).tolist()  # the means of 4 and 36, of 1 and 9
            [20.0, 5.0]
        """
        if len(batches) == 1:  # without vmap: on a CPU it slows down convolutions and graphs
            return lambda state: self._one({name: _only(value) for name, value in state.items()}, batches[0])[None]
        if all(batch is batches[0] for batch in batches):
            return partial(_swapped, vmap(self._one, in_dims=(0, None)), batches[0])
        if is_pair(batches[0]) and stacking.is_layered(self._network):
            return self._stacked(*_stack(batches))
        return partial(_swapped, vmap(self._one), _stack(batches))

    def check(self, state: Parameters, batch: Any) -> Tensor:
        """Refuse what cannot be measured. Leaves the state and the batch as they are.

        Args:
            state: of one model, by name.
            batch: one.

        Returns:
            The loss.

        Raises:
            ValueError: if there is no loss, if it is no scalar, or if two identical calls differ in it or leave another
                state or batch behind.

        Example:
            >>> objective = Objective(nn.Linear(1, 1, bias=False).eval(), torch.sub)
            >>> objective.check({"weight": torch.tensor([[2.0]])}, (torch.ones(3, 1), torch.zeros(3, 1)))
            Traceback (most recent call last):
            ValueError: loss: got shape [3, 1], wanted a scalar tensor: the mean over the batch
        """
        own, trial = {name: value.detach().clone() for name, value in state.items()}, _copy(batch)
        versions = [each._version for each in _tensors(trial)]
        with torch.no_grad():
            first, second = self._first(own, trial), self._one(own, trial)
        if not isinstance(first, Tensor) or first.dim():
            got = f"shape {list(first.shape)}" if isinstance(first, Tensor) else type(first).__name__
            raise ValueError(f"loss: got {got}, wanted a scalar tensor: the mean over the batch")
        changed = [name for name, value in own.items() if not _equal(value, state[name])]
        if changed:
            raise ValueError(
                f"{changed[0]} changes when the network is called, wanted a network that leaves it as it is"
            )
        if [each._version for each in _tensors(trial)] != versions:
            raise ValueError(
                "batch: got one that the network changes in place, wanted a network that leaves it as it is: "
                "set inplace=False in its first layers"
            )
        if not torch.isclose(first, second, rtol=1e-5, atol=0, equal_nan=True):  # some GPU kernels differ in a last bit
            raise ValueError(
                f"loss: got {first:.9g} and then {second:.9g} from the same call, wanted no randomness in it"
            )
        return first

    @torch.no_grad()
    def value(self, state: Parameters, batch: Any) -> Tensor:
        """The loss of one model, on one batch.

        Args:
            state: of the model, by name.
            batch: one.

        Returns:
            The loss.

        Example:
            >>> objective = Objective(nn.Linear(1, 1, bias=False).eval(), nn.functional.mse_loss)
            >>> batch = torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1)
            >>> objective.value({"weight": torch.tensor([[2.0]])}, batch).item()  # the mean of 4 and 36
            20.0
        """
        return self._one(state, batch)

    def _first(self, state: Parameters, batch: Any) -> Tensor:
        """The loss, where nobody knows yet whether network, loss and batch fit each other."""
        try:
            return self._one(state, batch)
        except torch.OutOfMemoryError:
            raise
        except (TypeError, AttributeError, RuntimeError) as error:
            said = f"{type(error).__name__}: {first_line(error)}"
            form = "loss(network(input), target)" if is_pair(batch) else "loss(network, batch)"
            raise ValueError(
                f"loss: got {said}, from {form} for a batch that is {described(batch)}; wanted a loss of (output, "
                f"target) for pairs of tensors, of (network, batch) for all else"
            ) from error

    def _one(self, state: Parameters, batch: Any) -> Tensor:
        if is_pair(batch):
            output = self._function(state, (batch[0],), {})
            return self._loss(self._scaled(output, 1), batch[1])
        return self._loss(partial(self._output, state), batch)

    def _stacked(self, inputs: Tensor, targets: Tensor) -> Callable[[Parameters], Tensor]:
        outputs, losses = stacking.outputs(self._network), stacking.losses(self._loss)
        return lambda states: losses(self._scaled(outputs(states, inputs), 2), targets)

    def _output(self, state: Parameters, *inputs, **options) -> Tensor:
        return self._scaled(self._function(state, inputs, options), -1)

    def _scaled(self, output: Tensor, classes: int) -> Tensor:
        if not self._normalise:
            return output
        return output / output.std(dim=min(classes, output.dim() - 1), correction=0, keepdim=True)


def is_pair(batch: Any) -> bool:
    """Whether a batch is (input, target), both tensors.

    Example:
        >>> is_pair((torch.zeros(2), torch.zeros(2))), is_pair([torch.zeros(2), "label"])
        (True, False)
    """
    return isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(each, Tensor) for each in batch)


def described(batch: Any) -> str:
    """What a batch is, in a few words: its type, and the shapes of its tensors.

    Example:
        >>> described((torch.zeros(4, 2), torch.zeros(4)))
        'a tuple of [4, 2], [4]'
    """
    shapes = ", ".join(str(list(each.shape)) for each in _tensors(batch))
    return f"a {type(batch).__name__} of {shapes or 'no tensors'}"


def first_line(error: Exception) -> str:
    """The first line of an error's message, cut after 200 letters.

    Example:
        >>> first_line(RuntimeError("shapes differ\\nin many ways"))
        'shapes differ'
    """
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


def _copy(batch: Any) -> Any:
    try:
        return copy.deepcopy(batch)
    except (TypeError, RuntimeError):  # it holds what has no copy, such as a file or a part of a graph
        return batch


def _tensors(value: Any, depth: int = 4) -> Iterator[Tensor]:
    """The tensors in a batch, also in those of other packages, which keep them in their attributes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from (tensor for each in value.values() for tensor in _tensors(each, depth))
    elif isinstance(value, tuple | list):
        yield from (tensor for each in value for tensor in _tensors(each, depth))
    elif depth and hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        yield from (tensor for each in vars(value).values() for tensor in _tensors(each, depth - 1))


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers; nan, as in a network that diverged, is a number here."""
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())


def _stack(batches: Sequence):
    if is_pair(batches[0]):
        return tuple(torch.stack(each) for each in zip(*batches, strict=True))
    return torch.stack(list(batches))


def _swapped(function: Callable[..., Tensor], batches, state: Parameters) -> Tensor:
    return function(state, batches)


def _only(value: Tensor) -> Tensor:
    """The one problem's parameter; images in channels-last order take a quarter less time on a CPU."""
    one = value.squeeze(0)  # value[0] is the same, but its derivative copies all
    last = one.dim() != 4 or one.stride(1) == 1  # of one channel torch calls any order both
    return one if last else one.clone(memory_format=torch.channels_last)
