"""What there is to measure: every pair of a model and a batch is a problem of its own, and some are solved at once."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import options
from adaptive_sharpness.landscape.network import measurable, untouched
from adaptive_sharpness.landscape.objective import NotFinite, Objective, Parameters, is_pair
from adaptive_sharpness.landscape.randomness import generator

PERTURBED = ("all", "weights", "no_normalisation")


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
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; or one pair
            (input, target). They are moved to the model's device.
        adaptive: the scale c: |w| if true (Kwon et al. 2021, eq. 3), 1 if false, or a function from a model's
            parameters, by name, to c.
        perturb: which parameters are perturbed: "all"; "weights", those that are no bias; "no_normalisation", those of
            no normalisation layer; or a function from a parameter's name to true or false.
        normalise_logits: see `Objective`.
        stacked: problems solved at once, of one shape; changes speed and memory, and results by rounding only.
        states: parameters and buffers of several models, by name [models, *shape], as `torch.func.stack_module_state`
            stacks them; `model` is then one network that gives the function.
        transformed: see `Objective.on`.

    Raises:
        ValueError: if there is no model, no batch, or an empty batch; if models differ in more than their numbers; if
            states are not the network's, stacked; if nothing is perturbed, or what needs no gradient; if a scale is
            negative or of another shape.
    """

    def __init__(
        self,
        model: nn.Module | Sequence[nn.Module],
        loss: Callable[..., Tensor],
        batches: Iterable,
        *,
        adaptive: bool | Callable[[Parameters], Parameters] = True,
        perturb: str | Callable[[str], bool] = "all",
        normalise_logits: bool = False,
        stacked: int = 1,
        states: Mapping[str, Tensor] | None = None,
        transformed: bool = False,
    ):
        options.whole("stacked", stacked, least=1)
        several = not isinstance(model, nn.Module | Mapping) and isinstance(model, Iterable)
        models = [measurable(each) for each in (model if several else [model])]
        if not models:
            raise ValueError("model: got an empty list, wanted at least one network")
        self._stacked, self._transformed = stacked, transformed
        if states is not None and len(models) > 1:
            raise ValueError(
                f"model: got {len(models)} networks and states, wanted one network that gives the function"
            )
        self._models, self._several = models, several or states is not None
        self._objectives = [Objective(each, loss, normalise_logits=normalise_logits) for each in models]
        self._names, *_ = [_perturbed(each, perturb) for each in models]
        self._states = _stack(models) if states is None else _checked(models[0], states)
        self._count = len(next(iter(self._states.values())))
        self._in_network = self._count == 1 and states is None
        with untouched(models):  # a DataLoader draws a seed
            self._batches = _listed(batches, next(iter(self._states.values())).device)
            self._scale = _scale({name: self._states[name] for name in self._names}, adaptive)
            self._check()

    def _check(self) -> None:
        for position, objective in enumerate(self._objectives):
            state = {name: value[position] for name, value in self._states.items()}
            own = objective.check(state, self._batches[0])
            first = self._objectives[0].value(state, self._batches[0]) if position else own
            if not torch.isclose(own, first, rtol=1e-5, atol=0, equal_nan=True):
                raise ValueError(
                    f"model {position}: got another loss from it than from model 0 with its parameters, "
                    f"wanted one architecture"
                )

    @property
    def shape(self) -> tuple[int, int]:
        """(models, batches).

        Example:
            >>> model, batch = nn.Linear(2, 1).eval(), (torch.zeros(4, 2), torch.zeros(4, 1))
            >>> Problems([model] * 3, nn.functional.mse_loss, [batch, batch]).shape
            (3, 2)
        """
        return self._count, len(self._batches)

    @property
    def perturbed(self) -> dict[str, torch.Size]:
        """The shapes of one model's parameters that are perturbed, by name.

        Example:
            >>> batch = torch.zeros(4, 2), torch.zeros(4, 1)
            >>> Problems(nn.Linear(2, 1).eval(), nn.functional.mse_loss, batch, perturb="weights").perturbed
            {'weight': torch.Size([1, 2])}
        """
        return {name: self._states[name].shape[1:] for name in self._names}

    def first(self, batches: int) -> list:
        """The first batches.

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
        with untouched(self._models):  # also its random states: a loss may draw numbers that make no difference to it
            for chunk in self._chunks():
                for name, value in solution(chunk).items():
                    value = value.double().cpu() if value.dim() == 1 else value
                    if name not in found:
                        found[name] = value.new_empty((*self.shape, *value.shape[1:]))
                    found[name][chunk.models, chunk.batches] = value
        return found if self._several else {name: value[0] for name, value in found.items()}

    def _chunks(self) -> Iterator[Chunk]:
        alike: dict[Any, list[int]] = {}
        for position, batch in enumerate(self._batches):
            alike.setdefault(_shape(batch), []).append(position)
        for positions in alike.values():
            pairs = iter(product(range(self._count), positions))
            while some := list(islice(pairs, self._stacked)):
                yield self._chunk(*map(list, zip(*some, strict=True)))

    def _chunk(self, models: list[int], batches: list[int]) -> Chunk:
        fixed = {} if self._in_network else self._some(models, self._states, self._states.keys() - set(self._names))
        own = [self._batches[position] for position in batches]
        loss = self._objectives[0].on(own, transformed=self._transformed)
        return Chunk(
            models,
            batches,
            self._some(models, self._states, self._names),
            self._some(models, self._scale, self._names),
            lambda weights: loss({**fixed, **weights}),
        )

    def _some(self, models: list[int], stacked: Parameters, names: Iterable[str]) -> Parameters:
        if len(set(models)) == 1:  # a view, where indexing would copy
            return {name: stacked[name][models[0]].expand(len(models), *stacked[name].shape[1:]) for name in names}
        return {name: stacked[name][models] for name in names}


def _listed(batches: Iterable, device: torch.device) -> list:
    if isinstance(batches, Tensor):
        batches = batches.unbind()
    elif isinstance(batches, tuple) and is_pair(batches):
        batches = [batches]
    listed = [_on(batch, device) for batch in batches]
    if not listed:
        raise ValueError("batches: got none, wanted at least one")
    for position, batch in enumerate(listed):
        if any(not each.numel() for each in (batch if is_pair(batch) else [batch]) if isinstance(each, Tensor)):
            raise ValueError(f"batch {position}: got no examples, wanted at least one")
    return listed


def _on(batch: Any, device: torch.device) -> Any:
    if type(batch) is dict:
        return {key: _on(each, device) for key, each in batch.items()}
    if type(batch) in (tuple, list):
        return type(batch)(_on(each, device) for each in batch)
    return batch.to(device) if hasattr(batch, "to") else batch


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
        if perturb == "weights":  # torch's biases are bias, in_proj_bias, bias_ih_l0, ...
            names = [name for name in names if "bias" not in name.split(".")[-1].split("_")]
    if not names:
        raise ValueError(f"perturb: got {perturb}, which leaves no parameter, wanted at least one")
    for name in names:
        if not parameters[name].requires_grad:
            raise ValueError(
                f"{name} does not require a gradient, wanted one that does, or a perturb that leaves it out"
            )
    return names


def _normalisation(network: nn.Module) -> set[int]:
    """Parameters of what calls itself a norm: torch's layers, torch_geometric's, and a user's own."""
    layers = (module for module in network.modules() if "norm" in type(module).__name__.lower())
    return {id(parameter) for layer in layers for parameter in layer.parameters(recurse=False)}


