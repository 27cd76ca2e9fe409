"""Balls of perturbations {delta : ||delta / c||_p <= rho} around the weights, c the scale of each weight.

Where c is 0 a weight does not move. All perturbations are stacked, [P, *shape] for P problems, each with its own c.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from adaptive_sharpness.landscape.blocks import blocks
from adaptive_sharpness.landscape.objective import Parameters

MOMENTUM = 0.25  # 1 - alpha in Croce & Hein 2020, eq. 1
KEPT = 1 << 21  # up to so many weights the bounds are kept, else they are computed when needed


def norm(values: Parameters) -> Tensor:
    """The 2-norm of each problem's vector, over all names, [P].

    Summed in float64: in float32 the square of a small gradient, of a saturated network say, would be 0.

    Example:
        >>> norm({"a": torch.tensor([[3.0]]), "b": torch.tensor([[4.0]])}).item()
        5.0
    """
    return _norm(values.values())


def along(factor: Tensor, values: Parameters) -> Parameters:
    """Each problem's vector times its factor, [P].

    Example:
        >>> along(torch.tensor([2.0, 0.5]), {"w": torch.tensor([[1.0], [4.0]])})["w"].tolist()
        [[2.0], [2.0]]
    """
    return {name: beside(value, factor) * value for name, value in values.items()}


def beside(value: Tensor, numbers: Tensor) -> Tensor:
    """A number a problem, [P], in the shape that meets a value, [P, *shape].

    Example:
        >>> beside(torch.zeros(2, 3, 4), torch.tensor([5.0, 6.0])).tolist()
        [[[5.0]], [[6.0]]]
    """
    numbers = numbers.to(value.dtype) if numbers.is_floating_point() else numbers
    return numbers.reshape(-1, *[1] * (value.dim() - 1))


def _norm(values: Iterable[Tensor]) -> Tensor:
    """As `norm`, of tensors that are made one after the other."""
    lengths, kind = [], None
    for value in values:
        lengths.append(torch.linalg.vector_norm(_flat(value), dim=1, dtype=torch.float64))
        kind = value.dtype if kind is None else torch.promote_types(kind, value.dtype)
    return torch.stack(lengths).norm(dim=0).to(kind)


def _sign(gradient: Tensor) -> Tensor:
    """The sign; of nan nan, where torch's own would hide it with 0; of subnormal numbers less than 1."""
    return (gradient / torch.finfo(gradient.dtype).tiny).clamp_(-1, 1)


def _with_momentum(ahead: Tensor, delta: Tensor, before: Tensor) -> Tensor:
    """x + (1 - m) (z - x) + m (x - y), its terms collected, in place of z: each pass through memory counts."""
    return ahead.mul_(1 - MOMENTUM).add_(delta, alpha=2 * MOMENTUM).sub_(before, alpha=MOMENTUM)


def _flat(value: Tensor) -> Tensor:
    return value[..., None].flatten(1)  # a parameter may be a scalar, its stack then [P]


