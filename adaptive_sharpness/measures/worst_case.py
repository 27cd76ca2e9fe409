"""Worst-case m-sharpness: the highest rise of a batch's loss in a ball around the weights, batch by batch."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from adaptive_sharpness.landscape import ascent, options
from adaptive_sharpness.landscape.balls import L2, NORMS, LInf
from adaptive_sharpness.landscape.objective import Parameters
from adaptive_sharpness.landscape.problems import Chunk, Problems
from adaptive_sharpness.landscape.progress import Callback, until_interrupted
from adaptive_sharpness.landscape.scales import Scale
from adaptive_sharpness.measures._measured import Measured, warn_of_rounding

SOLVERS = ("apgd", "pga")


@dataclass(frozen=True, repr=False, kw_only=True)
class WorstCase(Measured):
    """What `worst_case` finds on each batch, see `Measured`; its quantities are sharpness and first_order.

    Args:
        max_loss: the highest L_S(w + delta) found; `per_batch` is max_loss - base_loss.
        last_improvement: the share of the steps after which the last improvement came: near 1, more steps may find
            more. 0 where no step improved on the start.
        gain_from_doubling: by which share the rise grows with twice the steps, nan on batches where it was not tried.
        delta: the perturbations found, by name, [batches, *shape] or [models, batches, *shape], if they were kept.
    """

    max_loss: Tensor
    last_improvement: Tensor
    gain_from_doubling: Tensor
    delta: Parameters | None

    @property
    def first_order(self) -> Tensor:
        """The highest rise of the linearised loss in the ball.

        Example:
            >>> model, batch = nn.Linear(1, 1, bias=False).eval(), (torch.tensor([[1.0]]), torch.tensor([[0.0]]))
            >>> _ = nn.init.constant_(model.weight, 2.0)
            >>> result = worst_case(model, nn.functional.mse_loss, batch, rho=0.5)
            >>> result.first_order.item()  # rho times w = 2 times the slope 2 w
            4.0
        """
        return self.further["first_order"]


def worst_case(
    model: nn.Module | Sequence[nn.Module],
    loss: Callable[..., Tensor],
    batches: Iterable,
    *,
    rho: float,
    norm: Literal["linf", "l2"] = "linf",
    scale: Literal["adaptive", "none", "filter", "neuron", "keskar", "asam"] | Scale = "adaptive",
    solver: Literal["apgd", "pga"] = "apgd",
    steps: int = 20,
    rate: float | None = None,
    restarts: int = 0,
    origin: bool = True,
    warm_start: WorstCase | None = None,
    keep_delta: bool = False,
    convergence: int = 0,
    perturb: Literal["all", "weights", "no_normalisation", "trainable"] | Callable[[str], bool] = "all",
    normalise_logits: bool = False,
    stacked: int = 1,
    states: Mapping[str, Tensor] | None = None,
    micro_batch: int | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    seed: int = 0,
) -> WorstCase:
    """Return an estimate of max over ||delta / c||_p <= rho of L_S(w + delta) - L_S(w), for every batch S.

    The adaptive sharpness of Kwon et al. 2021, eq. 3.

    What is found is a lower bound of the maximum. With `apgd`, and with `pga` without a rate, it does not change when
    the network is rescaled without changing its function, if adaptive; with a rate, as in the report, it does.

    Args:
        model: a network in eval mode, or several of one architecture.
        loss: of (output, target) where a batch is a pair of tensors; of (network, batch) for all else. The mean.
        batches: an iterable of batches, such as a DataLoader or a list; a tensor, each row a batch; one pair or dict.
        rho: radius of the ball, in units of c, finite and at least 0.
        norm: p: "linf" or "l2".
        scale: c: a name of `scales.SCALES`, such as "adaptive" or "none", or a function of (name, parameter).
        solver: "apgd" (`ascent.apgd`) or "pga" (`ascent.pga`).
        steps: gradient steps from each start.
        rate: of pga, the length of a step as a multiple of the gradient; None for steepest steps.
        restarts: further starts, at points uniform in the ball; the best of all counts, batch by batch.
        origin: whether delta = 0 is a candidate; with pga it may be false, as in the report, and a rise negative.
        warm_start: a result of the same models and batches with `keep_delta`, at a rho not above this one: ascent
            starts at its perturbations in place of 0, so that no rise is below its own.
        keep_delta: whether to return the perturbations found.
        convergence: on how many batches, the first ones, to measure the gain from doubling the steps.
        perturb: "all" parameters, "weights" without biases, "no_normalisation" layers, "trainable" ones, or a function
            of the name.
        normalise_logits: whether the network's outputs are divided by their standard deviation over classes.
        stacked: problems (pairs of model and batch) solved at once; changes speed and memory, results by rounding only.
        states: parameters and buffers of several models, by name [models, *shape]; `model` is then one network.
        micro_batch: examples that are computed at once, None for a whole batch.
        progress: whether to show a bar; an interrupt then returns what is finished, all else nan.
        callback: called after each batch with the positions of its model and of itself, and the numbers found.
        seed: of the restarts.

    Returns:
        WorstCase.

    Raises:
        ValueError: if an option is none of these, or the loss cannot be measured (see `Problems`, `Objective.check`).
        NotFinite: if a loss is nan or infinite.

    Example:
        >>> model, batch = nn.Linear(1, 1, bias=False).eval(), (torch.tensor([[1.0]]), torch.tensor([[0.0]]))
        >>> _ = nn.init.constant_(model.weight, 2.0)
        >>> result = worst_case(model, nn.functional.mse_loss, batch, rho=0.5)  # (2 + 0.5 * 2)^2 - 2^2
        >>> result.sharpness
        5.0
    """
    rho = options.radius(rho)
    _check(norm, solver, steps, rate, restarts, origin, convergence)
    of_loss = {"scale": scale, "perturb": perturb, "normalise_logits": normalise_logits, "micro_batch": micro_batch}
    of_loss |= {"stacked": stacked, "states": states}
    problems = Problems(model, loss, batches, progress=progress, callback=callback, **of_loss)
    ascend = ascent.apgd if solver == "apgd" else partial(ascent.pga, rate=rate)
    warm = _kept(warm_start, problems)

    def solution(chunk: Chunk, steps: int = steps) -> dict[str, Tensor]:
        ball = NORMS[norm](chunk.scale, rho)
        starts = [ascent.at(chunk.loss, chunk.weights, {n: torch.zeros_like(w) for n, w in chunk.weights.items()})]
        base = starts[0].loss
        chunk.require_finite(base, "at the weights")
        slope = ball.first_order(starts[0].gradient)
        chunk.require_finite(slope, "at the weights", what="first-order rise")  # sign(nan) is 0, a step that hides it
        best = starts[0].without_gradient() if origin else None
        if warm is not None:
            starts = [_warm(chunk, ball, warm)]
            best = _better(best, starts[0])
        for restart in range(restarts + 1):
            if restart:
                starts = [ascent.at(chunk.loss, chunk.weights, _random_start(chunk, ball, seed, restart - 1))]
                best = _better(best, starts[0])
            # Popped, so that a large gradient is freed as soon as the ascent has left its start.
            best = _better(best, ascend(chunk.loss, chunk.weights, ball, starts.pop(), steps=steps))
        chunk.require_finite(best.loss, f"at rho {rho:g}")
        found = {"base_loss": base, "max_loss": best.loss, "first_order": slope}
        deltas = {f"delta.{name}": value for name, value in best.delta.items()} if keep_delta else {}
        return {**found, "last_improvement": best.step.double() / steps, **deltas}

    found = problems.solve(solution)
    delta = {name.removeprefix("delta."): found.pop(name) for name in list(found) if name.startswith("delta.")}
    rise = found["max_loss"] - found["base_loss"]
    gain = torch.full_like(rise, math.nan)
    if convergence and not rise.isnan().any():  # else interrupted
        with until_interrupted(progress):
            again = Problems(model, loss, problems.first(convergence), **of_loss)
            twice = again.solve(partial(solution, steps=2 * steps))
            few = rise[..., :convergence]
            gain[..., :convergence] = torch.where(few > 0, (twice["max_loss"] - twice["base_loss"]) / few - 1, math.nan)
    further = {"first_order": found.pop("first_order")}
    result = WorstCase(per_batch=rise, further=further, **found, gain_from_doubling=gain, delta=delta or None)
    warn_of_rounding("worst_case", result, problems.dtype, result.first_order > 0)
    return result


def _check(norm, solver, steps, rate, restarts, origin, convergence) -> None:
    options.one_of("norm", norm, tuple(NORMS))
    options.one_of("solver", solver, SOLVERS)
    options.whole("steps", steps, least=1)
    options.whole("restarts", restarts, least=0)
    options.whole("convergence", convergence, least=0)
    options.positive("rate", rate)
    if solver == "apgd" and rate is not None:
        raise ValueError(f"rate: got {rate}, wanted none: apgd chooses its own steps")
    if solver == "apgd" and not origin:
        raise ValueError("origin: got false, wanted true: apgd always counts its start")


def _kept(warm_start: WorstCase | None, problems: Problems) -> Parameters | None:
    """The perturbations to start from, each [models, batches, *shape]."""
    if warm_start is None:
        return None
    shape = tuple(torch.atleast_2d(warm_start.per_batch).shape)
    if warm_start.delta is None or shape != problems.shape:
        got = "no perturbations" if warm_start.delta is None else f"{shape} models and batches"
        raise ValueError(f"warm_start: got {got}, wanted those of {problems.shape}, kept with keep_delta=True")
    single = warm_start.per_batch.dim() == 1
    kept = {name: value[None] if single else value for name, value in warm_start.delta.items()}
    for name, wanted in problems.perturbed.items():
        if name not in kept or kept[name].shape[2:] != wanted:
            raise ValueError(f"warm_start: got no perturbations of {name} that fit, wanted its shape")
    return kept


def _warm(chunk: Chunk, ball: LInf | L2, warm: Parameters) -> ascent.Point:
    delta = {name: warm[name][chunk.models, chunk.batches].to(value) for name, value in chunk.weights.items()}
    return ascent.at(chunk.loss, chunk.weights, ball.project(delta))


def _better(best: ascent.Point | None, other: ascent.Point) -> ascent.Point:
    return other.without_gradient() if best is None else best.or_better(other.without_gradient())


def _random_start(chunk: Chunk, ball: LInf | L2, seed: int, restart: int) -> Parameters:
    """A point uniform in the ball that follows from (seed, batch, restart), in units of c the same for every model."""
    draws = chunk.generators(seed, "restart", restart)
    normal = chunk.normal(draws)
    radii = torch.stack([torch.rand((), generator=draw, dtype=torch.float64) for draw in draws])
    return ball.uniform(normal, radii.to(next(iter(normal.values()))))
