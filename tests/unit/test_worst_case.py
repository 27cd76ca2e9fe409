"""Worst-case sharpness against closed forms of linear and quadratic models, and what its options do.

For a linear model f(x) = w x + b and one example the loss is a monotone function of f on either side of its minimum,
and the ball's extreme values of f are f +- rho ||c (x, 1)||, in the norm dual to the ball's. So the worst case is known
exactly. A convex loss is highest in a corner of the l-infinity ball; a quadratic one in an l2 ball where the
trust-region problem says.
"""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness import worst_case
from adaptive_sharpness.datasets import Nodes
from adaptive_sharpness.landscape.objective import NotFinite
from adaptive_sharpness.measures.worst_case import WorstCase
from adaptive_sharpness.study.training.networks import build_network

X = np.random.default_rng(0).normal(size=(40, 6))
W, B = np.array([1.5, -0.7, 0.0, 2.0, -0.01, 0.3]), -0.4
VALUES = X @ np.arange(6) + np.random.default_rng(1).normal(size=40)
SIGNS = np.where(np.random.default_rng(2).random(40) < 0.5, -1.0, 1.0)
SOLVERS = {"apgd": {"solver": "apgd"}, "steepest": {"solver": "pga"}}
FAR = {"solver": "pga", "steps": 5, "rate": 1e6}  # so large a rate that every coordinate reaches its bound in a step
DUAL = {"linf": 1, "l2": 2}


def _linear(bias: bool = True) -> nn.Linear:
    layer = nn.Linear(6, 1, bias=bias).double().eval()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W)[None])
        if bias:
            layer.bias.fill_(B)
    return layer


def _batches(targets: np.ndarray, m: int = 1) -> list[tuple[Tensor, Tensor]]:
    x, y = torch.from_numpy(X), torch.from_numpy(targets)[:, None]
    return list(zip(x.split(m), y.split(m), strict=True))


def _measured(loss, targets: np.ndarray, rho: float, m: int = 1, bias: bool = True, **options) -> WorstCase:
    return worst_case(_linear(bias), loss, _batches(targets, m), rho=rho, **{"stacked": 40, **options})


def _reach(rho: float, scale: str, norm: str, bias: bool = True) -> np.ndarray:
    """How far the ball can move each example's output."""
    c = np.append(abs(W), bias * abs(B)) if scale == "adaptive" else np.append(np.ones(6), bias)
    return rho * np.linalg.norm(c * np.append(X, np.ones((40, 1)), axis=1), ord=DUAL[norm], axis=1)


def _logistic(outputs: Tensor, signs: Tensor) -> Tensor:
    return -functional.logsigmoid(signs * outputs).mean()


def _never_above(found, highest) -> None:
    assert (np.asarray(found) <= np.asarray(highest) * (1 + 1e-12)).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rho", [1e-4, 0.025, 3.0])
def test_of_squared_loss_the_worst_case_is_the_residual_and_the_reach_squared(rho, solver, norm, scale, bias):
    options = {"norm": norm, "scale": scale, "bias": bias}
    found = _measured(functional.mse_loss, VALUES, rho, **SOLVERS[solver], **options)
    residual, reach = abs(X @ W + bias * B - VALUES), _reach(rho, **options)
    np.testing.assert_allclose(found.base_loss, residual**2, rtol=1e-12)
    np.testing.assert_allclose(found.max_loss, (residual + reach) ** 2, rtol=1e-12)
    np.testing.assert_allclose(found.per_batch, 2 * residual * reach + reach**2, rtol=1e-8)
    np.testing.assert_allclose(found.first_order, 2 * residual * reach, rtol=1e-12)
    _never_above(found.max_loss, (residual + reach) ** 2)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rho", [1e-3, 0.025, 3.0])
def test_of_logistic_loss_the_worst_case_is_that_of_the_margin_less_the_reach(rho, solver, norm, scale):
    found = _measured(_logistic, SIGNS, rho, norm=norm, scale=scale, **SOLVERS[solver])
    margin, reach = SIGNS * (X @ W + B), _reach(rho, scale, norm)
    base, worst = np.log1p(np.exp(-margin)), np.log1p(np.exp(reach - margin))
    np.testing.assert_allclose(found.base_loss, base, rtol=1e-12)
    np.testing.assert_allclose(found.max_loss, worst, rtol=1e-12)
    np.testing.assert_allclose(found.per_batch, worst - base, rtol=1e-8)
    np.testing.assert_allclose(found.first_order, reach / (1 + np.exp(margin)), rtol=1e-12)
    _never_above(found.max_loss, worst)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
