"""The released LeNet-5 estimator against closed forms, a loop in numpy and one of torch's parts, in float64."""

import copy
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins
from adaptive_sharpness.landscape.randomness import default_generator, generator
from adaptive_sharpness.study.training.networks import build_network

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
lenet5 = plugins.resolve("measures", "notebook_lenet5", PLUGINS)
X = np.random.default_rng(0).normal(size=(10, 3)) + np.array([0.5, -1.0, 2.0])
Y = np.random.default_rng(1).normal(size=10)
ALL = torch.arange(10)[None]
MODES = [(train, aliased) for train in (True, False) for aliased in (True, False)]


def _order(seed: int, epoch: int, n: int = 10) -> torch.Tensor:
    return torch.randperm(n, generator=generator(seed, "released batches", epoch))


class _Scalar(nn.Module):
    """A network that is one weight."""

    def __init__(self, w: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))


@pytest.mark.parametrize("w", [2.0, -2.0])
def test_an_aliased_centre_is_the_weight_after_one_free_step_and_so_is_the_scale_of_its_box(w):
    """The loss w rises along w: from 2 a free step leads to 2.5, the box to 2.5 * 1.1; from -2 to -1.5 * 0.9."""
    climb = {"rho": 0.1, "rate": 0.5}
    aliased, text = (
        lenet5(_Scalar(w), lambda network, index: network.w, ALL, **climb, aliased_centre=alias)
        for alias in (True, False)
    )
    assert aliased.sharpness == pytest.approx(0.5 + 0.1 * abs(w + 0.5), rel=1e-14)
    assert text.sharpness == pytest.approx(0.1 * abs(w), rel=1e-14)


def test_without_a_radius_the_free_step_remains():
    rise = lambda network, index: 3 * network.w  # noqa: E731
    assert lenet5(_Scalar(1.0), rise, ALL, rho=0.0, rate=0.5).sharpness == pytest.approx(3 * 0.5 * 3, rel=1e-14)
    assert lenet5(_Scalar(1.0), rise, ALL, rho=0.0, rate=0.5, aliased_centre=False).sharpness == 0.0


def test_the_best_epoch_counts_and_may_lie_below_the_start():
    """One step an epoch on 7 - u^2 with u = w - 2.5: a rate of 1.2 makes u -1.4 u, and so every epoch worse."""
    hill = lambda network, index: 7 - (network.w - 2.5) ** 2  # noqa: E731
    found = lenet5(_Scalar(1.0), hill, ALL, rho=9.0, rate=1.2, epochs=3, aliased_centre=False)
    assert found.base_loss.item() == pytest.approx(7 - 1.5**2, rel=1e-14)
    assert found.max_loss.item() == pytest.approx(7 - 2.1**2, rel=1e-14)
    assert found.sharpness == pytest.approx(1.5**2 - 2.1**2, rel=1e-13)


def _batch_norm_network() -> nn.Sequential:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
    draw = np.random.default_rng(2)
    with torch.no_grad():
        for value in (*network.parameters(), network[0].running_mean):
            value.copy_(torch.from_numpy(draw.normal(size=value.shape)))
        network[0].running_var.copy_(torch.tensor([0.5, 1.0, 2.0]))
    return network.eval()


def _squared(network, index):
    return functional.mse_loss(network(torch.from_numpy(X)[index])[:, 0], torch.from_numpy(Y)[index])


def _by_hand(network, rho, rate, seed, epochs, m, train_mode, aliased) -> tuple[float, list[float]]:
    """Batch norm, then a linear layer: as the statistics do not depend on the weights, the gradients are short."""
    parts = (network[0].weight, network[0].bias, network[1].weight[0], network[1].bias)
    weights = [part.detach().numpy().copy() for part in parts]
    mean, var = network[0].running_mean.numpy().copy(), network[0].running_var.numpy().copy()
    centre = None if aliased else [w.copy() for w in weights]

    def residual(rows, mu, sigma2):
        scaled = (X[rows] - mu) / np.sqrt(sigma2 + 1e-5)
        return scaled, (weights[0] * scaled + weights[1]) @ weights[2] + weights[3] - Y[rows]

    everything, ends = np.arange(10), []
    base = (residual(everything, mean, var)[1] ** 2).mean()
    for epoch in range(epochs):
        order = _order(seed, epoch).numpy()
        for first in range(0, 10, m):
            rows = order[first : first + m]
            mu, sigma2 = (X[rows].mean(axis=0), X[rows].var(axis=0)) if train_mode else (mean, var)
            scaled, r = residual(rows, mu, sigma2)
            if train_mode:
                mean, var = 0.9 * mean + 0.1 * mu, 0.9 * var + 0.1 * X[rows].var(axis=0, ddof=1)
            g = 2 * r[:, None] / len(rows)
            gradient = [
                (g * scaled * weights[2]).sum(axis=0),
                (g * weights[2]).sum(axis=0),
                (g * (weights[0] * scaled + weights[1])).sum(axis=0),
                g.sum(axis=0),
            ]
            weights = [w + rate * slope for w, slope in zip(weights, gradient, strict=True)]
            centre = [w.copy() for w in weights] if centre is None else centre
            weights = [np.clip(w, c - rho * abs(c), c + rho * abs(c)) for w, c in zip(weights, centre, strict=True)]
        ends.append((residual(everything, mean, var)[1] ** 2).mean())
    return base, ends