def _state(network: nn.Module) -> Parameters:
    return {name: value.detach() for name, value in (*network.named_parameters(), *network.named_buffers())}


def _stack(models: Sequence[nn.Module]) -> Parameters:
    states = [_state(each) for each in models]
    shapes = [{name: (value.shape, value.dtype) for name, value in state.items()} for state in states]
    if any(each != shapes[0] for each in shapes):
        raise ValueError("model: got networks of different parameters or buffers, wanted one architecture")
    if len(states) == 1:  # a view
        return {name: value[None] for name, value in states[0].items()}
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


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


def _scale(weights: Parameters, adaptive: bool | Callable[[Parameters], Parameters]) -> Parameters:
    if not callable(adaptive):
        if not isinstance(adaptive, bool):
            raise ValueError(f"adaptive: got {adaptive!r}, wanted true, false, or a function of the parameters")
        return {name: value.abs() if adaptive else torch.ones_like(value) for name, value in weights.items()}
    scales = []
    for model in range(len(next(iter(weights.values())))):
        own = {name: value[model] for name, value in weights.items()}
        scales.append(adaptive({name: value.clone() for name, value in own.items()}))
        for name, value in own.items():
            c = scales[-1].get(name)
            if not isinstance(c, Tensor) or c.shape != value.shape or not (c.isfinite() & (c >= 0)).all():
                raise ValueError(f"adaptive: got a scale for {name} that does not fit, wanted its shape, at least 0")
    return {name: torch.stack([each[name].detach().to(value) for each in scales]) for name, value in weights.items()}