def test_the_reports_solver_reaches_the_bounds_with_a_rate_that_is_large_enough(scale):
    found = _measured(functional.mse_loss, VALUES, 0.025, scale=scale, **FAR)
    worst = (abs(X @ W + B - VALUES) + _reach(0.025, scale, "linf")) ** 2
    np.testing.assert_allclose(found.max_loss, worst, rtol=1e-12)


def test_the_reports_solver_takes_gradient_steps_of_its_rate():
    """The loss w b rises along b: after 3 steps of rate 0.1 each coordinate is at 0.3 b, or at its bound 0.25 |w|."""
    w, b = np.array([2.0, -1.0, 0.5]), np.array([1.0, -2.0, 0.25])
    found = _quadratic(w, np.zeros((3, 3)), b, rho=0.25, solver="pga", rate=0.1, steps=3, keep_delta=True)
    np.testing.assert_allclose(found.delta["w"][0], [0.3, -0.25, 0.075], rtol=1e-14)
    assert found.sharpness == pytest.approx(0.3 + 0.5 + 0.01875, rel=1e-14)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("loss", "targets"), [(functional.mse_loss, VALUES), (_logistic, SIGNS)])
def test_of_a_convex_loss_on_a_batch_the_best_corner_of_the_ball_is_found(loss, targets, solver, scale):
    """From the origin ascent may stop in a corner that is no better than its neighbours; restarts find the best."""
    c = np.append(abs(W), abs(B)) if scale == "adaptive" else np.ones(7)
    corners = np.append(W, B) + 0.2 * c * np.array([*itertools.product((-1, 1), repeat=7)])
    outputs = corners @ np.append(X, np.ones((40, 1)), axis=1).T
    losses = (outputs - targets) ** 2 if loss is functional.mse_loss else np.log1p(np.exp(-outputs * targets))
    highest = losses.reshape(-1, 5, 8).mean(axis=2).max(axis=0)
    found = _measured(loss, targets, 0.2, m=8, scale=scale, restarts=8, **SOLVERS[solver])
    np.testing.assert_allclose(found.max_loss, highest, rtol=1e-12)
    np.testing.assert_allclose(found.per_batch, highest - found.base_loss.numpy(), rtol=1e-9)
    _never_above(found.max_loss, highest)
    _never_above(_measured(loss, targets, 0.2, m=8, scale=scale, **SOLVERS[solver]).max_loss, highest)


class _Vector(nn.Module):
    """A network whose output is its weights."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(torch.as_tensor(w, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.w


def _value(network, batch: Tensor) -> Tensor:
    """w H w / 2 + b w, the batch H and b beside each other."""
    w = network()
    return w @ (batch[:, :-1] @ w) / 2 + batch[:, -1] @ w


def _quadratic(w: np.ndarray, h: np.ndarray, b: np.ndarray, **options) -> WorstCase:
    batch = torch.from_numpy(np.append(h, b[:, None], axis=1))
    return worst_case(_Vector(w).eval(), _value, batch[None], **options)


def _random_quadratic(seed: int, size: int, eigenvalues) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    axes = np.linalg.qr(draw.normal(size=(size, size)))[0]
    return draw.normal(size=size), axes @ np.diag(eigenvalues) @ axes.T, draw.normal(size=size)


def _trust_region(a: np.ndarray, q: np.ndarray, rho: float) -> float:
    """The maximum of u a u / 2 + q u over ||u|| <= rho: u = (t - a)^-1 q where t makes it rho long, or t = 0 inside."""
    eigenvalues, axes = np.linalg.eigh(a)
    part = axes.T @ q
    least = max(eigenvalues[-1], 0.0)

    def step(t: float) -> np.ndarray:
        return part / (t - eigenvalues)

    low, high = least, least + np.linalg.norm(q) / rho
    if eigenvalues[-1] < 0 and np.linalg.norm(step(0.0)) <= rho:
        low = high = 0.0
    for _ in range(200):
        middle = (low + high) / 2
        if low < middle < high:
            low, high = (middle, high) if np.linalg.norm(step(middle)) > rho else (low, middle)
    return step(high) @ (eigenvalues * step(high)) / 2 + part @ step(high)


SPECTRA = {
    "convex": np.linspace(0.1, 4, 8),
    "indefinite": np.linspace(-3, 3, 8),
    "concave": np.linspace(-4, -0.5, 8),
    "singular": np.array([0, 0, 0, 0, 0, 0, -1.0, 2.0]),
}


def _random_quadratics() -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Weights, and of every spectrum two matrices and slopes."""
    cases = [_random_quadratic(seed, 8, spectrum) for spectrum in SPECTRA.values() for seed in (0, 1)]
    return np.linspace(-1.5, 2, 8), [h for _, h, _ in cases], [b for _, _, b in cases]