@pytest.mark.parametrize(("train_mode", "aliased"), MODES)
@pytest.mark.parametrize(("epochs", "m"), [(1, 10), (1, 4), (5, 5), (3, 4)])
@pytest.mark.parametrize(("rho", "rate"), [(0.05, 0.05), (0.5, 0.02)])
def test_with_batch_norm_it_equals_a_loop_in_numpy(rho, rate, epochs, m, train_mode, aliased):
    network = _batch_norm_network()
    base, ends = _by_hand(network, rho, rate, 7, epochs, m, train_mode, aliased)
    how = {"seed": 7, "epochs": epochs, "batch_size": m, "train_mode": train_mode, "aliased_centre": aliased}
    found = lenet5(network, _squared, ALL, rho=rho, rate=rate, **how)
    assert found.base_loss.item() == pytest.approx(base, rel=1e-12)
    assert found.max_loss.item() == pytest.approx(max(ends), rel=1e-11)
    assert found.per_batch.shape == (1,)


def test_drifting_statistics_alone_change_the_loss():
    """With no radius and no free step the weights stay, and all that is left is what batch norm keeps."""
    options = {"rho": 0.0, "rate": 0.05, "aliased_centre": False}
    drifted = lenet5(_batch_norm_network(), _squared, ALL, **options)
    assert abs(drifted.sharpness) > 0.01
    assert lenet5(_batch_norm_network(), _squared, ALL, **options, train_mode=False).sharpness == 0.0


def _with_torch(network, loss, n, rho, rate, seed, epochs, m) -> list[float]:
    """The notebook's loop, of torch's own optimiser and clamp: the centre shares memory until it is replaced."""
    network, ends = copy.deepcopy(network), []
    ascent = torch.optim.SGD(network.parameters(), lr=rate, maximize=True)
    centre = [w.detach() for w in network.parameters()]
    with default_generator(seed, "released dropout"):
        for epoch in range(epochs):
            network.train()
            for index in _order(seed, epoch, n).split(m):
                ascent.zero_grad()
                loss(network, index).backward()
                ascent.step()
                for w, c in zip(network.parameters(), centre, strict=True):
                    w.data = torch.clamp(w.data, c - rho * abs(c), c + rho * abs(c))
            network.eval()
            with torch.no_grad():
                ends.append(loss(network, torch.arange(n)).item())
    return ends


def test_of_the_notebooks_network_it_is_what_a_loop_with_torchs_own_optimiser_and_clamp_gives():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network("lenet5", {"channels": [2, 3], "widths": [8, 6]}).double().eval()
    draw = np.random.default_rng(3)
    x, y = torch.from_numpy(draw.normal(size=(22, 1, 28, 28))), torch.from_numpy(draw.integers(10, size=22))
    loss = lambda own, index: functional.cross_entropy(own(x[index]), y[index])  # noqa: E731
    wanted = _with_torch(network, loss, 22, 0.01, 0.05, 5, 3, 8)
    options = {"rho": 0.01, "rate": 0.05, "seed": 5, "epochs": 3, "batch_size": 8}
    found = lenet5(network, loss, torch.arange(22)[None], **options)
    assert found.max_loss.item() == pytest.approx(max(wanted), rel=1e-10)
    text = lenet5(network, loss, torch.arange(22)[None], **options, aliased_centre=False)
    assert abs(text.max_loss.item() / max(wanted) - 1) > 1e-4


def test_the_loss_of_more_examples_than_a_chunk_holds_is_their_mean():
    values = torch.from_numpy(np.random.default_rng(4).normal(size=1203))
    found = lenet5(
        _Scalar(1.0),
        lambda network, index: network.w * values[index].mean(),
        torch.arange(1203)[None],
        rho=0.1,
        rate=0.1,
    )
    assert found.base_loss.item() == pytest.approx(values.mean().item(), rel=1e-12)


def test_every_epoch_meets_every_example_once_in_another_order():
    met = []

    def loss(network, index):
        if torch.is_grad_enabled():
            met.append(index.tolist())
        return network.w

    lenet5(_Scalar(1.0), loss, ALL, rho=0.1, rate=0.1, epochs=2, batch_size=4)
    assert [len(batch) for batch in met] == [4, 4, 2, 4, 4, 2]
    first, second = (list(chain(*each)) for each in (met[:3], met[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
