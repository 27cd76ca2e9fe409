"""Balls of perturbations {delta : ||delta / c||_p <= rho} around the weights, c the scale of each weight.

Where c is 0 a weight does not move. All perturbations are stacked, [P, *shape] for P problems, each with its own c.
"""

import math

import torch
from torch import Tensor

from adaptive_sharpness.landscape.objective import Parameters


def norm(values: Parameters) -> Tensor:
    """The 2-norm of each problem's vector, over all names, [P].

    Summed in float64: in float32 the square of a small gradient, of a saturated network say, would be 0.

    Example:
        >>> norm({"a": torch.tensor([[3.0]]), "b": torch.tensor([[4.0]])}).item()
        5.0
    """
    lengths = [torch.linalg.vector_norm(_flat(value), dim=1, dtype=torch.float64) for value in values.values()]
    return torch.stack(lengths).norm(dim=0).to(next(iter(values.values())))


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
    return numbers.reshape(-1, *[1] * (value.dim() - 1))


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
        self._bound = {name: rho * value for name, value in scale.items()}
        self._lower = {name: -value for name, value in self._bound.items()}

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
        return {name: value.clamp(self._lower[name], self._bound[name]) for name, value in delta.items()}

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
        # sign(nan) is 0 in torch, which would hide it; this is nan, and the sign of all else that is no subnormal.
        return {
            name: (value / torch.finfo(value.dtype).tiny).clamp(-1, 1) * self._scale[name]
            for name, value in gradient.items()
        }

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
        return {name: self._bound[name] * torch.erf(value / math.sqrt(2)) for name, value in draws.items()}


class L2:
    """The l2 ball: sum_i (delta_i / c_i)^2 <= rho^2, over all weights of a problem together.

    Args:
        scale: c, by name, each [P, *shape].
        rho: the radius, at least 0, in units of c.
    """

    def __init__(self, scale: Parameters, rho: float):
        self.rho, self._scale = rho, scale

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
        length = norm({name: value / self._positive(name) for name, value in moving.items()})
        # What lies outside by rounding alone is left as it is, so that projecting twice is projecting once, to the bit.
        outside = length > self.rho * (1 + 16 * torch.finfo(length.dtype).eps)
        return along(torch.where(outside, self.rho / length, 1), moving)

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
        unit = along(torch.where(length > 0, 1 / length, 0), scaled)
        return {name: self._scale[name] * value for name, value in unit.items()}

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
        return self.rho * norm({name: self._scale[name] * value for name, value in gradient.items()})

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

    def _positive(self, name: str) -> Tensor:
        return torch.where(self._scale[name] > 0, self._scale[name], 1)


NORMS = {"linf": LInf, "l2": L2}
