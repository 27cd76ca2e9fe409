"""The released FCNN estimator against closed forms and a loop written out in numpy, in float64."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins
from adaptive_sharpness.study.training.networks import build_network

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
fcnn = plugins.resolve("measures", "notebook_fcnn", PLUGINS)
W = np.array([1.5, -0.7, 0.0, 2.0, -0.01, 0.3])
X = np.random.default_rng(0).normal(size=(10, 6))
Y = X @ np.arange(6) + np.random.default_rng(1).normal(size=10)
ALL = torch.arange(10)[None]


class _Vector(nn.Module):
    """A network that is its weights."""

    def __init__(self, w: np.ndarray):
        super().__init__()
        self.w = nn.Parameter(torch.from_numpy(w))


@pytest.mark.parametrize("rho", [0.025, 0.5])
@pytest.mark.parametrize(("crossed", "scale"), [(True, W), (False, abs(W))])
def test_of_a_linear_loss_the_rise_is_rho_w_with_crossed_bounds_and_rho_abs_w_without(crossed, scale, rho):
    """With crossed bounds a negative weight goes down although the loss rises along it."""
    slope = np.array([1.0, 2.0, 3.0, 0.5, 1.0, 1.0])
    loss = lambda network, index: network.w @ torch.from_numpy(slope)  # noqa: E731
    found = fcnn(_Vector(W), loss, ALL, rho=rho, rate=1e6, crossed_clamp=crossed)
    assert found.base_loss.item() == pytest.approx(slope @ W, rel=1e-14)
    assert found.sharpness == pytest.approx(rho * slope @ scale, rel=1e-12)


def test_crossed_bounds_can_make_it_negative():
    found = fcnn(_Vector(-abs(W)), lambda network, index: network.w.sum(), ALL, rho=0.1, rate=1.0)
    assert found.sharpness == pytest.approx(-0.1 * abs(W).sum(), rel=1e-12)


def test_without_a_radius_nothing_moves():
    assert fcnn(_Vector(W), lambda network, index: network.w.square().sum(), ALL, rho=0.0, rate=1.0).sharpness == 0.0


def _by_hand(w, loss, gradient, rho, rate, epochs, steps, crossed) -> tuple[float, list[list[float]]]:
    """What counts, and the losses after each step of each epoch."""
    start, after = w.copy(), []
    low, high = (
        (start - rho * start, start + rho * start) if crossed else (start - rho * abs(start), start + rho * abs(start))
    )
    kept, largest = None, 0.0
    for _ in range(epochs):
        met = []
        for _ in range(steps):
            w = w + rate * gradient(w)
            for i in range(len(w)):
                w[i] = high[i] if low[i] > high[i] else min(max(w[i], low[i]), high[i])
            met.append(loss(w))
        after.append(met)
        if sum(met) > largest:
            largest, kept = sum(met), w.copy()
    return loss(kept), after


def _linear() -> nn.Linear:
    network = nn.Linear(6, 1, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(W)[None])
    return network


def _squared(network, index):
    return functional.mse_loss(network(torch.from_numpy(X)[index])[:, 0], torch.from_numpy(Y)[index])


@pytest.mark.parametrize("crossed", [True, False])
@pytest.mark.parametrize(("epochs", "batch_size", "steps"), [(6, 64, 1), (6, 4, 3), (2, 5, 2), (1, 3, 4)])
@pytest.mark.parametrize(("rho", "rate"), [(0.3, 0.004), (0.025, 0.1)])
def test_of_squared_loss_it_equals_full_batch_steps_by_hand(rho, rate, epochs, batch_size, steps, crossed):
    loss, gradient = lambda w: ((X @ w - Y) ** 2).mean(), lambda w: 2 * X.T @ (X @ w - Y) / 10
    wanted, _ = _by_hand(W, loss, gradient, rho, rate, epochs, steps, crossed)
    options = {"epochs": epochs, "batch_size": batch_size, "crossed_clamp": crossed}
    found = fcnn(_linear(), _squared, ALL, rho=rho, rate=rate, **options)
    assert found.base_loss.item() == pytest.approx(loss(W), rel=1e-13)
    assert found.max_loss.item() == pytest.approx(wanted, rel=1e-12)
    assert found.per_batch.shape == (1,)


def test_the_end_of_the_epoch_of_the_largest_sum_counts_though_it_is_neither_last_nor_highest():
    """Steps too long for a wavy loss: it falls from one epoch to another, and within one."""
    w, rate, rho = np.array([1.0, -2.0, 0.5]), 0.7, 0.9
    loss, gradient = lambda w: 4 + np.sin(3 * w).sum(), lambda w: 3 * np.cos(3 * w)
    wanted, after = _by_hand(w, loss, gradient, rho, rate, 4, 3, False)
    best = int(np.argmax(np.sum(after, axis=1)))
    assert best != 3
    assert wanted == after[best][-1] < np.max(after)
    waves = lambda network, index: 4 + torch.sin(3 * network.w).sum()  # noqa: E731
    found = fcnn(_Vector(w), waves, ALL, rho=rho, rate=rate, epochs=4, batch_size=4, crossed_clamp=False)
    assert found.max_loss.item() == pytest.approx(wanted, rel=1e-10)


def test_every_step_sees_all_examples_and_an_epoch_has_one_for_every_64():
    seen = []

    def loss(network, index):
        seen.append(index.tolist())
        return network.w.sum()

    fcnn(_Vector(W), loss, torch.arange(130)[None], rho=0.1, rate=0.1)
    assert seen == [list(range(130))] * (6 * 3 + 1)


def test_it_is_in_eval_mode():
    network = nn.Sequential(_linear(), nn.Dropout(0.9)).train()
    found = fcnn(network, _squared, ALL, rho=0.025, rate=0.1)
    assert torch.equal(found.per_batch, fcnn(_linear(), _squared, ALL, rho=0.025, rate=0.1).per_batch)


def test_of_the_notebooks_network_it_is_what_a_loop_with_torchs_own_optimiser_and_clamp_gives():
    network = build_network("fcnn", {"activation": "ELU", "output": "ELU"}).double()
    draw = np.random.default_rng(3)
    x, y = (torch.from_numpy(draw.normal(size=(100, width))) for width in (10, 1))
    found = fcnn(
        network,
        lambda own, index: functional.mse_loss(own(x[index]), y[index]),
        torch.arange(100)[None],
        rho=0.025,
        rate=0.102,
    )
    wanted = _with_torch(network, x, y, 0.025, 0.102)
    assert found.max_loss.item() == pytest.approx(wanted, rel=1e-12)


def _with_torch(network, x, y, rho, rate) -> float:
    value = partial(functional.mse_loss, target=y)
    start, largest, kept = [w.detach().clone() for w in network.parameters()], 0.0, math.nan
    ascent = torch.optim.SGD(network.parameters(), lr=rate, maximize=True)
    for _ in range(6):
        total = 0.0
        for _ in range(2):
            ascent.zero_grad()
            value(network(x)).backward()
            ascent.step()
            for w, centre in zip(network.parameters(), start, strict=True):
                w.data = torch.clamp(w.data, centre - rho * centre, centre + rho * centre)
            total += value(network(x)).item()
        if total > largest:
            largest, kept = total, value(network(x)).item()
    return kept