PRECISE = {"apgd": {"steps": 300, "restarts": 1}, "steepest": {"solver": "pga", "steps": 40}}


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rho", [0.02, 0.5, 2.0])
def test_of_a_quadratic_loss_l2_finds_the_solution_of_the_trust_region_problem(rho, solver, scale):
    """Steepest steps are 2.5 rho in all, with which they need not get to the top on a curved way: only not above it."""
    w, hs, bs = _random_quadratics()
    c = abs(w) if scale == "adaptive" else np.ones(8)
    highest = [_trust_region(np.diag(c) @ h @ np.diag(c), c * (h @ w + b), rho) for h, b in zip(hs, bs, strict=True)]
    batches = torch.from_numpy(np.stack([np.append(h, b[:, None], axis=1) for h, b in zip(hs, bs, strict=True)]))
    options = {"norm": "l2", "scale": scale, "stacked": 8, **PRECISE[solver]}
    found = worst_case(_Vector(w).eval(), _value, batches, rho=rho, **options)
    rounding = 1e-12 * (found.base_loss.abs() + found.max_loss.abs()).numpy()
    assert (found.per_batch.numpy() <= highest + rounding).all()
    if solver == "apgd":
        np.testing.assert_allclose(found.per_batch, highest, rtol=1e-6)
    else:
        assert (found.per_batch.numpy() > 0.5 * np.array(highest)).all()


def test_the_reports_solver_finds_the_solution_of_the_trust_region_problem_in_a_plain_l2_ball():
    w, h, b = _random_quadratic(5, 8, np.linspace(-3, 3, 8))
    found = _quadratic(w, h, b, rho=0.5, norm="l2", scale="none", solver="pga", rate=0.3, steps=300)
    assert found.sharpness == pytest.approx(_trust_region(h, h @ w + b, 0.5), rel=1e-9)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [2, 10])
def test_of_a_convex_quadratic_loss_linf_finds_the_best_corner(size, solver, scale):
    w, h, b = _random_quadratic(3, size, np.linspace(0.2, 3, size))
    corners = w + 0.4 * (abs(w) if scale == "adaptive" else 1) * np.array([*itertools.product((-1, 1), repeat=size)])
    highest = ((corners @ h) * corners / 2 + corners * b).sum(axis=1).max() - (w @ h @ w / 2 + b @ w)
    found = _quadratic(w, h, b, rho=0.4, scale=scale, restarts=10, **SOLVERS[solver])
    assert found.sharpness == pytest.approx(highest, rel=1e-9)


def test_of_a_loss_with_its_top_inside_the_linf_ball_the_top_is_found():
    """The loss is a sum over coordinates, -(w_i - t_i)^2 / 2, each of which is highest at t_i or at a bound."""
    w, top = np.array([1.0, -2.0, 0.5, 0.0]), np.array([1.05, -1.5, 0.2, 3.0])
    best = w + np.clip(top - w, -0.2 * abs(w), 0.2 * abs(w))
    highest = ((w - top) ** 2 - (best - top) ** 2).sum() / 2
    found = _quadratic(w, -np.eye(4), top, rho=0.2, steps=400)
    assert found.sharpness == pytest.approx(highest, rel=1e-6)
    assert found.sharpness <= highest * (1 + 1e-12)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_in_a_ball_of_radius_0_nothing_rises(solver, norm):
    found = _measured(functional.mse_loss, VALUES, 0.0, norm=norm, restarts=2, **SOLVERS[solver])
    assert not found.per_batch.any()
    assert not found.first_order.any()


