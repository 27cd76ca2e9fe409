"""The balls: nearest points by brute force, steepest steps against rivals, and where random points lie."""

import math

import numpy as np
import pytest
import torch

from adaptive_sharpness.landscape.balls import L2, NORMS, LInf, along, norm

SHAPES = {"weight": (4, 3), "bias": (4,), "scalar": ()}
BOTH = pytest.mark.parametrize("kind", NORMS)


def _double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _many(seed: int, problems: int = 1) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {n: torch.randn(problems, *s, generator=draw, dtype=torch.float64) for n, s in SHAPES.items()}


def _scale(seed: int, problems: int = 1) -> dict[str, torch.Tensor]:
    """Scales over several orders of magnitude, some of them 0."""
    scale = {name: (3 * value).exp() for name, value in _many(seed, problems).items()}
    scale["weight"][:, 1] = 0
    scale["bias"][:, 2] = 0
    return scale


def _flat(values: dict[str, torch.Tensor], problem: int = 0) -> np.ndarray:
    return np.concatenate([value[problem].numpy().ravel() for value in values.values()])


def _length(kind: str, delta: np.ndarray, scale: np.ndarray) -> float:
    """||delta / c||_p; infinite where a weight moved whose scale is 0."""
    assert not delta[scale == 0].any()
    scaled = delta[scale > 0] / scale[scale > 0]
    return np.abs(scaled).max() if kind == "linf" else np.sqrt((scaled**2).sum())


def test_the_norm_is_over_all_names_of_each_problem():
    values = {"a": _double(3, 0).reshape(2, 1), "b": torch.tensor([[[4.0], [12.0]], [[0.0], [0.0]]]).double()}
    np.testing.assert_allclose(norm(values), [13, 0], rtol=1e-15)
    assert norm({"scalar": _double(-3, 2)}).tolist() == [3, 2]


def test_a_vector_is_multiplied_by_its_own_problems_factor():
    values = {"a": torch.ones(2, 3, 2), "b": torch.ones(2)}
    scaled = along(torch.tensor([2.0, -1.0]), values)
    assert torch.equal(scaled["a"], torch.stack([2 * torch.ones(3, 2), -torch.ones(3, 2)]))
    assert scaled["b"].tolist() == [2, -1]


@pytest.mark.parametrize(
    ("c", "delta", "projected"),
    [(2, -0.7, -0.5), (2, -0.5, -0.5), (2, -0.1, -0.1), (2, 0, 0), (2, 7, 0.5), (0, -0.7, 0), (0, 0, 0), (4, 1.1, 1)],
)
def test_the_linf_ball_clamps_each_coordinate_to_a_quarter_of_its_scale(c, delta, projected):
    assert LInf({"w": _double(c)[None]}, 0.25).project({"w": _double(delta)[None]})["w"].item() == projected


def test_the_l2_ball_is_an_ellipsoid_with_the_scale_as_its_axes():
    # delta / c = (3, 4) has length 5, so that it shrinks to a fifth of 0.5: one tenth of itself.
    ball = L2({"a": _double(2)[None], "b": _double(0.25)[None]}, 0.5)
    projected = ball.project({"a": _double(6)[None], "b": _double(1)[None]})
    assert projected["a"].item() == pytest.approx(0.6, rel=1e-15)
    assert projected["b"].item() == pytest.approx(0.1, rel=1e-15)


@BOTH
@pytest.mark.parametrize("scale", [(2.0, 0.5), (1.0, 1.0), (0.1, 30.0), (3.0, 0.0)])
def test_a_projection_is_the_nearest_point_of_the_ball_in_scaled_coordinates(kind, scale):
    rho, c = 0.3, np.array(scale)
    ball = NORMS[kind]({"w": _double(*scale)[None]}, rho)
    axis = np.linspace(-rho, rho, 401)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # of points u = delta / c
    inside = grid if kind == "linf" else grid[(grid**2).sum(axis=1) <= rho**2]
    draws, outside = np.random.default_rng(0), 0
    for u in draws.normal(size=(40, 2)) * 0.4:
        u[c == 0] = 0
        delta = ball.project({"w": _double(*(c * u))[None]})["w"][0].numpy()
        found = np.divide(delta, c, out=np.zeros(2), where=c > 0)
        nearest = np.sqrt(((inside - u) ** 2).sum(axis=1)).min()
        assert nearest - 2 * rho / 200 < np.linalg.norm(found - u) <= nearest + 1e-12
        assert _length(kind, delta, c) <= rho * (1 + 1e-14)
        outside += _length(kind, c * u, c) > rho
    assert outside > 10


@BOTH
def test_a_point_inside_stays_where_it_is(kind):
    ball = NORMS[kind](_scale(0, 3), 0.5)
    delta = {name: 0.1 * value for name, value in ball.steepest(_many(1, 3)).items()}
    projected = ball.project(delta)
    assert all(torch.equal(projected[name], delta[name]) for name in delta)


