"""Worst-case sharpness against closed forms of linear models, and what its options do.

For a linear model f(x) = w x + b and one example the loss is a monotone function of f on either side of its minimum,
and the ball's extreme values of f are f +- rho (sum_i c_i |x_i| + c_b). So the worst case is known exactly.
"""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.architectures import build
from adaptive_sharpness.dataset import Nodes, Rows, Split
from adaptive_sharpness.measures import PerBatch
from adaptive_sharpness.measures.worst_case import measure
from adaptive_sharpness.objective import Objective

X = np.random.default_rng(0).normal(size=(40, 6))
W, B = np.array([1.5, -0.7, 0.0, 2.0, -0.01, 0.3]), -0.4
VALUES = X @ np.arange(6) + np.random.default_rng(1).normal(size=40)
SIGNS = np.where(np.random.default_rng(2).random(40) < 0.5, -1.0, 1.0)
ONE_BY_ONE = torch.arange(40)[:, None]  # batches of one example each
FAR = {"steps": 5, "rate": 1e6}  # so large a rate that every coordinate reaches its bound in a step


def _linear(bias: bool = True) -> nn.Linear:
    layer = nn.Linear(6, 1, bias=bias).double().eval()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W)[None])
        if bias:
            layer.bias.fill_(B)
    return layer


def _measured(loss, targets: np.ndarray, rho: float, batches=ONE_BY_ONE, bias: bool = True, **options) -> PerBatch:
    x, y, layer = torch.from_numpy(X), torch.from_numpy(targets)[:, None], _linear(bias)
    objective = Objective(layer, lambda network, batch: loss(network(x[batch]), y[batch]))
    return measure(objective, dict(layer.named_parameters()), rho, batches, **options)