def test_integers_are_radii_too():
    found, wanted = (_measured(functional.mse_loss, VALUES, rho).per_batch for rho in (1, 1.0))
    assert torch.equal(found, wanted)


def test_a_scale_can_be_given_by_a_function_of_the_weights():
    found = _measured(functional.mse_loss, VALUES, 0.1, scale=lambda _, w: 2 * w.abs())
    wanted = _measured(functional.mse_loss, VALUES, 0.2)
    torch.testing.assert_close(found.per_batch, wanted.per_batch, rtol=1e-12, atol=0)


def test_only_what_is_perturbed_moves():
    found = _measured(functional.mse_loss, VALUES, 0.5, perturb="weights", keep_delta=True)
    worst = (abs(X @ W + B - VALUES) + 0.5 * abs(X) @ abs(W)) ** 2
    np.testing.assert_allclose(found.max_loss, worst, rtol=1e-12)
    assert list(found.delta) == ["weight"]


def _wave(outputs: Tensor, _: Tensor) -> Tensor:
    """A loss with many hills: from near the top of one, a step with this rate goes down the other side."""
    return (3 * outputs).sin().mean()


def test_a_rise_can_be_negative_without_the_origin_and_is_0_there_with_it():
    options = {"solver": "pga", "steps": 1, "rate": 0.5}
    without, within = (_measured(_wave, VALUES, 0.5, origin=origin, **options) for origin in (False, True))
    assert (without.per_batch < -0.1).any()
    assert (without.per_batch > 0.1).any()
    assert torch.equal(within.per_batch, without.per_batch.clamp(min=0))
    assert torch.equal(within.base_loss, without.base_loss)
    assert torch.equal(within.last_improvement, (without.per_batch > 0).double())


def test_more_steps_of_pga_find_no_less():
    options = {"solver": "pga", "rate": 0.05, "origin": False}
    found = [_measured(_wave, VALUES, 0.5, steps=steps, **options).max_loss for steps in (1, 2, 5, 20)]
    assert all((later >= earlier).all() for earlier, later in itertools.pairwise(found))
    assert (found[-1] > found[0]).any()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_restarts_find_no_less_and_at_last_the_highest_hill(norm, solver):
    """In this ball every output can move over several hills; from the origin ascent climbs the next one."""
    found = [
        _measured(_wave, VALUES, 1.0, norm=norm, steps=40, restarts=n, **SOLVERS[solver]).max_loss for n in (0, 1, 3)
    ]
    assert all((later >= earlier).all() for earlier, later in itertools.pairwise(found))
    assert (found[-1] <= 1 + 1e-12).all()


def test_a_restart_finds_the_higher_of_two_hills():
    """cos(4 w) + w / 10 from w = 1.6: the next top is at 1.577, but in [0, 3.2] that at 3.148 is higher."""

    def hills(network, _):
        return (4 * network()).cos().sum() + network().sum() / 10

    def highest(restarts: int) -> float:
        how = {"rho": 1.0, "solver": "pga", "rate": 0.02, "steps": 60, "restarts": restarts}
        return worst_case(_Vector([1.6]).eval(), hills, torch.zeros(1, 1), **how).max_loss.item()

    tops = np.linspace(0, 3.2, 3_200_001)
    values = np.cos(4 * tops) + tops / 10
    assert highest(0) == pytest.approx(values[:2_000_000].max(), rel=1e-9)
    assert highest(5) == pytest.approx(values.max(), rel=1e-9)


def test_restarts_follow_from_the_seed_alone():
    options = {"restarts": 1, "steps": 2, "norm": "l2"}
    one, again, other = (_measured(_wave, VALUES, 1.0, **options, seed=seed).max_loss for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("options", "share"), [({"solver": "apgd"}, 0.2), ({"solver": "pga"}, 0.4)], ids=["apgd", "steepest"]
)
def test_the_last_improvement_comes_when_a_linear_loss_meets_the_balls_bound(options, share):
    """APGD's first step is 2 rho long, a steepest step of five 2.5 rho / 5: one and two of them reach the bound."""
    found = _quadratic(np.array([1.0, -2.0]), np.zeros((2, 2)), np.array([3.0, 1.0]), rho=0.5, steps=5, **options)
    assert found.last_improvement.tolist() == [share]
    assert found.sharpness == 2.5