@BOTH
@pytest.mark.parametrize("rho", [0.0, 1e-3, 0.5, 100.0])
def test_no_projection_leaves_the_ball_moves_zeros_or_moves_twice(kind, rho):
    scale = _scale(0, 5)
    ball = NORMS[kind](scale, rho)
    for seed, size in enumerate((1e-8, 1.0, 1e8), start=1):
        once = ball.project({name: size * value for name, value in _many(seed, 5).items()})
        twice = ball.project(once)
        for problem in range(5):
            assert _length(kind, _flat(once, problem), _flat(scale, problem)) <= rho * (1 + 1e-14)
            np.testing.assert_allclose(_flat(twice, problem), _flat(once, problem), rtol=1e-14)


@BOTH
def test_what_is_no_number_stays_none_in_a_projection_and_a_step(kind):
    ball = NORMS[kind]({"w": _double(1, 2)[None]}, 0.5)
    assert ball.project({"w": _double(math.nan, 1)[None]})["w"].isnan().any()
    assert ball.steepest({"w": _double(math.nan, 1)[None]})["w"].isnan().any()
    assert ball.first_order({"w": _double(math.nan, 1)[None]}).isnan().all()


@BOTH
def test_every_problem_has_its_own_ball(kind):
    scale, delta = _scale(0, 4), _many(1, 4)
    draws, radii = _many(2, 4), _double(0.1, 0.5, 0.9, 0.0)
    together = NORMS[kind](scale, 0.5)
    for problem in range(4):
        one = slice(problem, problem + 1)
        mine, own = (NORMS[kind]({n: v[one] for n, v in scale.items()}, 0.5), {n: v[one] for n, v in delta.items()})
        drawn = {name: value[one] for name, value in draws.items()}
        pairs = [
            (together.project(delta), mine.project(own)),
            (together.steepest(delta), mine.steepest(own)),
            (together.uniform(draws, radii), mine.uniform(drawn, radii[one])),
            (together.random(draws), mine.random(drawn)),
        ]
        for all_of_them, alone in pairs:
            np.testing.assert_allclose(_flat(all_of_them, problem), _flat(alone), rtol=1e-14)
        np.testing.assert_allclose(together.first_order(delta)[problem], mine.first_order(own)[0], rtol=1e-14)


@pytest.mark.parametrize(
    ("kind", "step", "rise"),
    [
        ("linf", (2, -0.5, 0), 0.1 * (2 * 3 + 0.5 * 8)),
        ("l2", (4 * 3 / 52**0.5, -0.25 * 8 / 52**0.5, 0), 0.1 * 52**0.5),  # c * gradient is (6, -4, 0)
    ],
)
def test_the_steepest_step_and_its_rise_by_hand(kind, step, rise):
    ball = NORMS[kind]({"w": _double(2, 0.5, 0)[None]}, 0.1)
    gradient = {"w": _double(3, -8, 5)[None]}
    np.testing.assert_allclose(ball.steepest(gradient)["w"][0], step, rtol=1e-14)
    np.testing.assert_allclose(ball.first_order(gradient), [rise], rtol=1e-14)


@BOTH
def test_no_point_of_the_ball_rises_more_than_the_steepest_step(kind):
    scale, gradient, rho = _scale(0), _many(1), 0.7
    ball, slope, c = NORMS[kind](scale, rho), _flat(gradient), _flat(scale)
    best = rho * _flat(ball.steepest(gradient))
    assert _length(kind, best, c) == pytest.approx(rho, rel=1e-14)
    assert slope @ best == pytest.approx(ball.first_order(gradient).item(), rel=1e-13)
    draws = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):  # near the best point, and anywhere on the surface
        for noise in draws.normal(size=(300, len(c))):
            rival = c * (np.divide(best, c, out=np.zeros_like(c), where=c > 0) + size * noise)
            rival *= rho / _length(kind, rival, c)
            assert slope @ rival <= slope @ best * (1 + 1e-12)


@BOTH
def test_no_gradient_gives_no_step(kind):
    ball = NORMS[kind](_scale(0, 2), 0.5)
    nothing = {name: torch.zeros_like(value) for name, value in _scale(0, 2).items()}
    assert not any(value.any() for value in ball.steepest(nothing).values())
    assert ball.first_order(nothing).tolist() == [0, 0]