def _reach(rho: float, adaptive: bool, bias: bool = True) -> np.ndarray:
    """How far the ball can move each example's output."""
    c, c_bias = (abs(W), abs(B)) if adaptive else (np.ones(6), 1.0)
    return rho * (abs(X) @ c + bias * c_bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("rho", [1e-4, 0.025, 0.5, 3.0])
def test_of_squared_loss_the_worst_case_is_the_residual_and_the_reach_squared(rho, adaptive, bias):
    found = _measured(functional.mse_loss, VALUES, rho, bias=bias, adaptive=adaptive, **FAR)
    residual = abs(X @ W + bias * B - VALUES)
    np.testing.assert_allclose(found.base_loss, residual**2, rtol=1e-12)
    np.testing.assert_allclose(found.max_loss, (residual + _reach(rho, adaptive, bias)) ** 2, rtol=1e-12)
    rise = 2 * residual * _reach(rho, adaptive, bias) + _reach(rho, adaptive, bias) ** 2
    np.testing.assert_allclose(found.rise, rise, rtol=1e-9)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("rho", [1e-3, 0.025, 0.5, 3.0])
def test_of_logistic_loss_the_worst_case_is_that_of_the_margin_less_the_reach(rho, adaptive, bias):
    found = _measured(functional.soft_margin_loss, SIGNS, rho, bias=bias, adaptive=adaptive, **FAR)
    margin = SIGNS * (X @ W + bias * B)
    np.testing.assert_allclose(found.base_loss, np.log1p(np.exp(-margin)), rtol=1e-12)
    worst = np.log1p(np.exp(_reach(rho, adaptive, bias) - margin))
    np.testing.assert_allclose(found.max_loss, worst, rtol=1e-12)
    np.testing.assert_allclose(found.rise, worst - np.log1p(np.exp(-margin)), rtol=1e-9)


def test_of_a_batch_the_far_step_finds_a_corner_of_the_ball():
    """The loss is convex in delta, so that the worst case is at one of the corners, all of which are tried here."""
    batches = torch.arange(40).reshape(5, 8)
    found = _measured(functional.mse_loss, VALUES, 0.2, batches, **FAR).max_loss.numpy()
    corners = np.array([*itertools.product((-1, 1), repeat=7)]) * 0.2 * np.append(abs(W), abs(B))
    outputs = np.hstack([X, np.ones((40, 1))]) @ (np.append(W, B) + corners).T
    losses = ((outputs - VALUES[:, None]) ** 2).reshape(5, 8, -1).mean(axis=1)
    assert abs(losses / found[:, None] - 1).min(axis=1).max() < 1e-12
    assert (found <= losses.max(axis=1) * (1 + 1e-12)).all()


def test_values_do_not_fall_with_rho_where_the_bounds_are_reached():
    rises = [_measured(functional.mse_loss, VALUES, rho, **FAR).rise for rho in (0.0, 0.001, 0.02, 0.3, 1.0)]
    assert all((later > earlier).all() for earlier, later in itertools.pairwise(rises))


def test_in_a_ball_of_radius_0_nothing_rises():
    assert not _measured(functional.mse_loss, VALUES, 0.0, **FAR).rise.any()


def test_integers_are_radii_too():
    found, wanted = (_measured(functional.mse_loss, VALUES, rho, **FAR).rise for rho in (1, 1.0))
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("rho", [-0.1, -math.inf, math.inf, math.nan])
def test_a_radius_that_is_negative_or_not_finite_is_refused(rho):
    with pytest.raises(ValueError, match=rf"^rho: got {rho}, wanted a finite number, at least 0$"):
        _measured(functional.mse_loss, VALUES, rho, **FAR)


@pytest.mark.parametrize("steps", [0, -1])
def test_less_than_one_step_is_refused(steps):
    with pytest.raises(ValueError, match=rf"^steps: got {steps}, wanted .*at least 1$"):
        _measured(functional.mse_loss, VALUES, 0.1, steps=steps, rate=0.1)


def _wave(outputs: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """A loss with many hills: from near the top of one, a step with this rate goes down the other side."""
    return (3 * outputs).sin().mean()


def test_a_rise_can_be_negative_without_the_origin_and_is_0_there_with_it():
    without, within = (_measured(_wave, VALUES, 0.5, steps=1, rate=0.5, origin=origin) for origin in (False, True))
    assert (without.rise < -0.1).any()
    assert (without.rise > 0.1).any()
    assert torch.equal(within.rise, without.rise.clamp(min=0))
    assert torch.equal(within.base_loss, without.base_loss)


def test_more_steps_find_no_less():
    found = [_measured(_wave, VALUES, 0.5, steps=steps, rate=0.05).max_loss for steps in (1, 2, 5, 20)]
    assert all((later >= earlier).all() for earlier, later in itertools.pairwise(found))
    assert (found[-1] > found[0]).any()


def test_weights_are_not_changed():
    layer, x = _linear(), torch.from_numpy(X)
    objective = Objective(layer, lambda network, batch: network(x[batch]).square().mean())
    measure(objective, dict(layer.named_parameters()), 0.5, ONE_BY_ONE, **FAR)
    assert layer.weight[0].tolist() == W.tolist()
    assert layer.bias.tolist() == [B]
    assert layer.weight.grad is None


SMALL = {
    "fcnn": {"widths": (5, 8, 3)},
    "lenet5": {"channels": (2, 3), "widths": (8, 6), "classes": 3},
    "gat": {"features": 5, "hidden": 4, "classes": 3},
}


def _examples(network: str) -> Split:
    """Thirty made-up ones in float64."""
    draw = torch.Generator().manual_seed(0)
    classes = torch.randint(3, (30,), generator=draw)
    if network == "gat":
        x, edge_index = torch.randn(50, 5, generator=draw), torch.randint(50, (2, 120), generator=draw)
        return Nodes(x.double(), edge_index, torch.arange(30), classes)
    x = torch.randn(30, *((5,) if network == "fcnn" else (1, 28, 28)), generator=draw)
    return Rows(x.double(), classes, torch.tensor(0.0), torch.tensor(1.0))


@pytest.mark.parametrize("stacked", [2, 5, 7, 100])
@pytest.mark.parametrize("network", ["fcnn", "lenet5", "gat"])
def test_how_many_batches_ascend_at_once_does_not_matter(network, stacked):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = build(network, SMALL[network]).double().eval()
    objective = Objective(built, partial(_examples(network).loss, functional.cross_entropy))
    parameters = dict(built.named_parameters())
    batches = torch.randint(30, (7, 6), generator=torch.Generator().manual_seed(1))
    options = {"steps": 3, "rate": 0.5}
    one, many = (measure(objective, parameters, 0.2, batches, **options, stacked=count) for count in (1, stacked))
    torch.testing.assert_close(many.base_loss, one.base_loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(many.max_loss, one.max_loss, rtol=1e-12, atol=0)
    assert (one.rise > 0).all()