class LInf:
    """The l-infinity ball: |delta_i| <= rho c_i for every weight.

    Args:
        scale: c, by name, each [P, *shape].
        rho: the radius, at least 0, in units of c.
    """

    def __init__(self, scale: Parameters, rho: float):
        self.rho, self._scale = rho, scale
        small = sum(value.numel() for value in scale.values()) <= KEPT
        self._bounds = {name: self._around(value) for name, value in scale.items()} if small else {}

    def project(self, delta: Parameters) -> Parameters:
        """The nearest point of the ball, in the Euclidean norm: each coordinate clamped to its bounds.

        Args:
            delta: perturbations, by name, each [P, *shape].

        Returns:
            Perturbations in the ball.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.project({"w": torch.tensor([[3.0, -0.25]])})["w"].tolist()
            [[0.5, -0.25]]
        """
        return {name: value.clamp(*self._bounds_of(name)) for name, value in delta.items()}

    def steepest(self, gradient: Parameters) -> Parameters:
        """The step of length 1, ||step / c||_inf = 1, along which a linear function rises most: c sign(gradient).

        Args:
            gradient: of the loss in the weights, by name, each [P, *shape].

        Returns:
            Steps.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.steepest({"w": torch.tensor([[-3.0, 0.1]])})["w"].tolist()
            [[-1.0, 2.0]]
        """
        return {name: _sign(value).mul_(self._scale[name]) for name, value in gradient.items()}

    def advance(self, delta: Parameters, gradient: Parameters, eta: Tensor, before: Parameters | None) -> Parameters:
        """The next point of Auto-PGD (Croce & Hein 2020, algorithm 1): a projected step, and what momentum makes of it.

        z = project(delta + eta steepest(gradient)), then project(delta + 3/4 (z - delta) + 1/4 (delta - before)).

        Args:
            delta: where the ascent stands, by name, each [P, *shape].
            gradient: of the loss there.
            eta: the length of each problem's step, [P].
            before: where the ascent stood a step before; None at the first step, which has no momentum.

        Returns:
            Perturbations.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0]])}, rho=1.0)
            >>> delta, gradient, before = ({"w": torch.tensor([[value]])} for value in (0.0, 3.0, -0.5))
            >>> ball.advance(delta, gradient, torch.tensor([0.5]), before)["w"].item()  # 3/4 0.5 + 1/4 0.5
            0.5
        """
        found = {}
        for name, value in delta.items():
            c, last = self._scale[name], value if before is None else before[name]
            lower, upper = self._bounds.get(name, (c, c))
            out = torch.empty_like(value)
            for x, y, g, scale, low, high, place in blocks(value, last, gradient[name], c, lower, upper, out):
                if name not in self._bounds:
                    low, high = self._around(scale)
                z = torch.addcmul(x, beside(x, eta), _sign(g).mul_(scale))
                z = z if before is None else _with_momentum(z.clamp_(low, high), x, y)
                torch.clamp(z, low, high, out=place)
            found[name] = out
        return found

    def uphill(self, gradient: Parameters) -> Parameters:
        """The gradient in the coordinates in which `project` gives the nearest point: here those of the weights.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.uphill({"w": torch.tensor([[-3.0, 1.0]])})["w"].tolist()
            [[-3.0, 1.0]]
        """
        return gradient

    def first_order(self, gradient: Parameters) -> Tensor:
        """The highest rise of the linearised loss in the ball: rho ||c gradient||_1.

        Args:
            gradient: as in `steepest`.

        Returns:
            Rises, [P].

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.first_order({"w": torch.tensor([[-3.0, 1.0]])}).item()  # 0.5 (1 * 3 + 2 * 1)
            2.5
        """
        return self.rho * sum(_flat(self._scale[name] * value).abs_().sum(1) for name, value in gradient.items())

    def uniform(self, draws: Parameters, _: Tensor) -> Parameters:
        """Points uniform in the ball.

        Args:
            draws: standard normal numbers, by name, each [P, *shape].
            _: uniform numbers in [0, 1), [P]; used by other balls.

        Returns:
            Perturbations.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.uniform({"w": torch.tensor([[0.0, 100.0]])}, torch.zeros(1))["w"].tolist()
            [[0.0, 1.0]]
        """
        return self.project(self.random(draws))

    def random(self, draws: Parameters) -> Parameters:
        """Random perturbations of the ball's scale: every coordinate uniform on [-rho c, rho c].

        Args:
            draws: standard normal numbers, by name, each [P, *shape].

        Returns:
            Perturbations.

        Example:
            >>> ball = LInf({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.random({"w": torch.tensor([[0.0, -100.0]])})["w"].tolist()
            [[0.0, -1.0]]
        """
        return {name: self._bounds_of(name)[1] * torch.erf(value / math.sqrt(2)) for name, value in draws.items()}

    def _bounds_of(self, name: str) -> tuple[Tensor, Tensor]:
        return self._bounds.get(name) or self._around(self._scale[name])

    def _around(self, scale: Tensor) -> tuple[Tensor, Tensor]:
        upper = self.rho * scale
        return -upper, upper