def test_where_nothing_rises_the_last_improvement_is_the_start():
    found = _quadratic(np.array([1.0, -2.0]), -np.eye(2), np.array([1.0, -2.0]), rho=0.5)
    assert found.last_improvement.tolist() == [0]
    assert found.sharpness == 0


def test_the_gain_from_doubling_is_that_of_twice_the_steps_on_the_first_batches():
    options = {"solver": "pga", "rate": 0.001}
    found = _measured(functional.mse_loss, VALUES, 0.5, steps=3, convergence=7, **options)
    once, twice = (_measured(functional.mse_loss, VALUES, 0.5, steps=n, **options).per_batch for n in (3, 6))
    torch.testing.assert_close(found.gain_from_doubling[:7], (twice / once - 1)[:7], rtol=1e-12, atol=1e-14)
    assert (found.gain_from_doubling[:7] > 0.01).any()
    assert found.gain_from_doubling[7:].isnan().all()
    assert torch.equal(found.per_batch, once)


def test_the_gain_from_doubling_is_no_number_where_nothing_rose():
    found = _quadratic(np.array([1.0, -2.0]), -np.eye(2), np.array([1.0, -2.0]), rho=0.5, convergence=1)
    assert found.gain_from_doubling.isnan().all()


def test_the_gain_from_doubling_asked_on_more_batches_than_there_are_is_that_on_all():
    found = _measured(functional.mse_loss, VALUES, 0.5, m=8, convergence=1000)
    assert found.gain_from_doubling.isfinite().all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_loss_at_the_perturbation_kept_is_the_highest_loss(solver, norm):
    options = {"norm": norm, "restarts": 2, "keep_delta": True, **SOLVERS[solver]}
    found = _measured(functional.mse_loss, VALUES, 0.3, m=8, **options)
    weights = np.append(W + found.delta["weight"].numpy()[:, 0], B + found.delta["bias"].numpy(), axis=1)
    outputs = (weights @ np.append(X, np.ones((40, 1)), axis=1).T).reshape(5, 5, 8)[range(5), range(5)]
    np.testing.assert_allclose(((outputs - VALUES.reshape(5, 8)) ** 2).mean(axis=1), found.max_loss, rtol=1e-12)
    c = np.append(abs(W), abs(B))
    moved = (weights - np.append(W, B))[:, c > 0] / c[c > 0]
    _never_above(np.linalg.norm(moved, ord=np.inf if norm == "linf" else 2, axis=1), 0.3)
    assert not found.delta["weight"][:, 0, 2].any()  # its weight is 0


def test_perturbations_are_kept_only_when_asked_for():
    assert _measured(functional.mse_loss, VALUES, 0.3).delta is None


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", ["apgd", "steepest", "far"])
@pytest.mark.parametrize("loss", [functional.mse_loss, _wave])
def test_from_a_warm_start_no_rise_is_below_the_one_it_started_from(loss, solver, norm):
    """To the bit, also at the same rho, and at one that is larger by rounding."""
    options = {**SOLVERS, "far": FAR}[solver]
    before = None
    for rho in (0.0, 0.01, 0.05, 0.05, np.nextafter(0.05, 1), 0.3, 0.3, 0.3, 1.0, 1.0):
        found = _measured(loss, VALUES, rho, m=8, norm=norm, warm_start=before, keep_delta=True, **options)
        assert before is None or (found.per_batch >= before.per_batch).all()
        before = found


def test_from_a_warm_start_ascent_goes_on_where_it_ended():
    """No step from the tops that 40 steps found improves on them; without the start, one step does not get there."""
    start = _measured(_wave, VALUES, 0.5, steps=40, keep_delta=True)
    warm, cold = (_measured(_wave, VALUES, 0.5, steps=1, warm_start=before) for before in (start, None))
    assert (warm.max_loss >= start.max_loss).all()
    assert (cold.max_loss < start.max_loss - 1e-3).any()


def test_a_warm_start_from_a_larger_ball_is_pulled_into_this_one():
    start = _measured(functional.mse_loss, VALUES, 3.0, keep_delta=True)
    found = _measured(functional.mse_loss, VALUES, 0.1, warm_start=start)
    worst = (abs(X @ W + B - VALUES) + _reach(0.1, "adaptive", "linf")) ** 2
    np.testing.assert_allclose(found.max_loss, worst, rtol=1e-12)


