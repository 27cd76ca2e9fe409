"""What there is to measure: every pair of a model and a batch is a problem of its own, and some are solved at once."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import examples, options, scales
from adaptive_sharpness.landscape.derivatives import InParts, Loss, NotDifferentiable
from adaptive_sharpness.landscape.micro_batches import in_micro_batches, is_mean
from adaptive_sharpness.landscape.network import differentiable, measurable, untouched
from adaptive_sharpness.landscape.objective import NotFinite, Objective, Parameters, first_line, is_pair
from adaptive_sharpness.landscape.progress import Callback, Progress
from adaptive_sharpness.landscape.randomness import generator

PERTURBED = ("all", "weights", "no_normalisation", "trainable")


@dataclass(frozen=True)
class Chunk:
    """Some problems that are solved at once.

    Args:
        models: the position of each problem's model, [P].
        batches: the position of each problem's batch, [P].
        weights: the parameters that are perturbed, by name, each [P, *shape].
        scale: their scale c, of the same shapes.
        loss: from weights to the losses of all problems, [P].
    """

    models: list[int]
    batches: list[int]
    weights: Parameters
    scale: Parameters
    loss: Callable[[Parameters], Tensor]

    def generators(self, seed: int, purpose: str, number: int) -> list[torch.Generator]:
        """A generator a problem, from (seed, purpose, batch, number): the same for every model.

        Example:
            >>> chunk = Chunk(models=[0, 1], batches=[5, 5], weights={}, scale={}, loss=len)
            >>> one, other = chunk.generators(0, "restart", 0)
            >>> torch.equal(torch.rand(3, generator=one), torch.rand(3, generator=other))
            True
        """
        return [generator(seed, purpose, batch, number) for batch in self.batches]

    def normal(self, draws: Sequence[torch.Generator]) -> Parameters:
        """Standard normal numbers for every weight, drawn on the CPU in float64 whatever the model is.

        Args:
            draws: a generator a problem.

        Returns:
            Numbers, by name, of the weights' shapes, device and dtype.

        Example:
            >>> chunk = Chunk([0], [0], weights={"w": torch.zeros(1, 10_000)}, scale={}, loss=len)
            >>> drawn = chunk.normal(chunk.generators(0, "restart", 0))["w"]
            >>> bool(drawn.mean().abs() < 0.05), bool((drawn.std() - 1).abs() < 0.05)
            (True, True)
        """
        shapes = {name: value.shape[1:] for name, value in self.weights.items()}
        each = [{n: torch.randn(s, generator=draw, dtype=torch.float64) for n, s in shapes.items()} for draw in draws]
        return {name: torch.stack([one[name] for one in each]).to(value) for name, value in self.weights.items()}

    def base_loss(self) -> Tensor:
        """The losses at the weights, [P].

        Raises:
            NotFinite: if one is nan or infinite.

        Example:
            >>> Chunk([0], [0], weights={"w": torch.ones(1, 2)}, scale={}, loss=lambda w: w["w"].sum(1)).base_loss()
            tensor([2.])
        """
        with torch.no_grad():
            losses = self.loss(self.weights)
        self.require_finite(losses, "at the weights")
        return losses

    def require_finite(self, losses: Tensor, where: str, what: str = "loss") -> None:
        """Refuse losses, or what else there is of each problem, that are nan or infinite.

        Raises:
            NotFinite: naming the first such model and batch.

        Example:
            >>> chunk = Chunk(models=[0], batches=[3], weights={}, scale={}, loss=len)
            >>> chunk.require_finite(torch.tensor([math.nan]), "at w")  # doctest: +IGNORE_EXCEPTION_DETAIL
            Traceback (most recent call last):
            NotFinite: model 0, batch 3: got a loss of nan at w, wanted a finite number
        """
        for model, batch, loss in zip(self.models, self.batches, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise NotFinite(f"model {model}, batch {batch}: got a {what} of {loss} {where}, wanted a finite number")


class Problems:
    """Models times batches.

    Args:
        model: a network in eval mode, or several of one architecture.
        loss: see `Objective`.
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; or one pair or dict
            (input, target). They are moved to the model's device.
        scale: c, see `scales.of_models`.
        perturb: which parameters are perturbed: "all"; "weights", those that are no bias; "no_normalisation", those of
            no normalisation layer; "trainable", those that require a gradient; or a function from a parameter's name to
            true or false.
        normalise_logits: see `Objective`.
        stacked: problems solved at once, of one shape; changes speed and memory, and results by rounding only.
        states: parameters and buffers of several models, by name [models, *shape], as `torch.func.stack_module_state`
            stacks them; `model` is then one network that gives the function.
        micro_batch: examples that are computed at once, None for a whole batch.
        whole: whether all batches are one, the whole data: its loss is that of all their examples.
        twice: whether second derivatives are needed.
        progress: whether to show how far the problems are solved; then an interrupt ends them, and what is not
            finished is nan.
        callback: called after each problem with the position of its model and of its batch, and what was found.

    Raises:
        ValueError: if there is no model, no batch, or an empty batch; if models differ in more than their numbers; if
            states are not the network's, stacked; if nothing is perturbed, or what needs no gradient or is complex; if
            a scale is negative or of another shape; if a loss in parts is no mean or sum of theirs.
    """

    def __init__(
        self,
        model: nn.Module | Sequence[nn.Module],
        loss: Callable[..., Tensor],
        batches: Iterable,
        *,
        scale: str | scales.Scale = "adaptive",
        perturb: str | Callable[[str], bool] = "all",
        normalise_logits: bool = False,
        stacked: int = 1,
        states: Mapping[str, Tensor] | None = None,
        micro_batch: int | None = None,
        whole: bool = False,
        twice: bool = False,
        progress: bool = False,
        callback: Callback | None = None,
    ):
        options.whole("stacked", stacked, least=1)
        if micro_batch is not None:
            options.whole("micro_batch", micro_batch, least=1)
        several = not isinstance(model, nn.Module | Mapping | str) and isinstance(model, Iterable)
        models = [measurable(each) for each in (model if several else [model])]
        if not models:
            raise ValueError("model: got an empty list, wanted at least one network")
        if states is not None and len(models) > 1:
            raise ValueError(
                f"model: got {len(models)} networks and states, wanted one network that gives the function"
            )
        self._models, self._stacked, self._twice = models, stacked, twice
        self._micro_batch, self._whole = micro_batch, whole
        self._progress = Progress(shown=progress, callback=callback)
        self._several = several or states is not None
        with self._safe():
            self._prepare(loss, batches, scale, perturb, normalise_logits, states)

    def _prepare(self, loss, batches, scale, perturb, normalise_logits, states) -> None:
        models = self._models
        how = {"normalise_logits": normalise_logits, "in_place": True}
        self._objectives = [Objective(each, loss, **how) for each in models]
        self._names, *_ = [_perturbed(each, perturb) for each in models]
        self._states = _stack(models) if states is None else _checked(models[0], states)
        if self._stacked == 1:
            self._states = {name: _channels_last(value) for name, value in self._states.items()}
        self._count = len(next(iter(self._states.values())))
        self._batches = _listed(batches, self._states[self._names[0]])
        self._scale = scales.of_models({name: self._states[name] for name in self._names}, scale)
        self._in_parts = self._micro_batch is not None or self._whole
        batch, size = self._batches[0], self._micro_batch
        batch = batch if size is None else examples.some(batch, 0, min(size, examples.count(batch)))
        for position, objective in enumerate(self._objectives):
            state = {name: value[position] for name, value in self._states.items()}
            own = objective.check(state, batch)
            first = self._objectives[0].value(state, batch) if position else own
            if not torch.isclose(own, first, rtol=1e-5, atol=0, equal_nan=True):
                raise ValueError(
                    f"model {position}: got another loss from it than from model 0 with its parameters, "
                    f"wanted one architecture"
                )
        self._mean = not self._in_parts or is_mean(self._objectives[0], state, self._batches, self._micro_batch)

    @property
    def shape(self) -> tuple[int, int]:
        """(models, batches).

        Example:
            >>> model, batch = nn.Linear(2, 1).eval(), (torch.zeros(4, 2), torch.zeros(4, 1))
            >>> Problems([model] * 3, nn.functional.mse_loss, [batch, batch]).shape
            (3, 2)
        """
        return self._count, 1 if self._whole else len(self._batches)

    @property
    def perturbed(self) -> dict[str, torch.Size]:
        """The shapes of one model's parameters that are perturbed, by name.

        Example:
            >>> batch = torch.zeros(4, 2), torch.zeros(4, 1)
            >>> Problems(nn.Linear(2, 1).eval(), nn.functional.mse_loss, batch, perturb="weights").perturbed
            {'weight': torch.Size([1, 2])}
        """
        return {name: self._states[name].shape[1:] for name in self._names}

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the losses: the coarsest of the weights' that are perturbed.

        Example:
            >>> batch = torch.zeros(4, 2), torch.zeros(4, 1)
            >>> Problems(nn.Linear(2, 1).eval(), nn.functional.mse_loss, batch).dtype
            torch.float32
        """
        return max((self._states[name].dtype for name in self._names), key=lambda each: torch.finfo(each).eps)

    def first(self, batches: int | None = None) -> list:
        """The first batches, or all.

        Example:
            >>> batch = torch.zeros(4, 2), torch.zeros(4, 1)
            >>> len(Problems(nn.Linear(2, 1).eval(), nn.functional.mse_loss, [batch] * 3).first(2))
            2
        """
        return self._batches[:batches]

    def solve(self, solution: Callable[[Chunk], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Solve all problems.

        Args:
            solution: from a chunk to what is found, by name, each [P, ...].

        Returns:
            By the same names, [models, batches, ...], or [batches, ...] where the model was no list; numbers a problem
            as float64 on the CPU.

        Example:
            >>> model, batch = nn.Linear(1, 1, bias=False).eval(), (torch.tensor([[1.0]]), torch.tensor([[0.0]]))
            >>> _ = nn.init.constant_(model.weight, 2.0)
            >>> problems = Problems(model, nn.functional.mse_loss, batch)
            >>> problems.solve(lambda chunk: {"loss": chunk.loss(chunk.weights)})["loss"].tolist()
            [4.0]
        """
        found: dict[str, Tensor] = {}
        try:
            with self._safe(), self._progress.of(math.prod(self.shape)) as done:
                for chunk, values in self._solved(solution):
                    for name, value in values.items():
                        value = value.double().cpu() if value.dim() == 1 else value
                        if name not in found:
                            unknown = math.nan if value.is_floating_point() else 0
                            found[name] = value.new_full((*self.shape, *value.shape[1:]), unknown)
                        found[name][chunk.models, chunk.batches] = value
                    done(chunk.models, chunk.batches, values)
        except KeyboardInterrupt:
            if not found or not self._progress.shown:
                raise
            warnings.warn("interrupted: the values of what is not finished are nan", stacklevel=3)
        return found if self._several else {name: value[0] for name, value in found.items()}

    @contextmanager
    def _safe(self) -> Iterator[None]:
        """Whatever happens in the block, nothing of the user's is changed after it."""
        with untouched(self._models), differentiable(self._models, twice=self._twice):
            yield

    def _solved(self, solution: Callable[[Chunk], Mapping[str, Tensor]]) -> Iterator[tuple[Chunk, Mapping]]:
        stacked = True
        for models, batches in self._places():
            if stacked or len(models) == 1:
                chunk = self._chunk(models, batches)
                try:
                    yield chunk, solution(chunk)
                    continue
                except torch.OutOfMemoryError:
                    raise
                except (RuntimeError, NotDifferentiable) as error:
                    if len(models) == 1:
                        raise
                    stacked = False
                    said = first_line(error)
                    warnings.warn(
                        f"stacked: got a network that torch cannot stack ({said}), wanted another; its "
                        "problems are solved one at a time",
                        stacklevel=4,
                    )
            for model, batch in zip(models, batches, strict=True):
                chunk = self._chunk([model], [batch])
                yield chunk, solution(chunk)

    def _places(self) -> Iterator[tuple[list[int], list[int]]]:
        """The models and batches of problems that are solved at once."""
        if self._whole:
            yield from (([model], [0]) for model in range(self._count))
            return
        alike: dict[Any, list[int]] = {}
        for position, batch in enumerate(self._batches):
            alike.setdefault(_shape(batch), []).append(position)
        for positions in alike.values():
            pairs = iter(product(range(self._count), positions))
            while some := list(islice(pairs, self._stacked)):
                models, batches = map(list, zip(*some, strict=True))
                yield models, batches

    def _chunk(self, models: list[int], batches: list[int]) -> Chunk:
        weights, scale = (self._some(models, of, self._names) for of in (self._states, self._scale))
        return Chunk(models, batches, weights, scale, self._loss(models, batches))

    def _loss(self, models: list[int], batches: list[int]) -> Loss:
        fixed = self._some(models, self._states, [name for name in self._states if name not in self._names])
        if self._whole:
            data = [[batch] for batch in self._batches]
        else:
            data = [[self._batches[position] for position in batches]]
        objective = self._objectives[0]
        if not self._in_parts:
            return _with(fixed, objective.on(data[0]))
        parts = in_micro_batches(objective, data, self._micro_batch, mean=self._mean).parts
        return InParts([_with(fixed, part) for part in parts])

    def _some(self, models: list[int], stacked: Parameters, names: Iterable[str]) -> Parameters:
        if len(set(models)) == 1:  # a view, where indexing would copy
            return {name: stacked[name][models[0]].expand(len(models), *stacked[name].shape[1:]) for name in names}
        return {name: stacked[name][models] for name in names}


def _with(fixed: Parameters, loss: Loss) -> Loss:
    """The loss as a function of the weights that are perturbed alone."""
    return lambda weights: loss({**fixed, **weights})


def _listed(batches: Iterable, like: Tensor) -> list:
    """The batches on a weight's device; arrays become tensors, their fractions of the weight's precision."""
    if isinstance(batches, np.ndarray) or (isinstance(batches, tuple) and _is_array_pair(batches)):
        batches = _on(batches, like)
    if isinstance(batches, Tensor):
        batches = batches.unbind()
    elif isinstance(batches, Mapping) or (isinstance(batches, tuple) and is_pair(batches)):
        batches = [batches]
    listed = [_on(batch, like) for batch in batches]
    if not listed:
        raise ValueError("batches: got none, wanted at least one")
    for position, batch in enumerate(listed):
        if any(not each.numel() for each in (batch if is_pair(batch) else [batch]) if isinstance(each, Tensor)):
            raise ValueError(f"batch {position}: got no examples, wanted at least one")
    return listed


def _is_array_pair(batch: tuple) -> bool:
    return len(batch) == 2 and all(isinstance(each, np.ndarray | Tensor) for each in batch)


def _on(batch: Any, like: Tensor) -> Any:
    if type(batch) is dict:
        return {key: _on(each, like) for key, each in batch.items()}
    if type(batch) in (tuple, list):
        return type(batch)(_on(each, like) for each in batch)
    if isinstance(batch, np.ndarray):
        value = torch.from_numpy(batch.copy()).to(like.device)
        return value.to(like.dtype) if value.is_floating_point() else value
    moved = batch.to(like.device) if hasattr(batch, "to") else batch
    return moved.clone() if isinstance(moved, Tensor) and moved.is_inference() else moved


def _shape(batch: Any):
    """What batches that can be stacked have in common; what is no tensor stands alone."""
    if not is_pair(batch) and not isinstance(batch, Tensor):
        return id(batch)
    return tuple((each.shape, each.dtype) for each in (batch if is_pair(batch) else [batch]))


def _perturbed(network: nn.Module, perturb: str | Callable[[str], bool]) -> list[str]:
    parameters = dict(network.named_parameters())
    if callable(perturb):
        names = [name for name in parameters if perturb(name)]
    else:
        options.one_of("perturb", perturb, PERTURBED)
        left_out = _normalisation(network) if perturb == "no_normalisation" else set()
        names = [name for name, value in parameters.items() if id(value) not in left_out]
        if perturb == "trainable":
            names = [name for name in names if parameters[name].requires_grad]
        if perturb == "weights":  # torch's biases are bias, in_proj_bias, bias_ih_l0, ...
            names = [name for name in names if "bias" not in name.split(".")[-1].split("_")]
    if not names:
        raise ValueError(f"perturb: got {perturb}, which leaves no parameter, wanted at least one")
    for name in names:
        if not parameters[name].requires_grad:
            raise ValueError(
                f"{name} does not require a gradient, wanted one that does, or a perturb that leaves it out, such as "
                f"trainable"
            )
        if parameters[name].is_complex():
            raise ValueError(f"{name} is complex, wanted real parameters, or a perturb that leaves it out")
    return names


def _normalisation(network: nn.Module) -> set[int]:
    """Parameters of what calls itself a norm: torch's layers, torch_geometric's, and a user's own."""
    layers = (module for module in network.modules() if "norm" in type(module).__name__.lower())
    return {id(parameter) for layer in layers for parameter in layer.parameters(recurse=False)}


def _state(network: nn.Module) -> Parameters:
    tensors = (*network.named_parameters(), *network.named_buffers())
    return {name: value.detach().clone() if value.is_inference() else value.detach() for name, value in tensors}


def _stack(models: Sequence[nn.Module]) -> Parameters:
    states = [_state(each) for each in models]
    shapes = [{name: (value.shape, value.dtype) for name, value in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        raise ValueError("model: got networks of different parameters or buffers, wanted one architecture")
    if len(states) == 1:  # a view
        return {name: value[None] for name, value in states[0].items()}
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def _channels_last(value: Tensor) -> Tensor:
    """Kernels of several models in the order in which one model's convolutions are fast, see `objective`."""
    if value.dim() != 5:
        return value
    return value.permute(0, 1, 3, 4, 2).clone(memory_format=torch.contiguous_format).permute(0, 1, 4, 2, 3)


def _checked(network: nn.Module, states: Mapping[str, Tensor]) -> Parameters:
    own = _state(network)
    for name, value in own.items():
        if name not in states or not states[name].dim() or states[name].shape[1:] != value.shape:
            got = f"shape {list(states[name].shape)}" if name in states else "nothing"
            wanted = ", ".join(["models", *map(str, value.shape)])
            raise ValueError(f"states: got {got} for {name}, wanted [{wanted}]")
    counts = sorted({len(states[name]) for name in own})
    if len(counts) != 1 or counts == [0]:
        raise ValueError(f"states: got {counts} models, wanted one number of models, at least 1")
    return {name: states[name].detach().to(value.device) for name, value in own.items()}