class L2:
    """The l2 ball: sum_i (delta_i / c_i)^2 <= rho^2, over all weights of a problem together.

    Args:
        scale: c, by name, each [P, *shape].
        rho: the radius, at least 0, in units of c.
    """

    def __init__(self, scale: Parameters, rho: float):
        self.rho, self._scale = rho, scale
        self._eps = max(torch.finfo(value.dtype).eps for value in scale.values())

    def project(self, delta: Parameters) -> Parameters:
        """The nearest point of the ball in the Euclidean norm of the scaled coordinates u = delta / c.

        There the ball is round, so that projecting is u <- u min(1, rho / ||u||): delta keeps its direction. It is not
        the nearest point in the norm of delta itself, which would take a root search and is not what the ball measures.

        Args:
            delta: perturbations, by name, each [P, *shape].

        Returns:
            Perturbations in the ball.

        Example:
            >>> ball = L2({"w": torch.tensor([[1.0, 2.0]])}, rho=2.5)
            >>> ball.project({"w": torch.tensor([[3.0, 8.0]])})["w"].tolist()  # u = (3, 4) has length 5
            [[1.5, 4.0]]
        """
        moving = {name: torch.where(self._scale[name] > 0, value, 0) for name, value in delta.items()}
        length = _norm(value / self._positive(name) for name, value in moving.items())
        factor = self._factor(length)
        return {name: value.mul_(beside(value, factor)) for name, value in moving.items()}

    def steepest(self, gradient: Parameters) -> Parameters:
        """The step of length 1, ||step / c||_2 = 1, along which a linear function rises most.

        It is c^2 gradient / ||c gradient||_2, and no step where the gradient is 0.

        Args:
            gradient: of the loss in the weights, by name, each [P, *shape].

        Returns:
            Steps.

        Example:
            >>> ball = L2({"w": torch.tensor([[1.0, 1.0, 1.0, 2.0]])}, rho=0.5)
            >>> ball.steepest({"w": torch.tensor([[2.0, 2.0, 2.0, 1.0]])})["w"].tolist()  # c gradient = (2, 2, 2, 2)
            [[0.5, 0.5, 0.5, 1.0]]
        """
        scaled = {name: self._scale[name] * value for name, value in gradient.items()}
        length = norm(scaled)
        factor = torch.where(length > 0, 1 / length, 0)
        return {name: value.mul_(beside(value, factor)).mul_(self._scale[name]) for name, value in scaled.items()}

    def advance(self, delta: Parameters, gradient: Parameters, eta: Tensor, before: Parameters | None) -> Parameters:
        """The next point of Auto-PGD, see `LInf.advance`.

        Example:
            >>> ball = L2({"w": torch.tensor([[1.0, 1.0]])}, rho=1.0)
            >>> delta, gradient = {"w": torch.zeros(1, 2)}, {"w": torch.tensor([[0.0, 3.0]])}
            >>> ball.advance(delta, gradient, torch.tensor([0.5]), None)["w"].tolist()
            [[0.0, 0.5]]
        """
        products = self._products(delta, gradient, before or delta)
        slope = products[:, 2, 2].sqrt()
        step = torch.where(slope > 0, eta / slope, 0)
        parts = torch.stack([torch.ones_like(step), torch.zeros_like(step), step], dim=1)  # of x, y, c^2 gradient
        parts = self._shrunk(parts, products)
        if before is not None:
            parts = (1 - MOMENTUM) * parts + parts.new_tensor([2 * MOMENTUM, -MOMENTUM, 0])
            parts = self._shrunk(parts, products)
        return self._mixed(parts, delta, gradient, before or delta)

    def _products(self, delta: Parameters, gradient: Parameters, before: Parameters) -> Tensor:
        """Products of delta / c, before / c and c gradient with each other, [P, 3, 3]: all lengths follow from them."""
        total = 0
        for name, value in delta.items():
            for x, y, g, c in blocks(value, before[name], gradient[name], self._scale[name]):
                positive = torch.where(c > 0, c, 1)
                vectors = torch.stack([_flat(each).double() for each in (x / positive, y / positive, c * g)], dim=1)
                total = total + vectors @ vectors.mT
        return total

    def _shrunk(self, parts: Tensor, products: Tensor) -> Tensor:
        """The parts, [P, 3], of the mixture that `project` makes of a mixture."""
        length = torch.einsum("pi,pij,pj->p", parts, products, parts).clamp(min=0).sqrt()
        return parts * self._factor(length)[:, None]

    def _mixed(self, parts: Tensor, delta: Parameters, gradient: Parameters, before: Parameters) -> Parameters:
        found = {}
        for name, value in delta.items():
            out = torch.empty_like(value)
            for x, y, g, c, place in blocks(value, before[name], gradient[name], self._scale[name], out):
                of_x, of_y, of_g = (beside(x, part) for part in parts.unbind(1))
                torch.mul(x, of_x, out=place).addcmul_(y, of_y).addcmul_((c * g).mul_(c), of_g)
            found[name] = out
        return found

    def uphill(self, gradient: Parameters) -> Parameters:
        """The gradient in the coordinates in which `project` gives the nearest point, u = delta / c: c^2 gradient.

        Example:
            >>> L2({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5).uphill({"w": torch.tensor([[3.0, 1.0]])})["w"].tolist()
            [[3.0, 4.0]]
        """
        return {name: self._scale[name].square() * value for name, value in gradient.items()}

    def first_order(self, gradient: Parameters) -> Tensor:
        """The highest rise of the linearised loss in the ball: rho ||c gradient||_2.

        Args:
            gradient: as in `steepest`.

        Returns:
            Rises, [P].

        Example:
            >>> ball = L2({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5)
            >>> ball.first_order({"w": torch.tensor([[3.0, 2.0]])}).item()  # 0.5 times the length of (3, 4)
            2.5
        """
        return self.rho * _norm(self._scale[name] * value for name, value in gradient.items())

    def uniform(self, draws: Parameters, radii: Tensor) -> Parameters:
        """Points uniform in the ball.

        Args:
            draws: standard normal numbers, by name, each [P, *shape].
            radii: uniform numbers in [0, 1), [P].

        Returns:
            Perturbations.

        Example:
            >>> ball = L2({"w": torch.ones(1, 2)}, rho=10.0)
            >>> points = ball.uniform({"w": torch.tensor([[3.0, 4.0]])}, torch.tensor([0.25]))
            >>> points["w"].tolist()  # of length 10 * 0.25^(1/2)
            [[3.0, 4.0]]
        """
        free = {name: torch.where(self._scale[name] > 0, value, 0) for name, value in draws.items()}
        dimensions = sum(_flat(self._scale[name] > 0).sum(1) for name in draws).clamp(min=1)
        length = norm(free)
        reach = torch.where(length > 0, self.rho * radii ** (1 / dimensions) / length, 0)
        return self.project({name: self._scale[name] * value for name, value in along(reach, free).items()})

    def random(self, draws: Parameters) -> Parameters:
        """Random perturbations of the ball's scale: every coordinate normal with standard deviation rho c.

        Their length is about rho sqrt(number of weights): they lie outside the ball, as in Andriushchenko et al. 2023.

        Args:
            draws: standard normal numbers, by name, each [P, *shape].

        Returns:
            Perturbations.

        Example:
            >>> L2({"w": torch.tensor([[1.0, 2.0]])}, rho=0.5).random({"w": torch.tensor([[1.0, -1.0]])})["w"].tolist()
            [[0.5, -1.0]]
        """
        return {name: self.rho * self._scale[name] * value for name, value in draws.items()}

    def _factor(self, length: Tensor) -> Tensor:
        """How much what has this length must shrink, [P].

        What lies outside by rounding alone is left as it is, so that projecting twice is projecting once, to the bit.
        """
        return torch.where(length > self.rho * (1 + 16 * self._eps), self.rho / length, 1)

    def _positive(self, name: str) -> Tensor:
        return torch.where(self._scale[name] > 0, self._scale[name], 1)


NORMS = {"linf": LInf, "l2": L2}