def test_a_warm_start_of_one_model_serves_a_list_of_one():
    start = _measured(functional.mse_loss, VALUES, 0.1, keep_delta=True, stacked=1)
    found = worst_case([_linear()], functional.mse_loss, _batches(VALUES), rho=0.1, warm_start=start, stacked=1)
    assert (found.per_batch >= start.per_batch).all()


def test_a_warm_start_without_its_perturbations_is_refused():
    start = _measured(functional.mse_loss, VALUES, 0.1)
    wanted = r"^warm_start: got no perturbations, wanted those of \(1, 40\), kept with keep_delta=True$"
    with pytest.raises(ValueError, match=wanted):
        _measured(functional.mse_loss, VALUES, 0.2, warm_start=start)


def test_a_warm_start_of_other_batches_is_refused():
    start = _measured(functional.mse_loss, VALUES, 0.1, m=8, keep_delta=True)
    wanted = r"^warm_start: got \(1, 5\) models and batches, wanted those of \(1, 40\), kept with keep_delta=True$"
    with pytest.raises(ValueError, match=wanted):
        _measured(functional.mse_loss, VALUES, 0.2, warm_start=start)


def test_a_warm_start_of_other_weights_is_refused():
    start = _measured(functional.mse_loss, VALUES, 0.1, perturb="weights", keep_delta=True)
    wanted = r"^warm_start: got no perturbations of bias that fit, wanted its shape$"
    with pytest.raises(ValueError, match=wanted):
        _measured(functional.mse_loss, VALUES, 0.2, warm_start=start)


REFUSED = [
    ({"rho": -0.1}, "rho: got -0.1, wanted a finite number, at least 0"),
    ({"rho": -math.inf}, "rho: got -inf, wanted a finite number, at least 0"),
    ({"rho": math.inf}, "rho: got inf, wanted a finite number, at least 0"),
    ({"rho": math.nan}, "rho: got nan, wanted a finite number, at least 0"),
    ({"rho": "wide"}, "rho: got 'wide', wanted a finite number, at least 0"),
    ({"rho": True}, "rho: got True, wanted a finite number, at least 0"),
    ({"rho": None}, "rho: got None, wanted a finite number, at least 0"),
    ({"norm": "l1"}, "norm: got 'l1', wanted one of linf, l2"),
    ({"norm": 2}, "norm: got 2, wanted one of linf, l2"),
    ({"solver": "sgd"}, "solver: got 'sgd', wanted one of apgd, pga"),
    ({"steps": 0}, "steps: got 0, wanted a whole number, at least 1"),
    ({"steps": 2.0}, r"steps: got 2\.0, wanted a whole number, at least 1"),
    ({"steps": True}, "steps: got True, wanted a whole number, at least 1"),
    ({"restarts": -1}, "restarts: got -1, wanted a whole number, at least 0"),
    ({"convergence": -1}, "convergence: got -1, wanted a whole number, at least 0"),
    ({"stacked": 0}, "stacked: got 0, wanted a whole number, at least 1"),
    ({"solver": "pga", "rate": 0}, "rate: got 0, wanted a finite number above 0, or none"),
    ({"solver": "pga", "rate": -0.1}, "rate: got -0.1, wanted a finite number above 0, or none"),
    ({"solver": "pga", "rate": math.inf}, "rate: got inf, wanted a finite number above 0, or none"),
    ({"solver": "pga", "rate": math.nan}, "rate: got nan, wanted a finite number above 0, or none"),
    ({"solver": "pga", "rate": "training"}, "rate: got 'training', wanted a finite number above 0, or none"),
    ({"rate": 0.1}, r"rate: got 0\.1, wanted none: apgd chooses its own steps"),
    ({"origin": False}, "origin: got false, wanted true: apgd always counts its start"),
]


