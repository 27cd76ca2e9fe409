"""Maximise the losses of P problems at once, each over its own ball of perturbations and each on its own."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adaptive_sharpness.landscape.balls import L2, LInf, beside
from adaptive_sharpness.landscape.derivatives import Loss, gradient
from adaptive_sharpness.landscape.objective import Parameters

SUFFICIENT = 0.75  # the share of steps that must rise, rho in Croce & Hein 2020, condition 1


@dataclass(frozen=True)
class Point:
    """Where P problems stand.

    Args:
        delta: perturbations, by name, each [P, *shape].
        loss: L(w + delta), [P].
        gradient: of the loss there, by name; empty where nobody needs it.
        step: the number of steps that led there, [P].
    """

    delta: Parameters
    loss: Tensor
    gradient: Parameters
    step: Tensor

    def where(self, mask: Tensor, other: "Point") -> "Point":
        """This point where the mask is true, else the other, problem by problem.

        Example:
            >>> one, other = (Point({}, torch.full((2,), loss), {}, torch.zeros(2)) for loss in (1.0, 2.0))
            >>> one.where(torch.tensor([True, False]), other).loss.tolist()
            [1.0, 2.0]
        """
        if mask.all() or not mask.any():  # as in most steps, and nothing need be copied
            return self if mask.all() else other
        return Point(
            _where(mask, self.delta, other.delta),
            torch.where(mask, self.loss, other.loss),
            _where(mask, self.gradient, other.gradient),
            torch.where(mask, self.step, other.step),
        )

    def without_gradient(self) -> "Point":
        """The same point, whose gradient takes no memory.

        Example:
            >>> Point({}, torch.ones(1), {"w": torch.ones(1, 2)}, torch.zeros(1)).without_gradient().gradient
            {}
        """
        return replace(self, gradient={})

    def or_better(self, other: "Point") -> "Point":
        """The other where its loss is higher, or no number: what cannot be compared must not be hidden.

        Example:
            >>> one = Point({}, torch.tensor([1.0, 3.0]), {}, torch.zeros(2))
            >>> other = Point({}, torch.tensor([2.0, 0.0]), {}, torch.zeros(2))
            >>> one.or_better(other).loss.tolist()
            [2.0, 3.0]
        """
        return other.where((other.loss > self.loss) | other.loss.isnan(), self)


def at(loss: Loss, centre: Parameters, delta: Parameters, step: int = 0, *, last: bool = False) -> Point:
    """Evaluate the losses of P problems, and their gradients.

    Args:
        loss: from weights, by name [P, *shape], to losses, [P].
        centre: the weights w, by name, each [P, *shape].
        delta: perturbations, of the same shapes.
        step: the number of steps that led there.
        last: whether the gradients are not needed.

    Returns:
        The point.

    Example:
        >>> w = {"w": torch.tensor([[3.0]], dtype=torch.float64)}
        >>> point = at(lambda weights: weights["w"].square().sum(1), w, {"w": torch.ones_like(w["w"])})
        >>> point.loss.item(), point.gradient["w"].item()  # (3 + 1)^2, and its slope
        (16.0, 8.0)
    """
    with torch.no_grad():
        weights = {name: value + delta[name] for name, value in centre.items()}
        losses, slope = (loss(weights), {}) if last else gradient(loss, weights)
    return Point(delta, losses, slope, torch.full(losses.shape, step, device=losses.device))


def pga(loss: Loss, centre: Parameters, ball: LInf | L2, start: Point, *, steps: int, rate: float | None) -> Point:
    """Projected gradient ascent: delta <- project(delta + step).

    A step is rate * gradient (the report's solver: Hammoud et al. 2023, section II-B; in the l2 ball in its scaled
    coordinates), or without a rate the steepest step of length 2.5 rho / steps in the ball's norm (Madry et al. 2018).

    Args:
        loss: from weights, by name [P, *shape], to losses, [P].
        centre: the weights w, by name, each [P, *shape].
        ball: the perturbations allowed.
        start: where to begin, with gradients; it is no candidate itself.
        steps: at least 1.
        rate: the length of a step as a multiple of the gradient, or None.

    Returns:
        The best point met after a step.

    Example:
        >>> def loss(weights):
        ...     return weights["w"].square().sum(1)
        >>> w = {"w": torch.ones(1, 1, dtype=torch.float64)}
        >>> start = at(loss, w, {"w": torch.zeros_like(w["w"])})
        >>> pga(loss, w, LInf(w, rho=0.5), start, steps=5, rate=0.1).loss.item()  # (1 + 0.5)^2
        2.25
    """
    point, best = start, None
    for step in range(1, steps + 1):
        if rate is None:
            ahead = _plus(point.delta, ball.steepest(point.gradient), 2.5 * ball.rho / steps)
        else:
            ahead = _plus(point.delta, ball.uphill(point.gradient), rate)
        point = at(loss, centre, ball.project(ahead), step, last=step == steps)
        best = point if best is None else best.or_better(point)
    return best


def apgd(loss: Loss, centre: Parameters, ball: LInf | L2, start: Point, *, steps: int) -> Point:
    """Auto-PGD (Croce & Hein 2020, algorithm 1), in the space of weights.

    Steps are steepest steps of length eta, at first 2 rho, with momentum and a second projection. At each checkpoint a
    problem in which fewer than 3/4 of the steps since the last checkpoint rose, or whose best loss and eta are both
    what they were there, halves its own eta and goes on from its best point, at rest: here the paper would keep the
    point before for the next momentum, which points to where the ascent failed.

    Args:
        loss: from weights, by name [P, *shape], to losses, [P].
        centre: the weights w, by name, each [P, *shape].
        ball: the perturbations allowed.
        start: where to begin, with gradients; it is a candidate.
        steps: at least 1.

    Returns:
        The best point met.

    Example:
        >>> def loss(weights):
        ...     return weights["w"].square().sum(1)
        >>> w = {"w": torch.ones(1, 1, dtype=torch.float64)}
        >>> start = at(loss, w, {"w": torch.zeros_like(w["w"])})
        >>> apgd(loss, w, LInf(w, rho=0.5), start, steps=5).loss.item()  # (1 + 0.5)^2
        2.25
    """
    eta, halved = torch.full_like(start.loss, 2 * ball.rho), torch.zeros_like(start.loss, dtype=torch.bool)
    previous = point = best = start
    best_before, rises, begun, ends = start.loss, torch.zeros_like(start.loss), 0, checkpoints(steps)
    del start  # of which only the best point stays in memory
    for step in range(1, steps + 1):
        ahead = ball.advance(point.delta, point.gradient, eta, previous.delta if step > 1 else None)
        previous, point = point.without_gradient(), None
        point = at(loss, centre, ahead, step, last=step == steps)
        rises = rises + (point.loss > previous.loss)
        if step == steps:
            break
        best = best.or_better(point)
        if step in ends:
            halved = (rises < SUFFICIENT * (step - begun)) | (~halved & (best.loss == best_before))
            eta = torch.where(halved, eta / 2, eta)
            previous = best.without_gradient().where(halved, previous)
            point = best.where(halved, point)
            best_before, rises, begun = best.loss, torch.zeros_like(rises), step
    return best.or_better(point)


def checkpoints(steps: int) -> list[int]:
    """After which steps Auto-PGD looks back: ceil(p_j steps), p_j+1 = p_j + max(p_j - p_j-1 - 0.03, 0.06) from 0, 0.22.

    Croce & Hein 2020, section 3.2; in whole percents, since floating point would move some of them.

    Args:
        steps: of the whole ascent.

    Returns:
        Numbers of steps, increasing.

    Example:
        >>> checkpoints(100)
        [22, 41, 57, 70, 80, 87, 93, 99]
    """
    before, percent, found = 0, 22, []
    while percent <= 100:
        found.append(-(-percent * steps // 100))
        before, percent = percent, percent + max(percent - before - 3, 6)
    return sorted(set(found))


def _plus(one: Parameters, other: Parameters, factor: float) -> Parameters:
    return {name: value.add(other[name], alpha=factor) for name, value in one.items()}


def _where(mask: Tensor, one: Parameters, other: Parameters) -> Parameters:
    """One where the mask is true, else the other; without the names that either lacks."""
    shared = {name: (value, other[name]) for name, value in one.items() if name in other}
    return {name: torch.where(beside(a, mask), a, b) for name, (a, b) in shared.items()}
