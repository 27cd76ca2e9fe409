"""The l-infinity ball: its scale, and that projection gives the nearest point of it."""

import pytest
import torch

from adaptive_sharpness.balls import LInf, scale


def _double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_adaptive_scale_is_the_size_of_each_weight_else_1():
    weights = {"a": _double(-2, 0, 3), "b": _double(0.5)[None]}
    adaptive, plain = scale(weights, adaptive=True), scale(weights, adaptive=False)
    assert {name: value.tolist() for name, value in adaptive.items()} == {"a": [2, 0, 3], "b": [[0.5]]}
    assert {name: value.tolist() for name, value in plain.items()} == {"a": [1, 1, 1], "b": [[1]]}


@pytest.mark.parametrize(
    ("weight", "delta", "projected"),
    [
        (-2.0, -0.7, -0.5),
        (-2.0, -0.5, -0.5),
        (-2.0, -0.1, -0.1),
        (-2.0, 0.0, 0.0),
        (-2.0, 0.3, 0.3),
        (-2.0, 7.0, 0.5),
        (0.0, -0.7, 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.7, 0.0),
        (4.0, -9.0, -1.0),
        (4.0, -0.9, -0.9),
        (4.0, 0.9, 0.9),
        (4.0, 1.1, 1.0),
    ],
)
def test_each_coordinate_is_clamped_to_a_quarter_of_its_weights_size(weight, delta, projected):
    ball = LInf(scale({"w": _double(weight)}, adaptive=True), rho=0.25)
    assert ball.project({"w": _double(delta)})["w"].item() == projected


@pytest.mark.parametrize("weights", [(2.0, 0.5), (-2.0, 0.5), (-1.0, -1.0), (3.0, 0.0)])
def test_a_projection_is_the_nearest_point_of_the_ball(weights):
    ball = LInf(scale({"w": _double(*weights)}, adaptive=True), rho=0.3)
    axes = [torch.linspace(-0.3 * abs(w), 0.3 * abs(w), 301, dtype=torch.float64) for w in weights]
    grid = torch.cartesian_prod(*axes)
    for delta in torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)):
        nearest = (grid - delta).norm(dim=1).min()
        projected = ball.project({"w": delta})["w"]
        spacing = 0.3 * max(map(abs, weights)) / 150
        assert (projected.abs() <= 0.3 * _double(*weights).abs()).all()
        assert nearest - spacing < (projected - delta).norm() <= nearest + 1e-12


def _many(seed: int, *leading: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    shapes = {"weight": (4, 3), "bias": (4,)}
    return {name: torch.randn(*leading, *shape, generator=draw).double() for name, shape in shapes.items()}


@pytest.mark.parametrize("adaptive", [True, False])
def test_projecting_twice_is_projecting_once(adaptive):
    ball = LInf(scale(_many(0), adaptive), rho=0.5)
    once = ball.project(_many(1))
    twice = ball.project(once)
    assert all(torch.equal(once[name], twice[name]) for name in once)
    assert any(not torch.equal(once[name], value) for name, value in _many(1).items())


def test_every_problem_has_its_own_ball():
    weights, delta = _many(0, 5), _many(1, 5)
    together = LInf(scale(weights, adaptive=True), rho=0.5).project(delta)
    for problem in range(5):
        own = LInf(scale({name: value[problem] for name, value in weights.items()}, adaptive=True), rho=0.5)
        alone = own.project({name: value[problem] for name, value in delta.items()})
        assert all(torch.equal(together[name][problem], alone[name]) for name in alone)


def test_one_ball_projects_many_perturbations():
    ball, delta = LInf(scale(_many(0), adaptive=True), rho=0.5), _many(1, 6)
    together = ball.project(delta)
    for position in range(6):
        alone = ball.project({name: value[position] for name, value in delta.items()})
        assert all(torch.equal(together[name][position], alone[name]) for name in alone)


def test_a_ball_of_radius_0_is_its_centre():
    projected = LInf(scale(_many(0), adaptive=True), rho=0.0).project(_many(1))
    assert not any(value.any() for value in projected.values())


@pytest.mark.parametrize("factor", [-7.0, 0.2, 64.0])
def test_the_adaptive_ball_is_rescaled_with_its_weights(factor):
    weights, delta = _many(0), _many(1)
    ball = LInf(scale(weights, adaptive=True), rho=0.5).project(delta)
    image = LInf(scale({name: factor * value for name, value in weights.items()}, adaptive=True), rho=0.5)
    for name, value in image.project({name: factor * value for name, value in delta.items()}).items():
        torch.testing.assert_close(value, factor * ball[name], rtol=1e-14, atol=0)