@pytest.mark.parametrize(("options", "line"), REFUSED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_an_option_that_means_nothing_is_refused_in_one_line(options, line):
    with pytest.raises(ValueError, match=rf"^{line}$"):
        _measured(functional.mse_loss, VALUES, **{"rho": 0.1, **options})


def _steep(power: float, outputs: Tensor, _: Tensor) -> Tensor:
    return (power * outputs).exp().mean()


def test_a_loss_that_is_not_finite_at_the_weights_is_refused():
    first = next(position for position, value in enumerate(X @ W + B) if value > 0.1)
    wanted = rf"^model 0, batch {first}: got a loss of inf at the weights, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        _measured(partial(_steep, 7100.0), VALUES, 0.1, stacked=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_loss_that_is_not_finite_in_the_ball_is_refused(solver, norm):
    wanted = r"^model 0, batch \d+: got a loss of (inf|nan) at rho 100, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        _measured(partial(_steep, 30.0), VALUES, 100, norm=norm, **SOLVERS[solver])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_gradient_that_is_no_number_is_refused_though_no_step_would_meet_it(solver, norm):
    """The slope of the root is infinite at the weight 0, times 0 in front of it."""

    def rooted(network, _):
        w = network()
        return (0 * w[0]).sqrt() + w[1] ** 2

    wanted = r"^model 0, batch 0: got a first-order rise of nan at the weights, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        worst_case(_Vector([0.0, 1.0]).eval(), rooted, torch.zeros(1, 1), rho=0.1, norm=norm, **SOLVERS[solver])


def test_weights_are_not_changed():
    layer = _linear()
    worst_case(layer, functional.mse_loss, _batches(VALUES), rho=0.5, restarts=1, convergence=2)
    assert layer.weight[0].tolist() == W.tolist()
    assert layer.bias.tolist() == [B]
    assert layer.weight.grad is None


def test_several_models_are_measured_each_on_its_own():
    """As a list, and as one network and the stacked states."""
    models = [_linear(), _linear()]
    with torch.no_grad():
        models[1].weight.mul_(-0.5)
    states = {name: torch.stack([dict(m.named_parameters())[name] for m in models]) for name in ("weight", "bias")}
    alone = torch.stack([worst_case(m, functional.mse_loss, _batches(VALUES), rho=0.1).per_batch for m in models])
    several = worst_case(models, functional.mse_loss, _batches(VALUES), rho=0.1, stacked=7)
    stacked = worst_case(models[0], functional.mse_loss, _batches(VALUES), rho=0.1, states=states, stacked=7)
    for found in (several, stacked):
        torch.testing.assert_close(found.per_batch, alone, rtol=1e-12, atol=1e-15)
        torch.testing.assert_close(found.sharpness, alone.mean(dim=1), rtol=1e-12, atol=0)


SMALL = {
    "fcnn": {"widths": (5, 8, 3)},
    "lenet5": {"channels": (2, 3), "widths": (8, 6), "classes": 3},
    "gat": {"features": 5, "hidden": 4, "classes": 3},
}


def _models(network: str, dtype: torch.dtype) -> list[nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [build_network(network, SMALL[network]).to(dtype).eval() for _ in range(2)]


def _study(network: str, dtype: torch.dtype):
    """A loss, and four made-up batches of six examples."""
    draw = torch.Generator().manual_seed(0)
    classes = torch.randint(3, (4, 6), generator=draw)
    if network == "gat":
        x, edge_index = torch.randn(50, 5, generator=draw), torch.randint(50, (2, 120), generator=draw)
        split = Nodes(x.to(dtype), edge_index, torch.arange(24), classes.flatten())
        return partial(split.loss, functional.cross_entropy), torch.arange(24).reshape(4, 6)
    x = torch.randn(4, 6, *((5,) if network == "fcnn" else (1, 28, 28)), generator=draw)
    return functional.cross_entropy, list(zip(x.to(dtype), classes, strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=str)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", ["apgd", "steepest", "report"])
@pytest.mark.parametrize("network", SMALL)
def test_how_many_problems_ascend_at_once_does_not_matter(network, solver, norm, dtype, tolerance):
    """Losses agree, relative to themselves; rises are their differences."""
    models, (loss, batches) = _models(network, dtype), _study(network, dtype)
    report = {"solver": "pga", "rate": 0.5, "origin": False}
    options = {"steps": 5, "restarts": 1, "norm": norm, "rho": 0.05, **{**SOLVERS, "report": report}[solver]}
    one = [worst_case(model, loss, batches, **options) for model in models]
    for stacked in (3, 100):
        many = worst_case(models, loss, batches, stacked=stacked, **options)
        for name in ("base_loss", "max_loss", "first_order"):
            alone = torch.stack([getattr(each, name) for each in one])
            torch.testing.assert_close(getattr(many, name), alone, rtol=tolerance, atol=0)
        assert many.base_loss.shape == (2, 4)
    assert all((each.per_batch > 0).all() for each in one)