@BOTH
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e30])
def test_a_step_does_not_depend_on_the_size_of_the_gradient_even_in_float32(kind, size):
    ball = NORMS[kind]({"w": torch.tensor([[2.0, 0.5]])}, 0.5)
    step, same = (ball.steepest({"w": torch.tensor([[3.0, 4.0]]) * s})["w"] for s in (1, size))
    torch.testing.assert_close(same, step, rtol=1e-6, atol=0)
    rise = ball.first_order({"w": torch.tensor([[3.0, 4.0]]) * size}).item()
    assert rise == pytest.approx(size * ball.first_order({"w": torch.tensor([[3.0, 4.0]])}).item(), rel=1e-6)


@BOTH
@pytest.mark.parametrize("factor", [-7.0, 0.2, 64.0])
def test_a_ball_is_rescaled_with_its_scale(kind, factor):
    scale, delta = _scale(0), _many(1)
    ball = NORMS[kind](scale, 0.5).project(delta)
    image = NORMS[kind]({name: abs(factor) * value for name, value in scale.items()}, 0.5)
    for name, value in image.project({name: factor * value for name, value in delta.items()}).items():
        torch.testing.assert_close(value, factor * ball[name], rtol=1e-14, atol=0)


def _drawn(problems: int, dimensions: int, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    normal = torch.randn(problems, dimensions, generator=draw, dtype=torch.float64)
    return {"w": normal}, torch.rand(problems, generator=draw, dtype=torch.float64)


def _distance(sample: np.ndarray, distribution) -> float:
    """Kolmogorov's and Smirnov's, times the root of the sample size: above 1.95 in one of 1000 samples."""
    ordered = np.sort(sample)
    wanted, count = distribution(ordered), len(ordered)
    below, above = wanted - np.arange(count) / count, np.arange(1, count + 1) / count - wanted
    return max(below.max(), above.max()) * math.sqrt(count)


def _uniform(x: np.ndarray) -> np.ndarray:
    return np.clip((x + 1) / 2, 0, 1)


def _normal(x: np.ndarray) -> np.ndarray:
    return np.array([(1 + math.erf(value / math.sqrt(2))) / 2 for value in x])


SCALE, RHO = (3.0, 0.0, 0.2, 1.0), 0.4


def _scaled(kind: str, method: str, problems: int = 4000) -> np.ndarray:
    """Random points delta / (rho c) of so many problems, without the weight whose scale is 0."""
    draws, radii = _drawn(problems, 4)
    ball = NORMS[kind]({"w": _double(*SCALE).expand(problems, 4)}, RHO)
    points = (ball.uniform(draws, radii) if method == "uniform" else ball.random(draws))["w"].numpy()
    assert not points[:, 1].any()
    return (points / np.where(np.array(SCALE) > 0, RHO * np.array(SCALE), 1))[:, [0, 2, 3]]


@pytest.mark.parametrize("method", ["uniform", "random"])
def test_coordinates_in_the_linf_ball_are_uniform_and_independent(method):
    points = _scaled("linf", method)
    assert np.abs(points).max() <= 1
    for coordinate in range(3):
        assert _distance(points[:, coordinate], _uniform) < 1.95
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert _distance(_uniform(points[:, one]) + _uniform(points[:, other]), _triangular) < 1.95


def _triangular(x: np.ndarray) -> np.ndarray:
    """Of the sum of two independent numbers uniform on [0, 1]."""
    return np.where(x < 1, x**2 / 2, 1 - (2 - x) ** 2 / 2)


def test_points_in_the_l2_ball_are_uniform_over_the_coordinates_that_move():
    points = _scaled("l2", "uniform")
    radius = np.linalg.norm(points, axis=1)
    assert radius.max() <= 1 + 1e-14
    assert _distance(radius, lambda r: np.clip(r, 0, 1) ** 3) < 1.95  # the share of a ball's volume within r
    for coordinate in range(3):  # a coordinate on the sphere is uniform (Archimedes), and so in every direction
        assert _distance(points[:, coordinate] / radius, _uniform) < 1.95
    # The first coordinate's direction says nothing of the radius.
    assert abs(np.corrcoef(radius, points[:, 0] / radius)[0, 1]) < 3.3 / math.sqrt(len(points))


def test_random_perturbations_for_l2_are_normal_with_the_balls_scale_and_may_leave_it():
    points = _scaled("l2", "random")
    for coordinate in range(3):
        assert _distance(points[:, coordinate], _normal) < 1.95
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert _distance((points[:, one] + points[:, other]) / math.sqrt(2), _normal) < 1.95
    assert (np.linalg.norm(points, axis=1) > 1).mean() > 0.5


@BOTH
def test_random_points_of_a_ball_of_radius_0_or_without_any_weight_that_moves_are_its_centre(kind):
    draws, radii = _drawn(3, 4)
    for ball in (NORMS[kind]({"w": torch.ones(3, 4).double()}, 0), NORMS[kind]({"w": torch.zeros(3, 4).double()}, 1)):
        assert not ball.uniform(draws, radii)["w"].any()
        assert not ball.random(draws)["w"].any()
