"""The released GAT estimator against closed forms, loops written out by hand, and `worst_case`, in float64."""

import copy
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins, worst_case
from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.randomness import default_generator, generator
from adaptive_sharpness.study.training.networks import build_network

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
gat = plugins.resolve("measures", "notebook_gat", PLUGINS)
N = 30
ALL = torch.arange(N)[None]
X = np.random.default_rng(0).normal(size=(N, 4))
W = np.array([1.5, -0.7, 2.0, -0.3])
OFF = {"train_mode": False, "summed_score": False, "as_mask": False}
SWITCHES = [dict(zip(OFF, values, strict=True)) for values in product((True, False), repeat=3)]


class _Linear(nn.Module):
    """Node i has the loss x_i w."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.from_numpy(W))

    def forward(self, x):
        return x @ self.w


def _mean(network, index):
    return network(torch.from_numpy(X)[index]).mean()


def _linear_by_hand(rho, rate, seed, trials, steps, m, summed, as_mask) -> tuple[list[float], list[float]]:
    """Highest scores and scores at w of every trial."""
    shuffles = generator(seed, "released masks")

    def score(w, batch):
        if not summed:
            return X[batch].mean(axis=0) @ w
        order, total = torch.randperm(N, generator=shuffles).numpy(), 0.0
        for first in range(0, N, m):
            total += X[order[first : first + m]].mean(axis=0) @ w
        return total

    drawn = [row.tolist() for row in draw_batches(N, trials, m, seed)]
    drawn = [sorted(set(row)) for row in drawn] if as_mask else drawn
    base = [score(W, drawn[0])] * trials if summed else [score(W, batch) for batch in drawn]
    highest = []
    for batch in drawn:
        w, scores = W.copy(), []
        for _ in range(steps):
            w = np.clip(w + rate * X[batch].mean(axis=0), W - rho * abs(W), W + rho * abs(W))
            scores.append(score(w, batch))
        highest.append(max(scores))
    return highest, base


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize("as_mask", [True, False])
@pytest.mark.parametrize(("trials", "steps", "m"), [(5, 5, 13), (3, 2, 64), (1, 1, 10)])
@pytest.mark.parametrize(("rho", "rate"), [(0.3, 0.2), (0.02, 5.0)])
def test_of_a_linear_loss_it_equals_a_loop_in_numpy(rho, rate, trials, steps, m, as_mask, summed):
    highest, base = _linear_by_hand(rho, rate, 4, trials, steps, m, summed, as_mask)
    how = {"seed": 4, "trials": trials, "steps": steps, "batch_size": m, "as_mask": as_mask, "summed_score": summed}
    found = gat(_Linear(), _mean, ALL, rho=rho, rate=rate, **how)
    np.testing.assert_allclose(found.max_loss, highest, rtol=1e-12)
    np.testing.assert_allclose(found.base_loss, base, rtol=1e-12)
    np.testing.assert_allclose(found.per_batch, np.subtract(highest, base), rtol=1e-9)


def test_of_a_linear_loss_with_all_switches_off_the_rise_is_rho_times_the_l1_norm_of_the_scaled_gradient():
    found = gat(_Linear(), _mean, ALL, rho=0.1, rate=1e6, seed=2, batch_size=16, **OFF)
    slopes = X[draw_batches(N, 5, 16, 2).numpy()].mean(axis=1)
    np.testing.assert_allclose(found.per_batch, 0.1 * abs(slopes * W).sum(axis=1), rtol=1e-10)


def test_a_mask_holds_a_node_drawn_twice_once():
    seen = []

    def loss(network, index):
        if torch.is_grad_enabled():
            seen.append(index.tolist())
        return _mean(network, index)

    gat(_Linear(), loss, ALL, rho=0.1, rate=0.1, steps=1, seed=1)
    gat(_Linear(), loss, ALL, rho=0.1, rate=0.1, steps=1, seed=1, as_mask=False)
    drawn = draw_batches(N, 5, 64, 1).tolist()
    assert seen == [sorted(set(row)) for row in drawn] + drawn


def test_the_nodes_are_those_of_the_batch_given():
    seen = set()

    def loss(network, index):
        seen.update(index.tolist())
        return _mean(network, index)

    gat(_Linear(), loss, torch.arange(N)[None, 5:25], rho=0.1, rate=0.1)
    assert seen == set(range(5, 25))


def _graph_network(dropout: float = 0.6) -> nn.Module:
    options = {"features": 4, "hidden": 3, "layers": 2, "classes": 3, "dropout": dropout}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("gat", options).double().eval()


EDGES = torch.from_numpy(np.random.default_rng(1).integers(N, size=(2, 80)))
CLASSES = torch.from_numpy(np.random.default_rng(2).integers(3, size=N))


def _cross_entropy(network, index):
    return functional.cross_entropy(network(torch.from_numpy(X), EDGES)[index], CLASSES[index])


@pytest.mark.parametrize(("rho", "rate"), [(0.02, 0.236), (0.2, 5.0)])
def test_with_all_switches_off_it_is_worst_case_by_the_reports_solver_without_the_origin(rho, rate):
    found = gat(_graph_network(), _cross_entropy, ALL, rho=rho, rate=rate, seed=3, **OFF)
    solver = {"solver": "pga", "rate": rate, "steps": 5, "origin": False}
    wanted = worst_case(_graph_network(), _cross_entropy, draw_batches(N, 5, 64, 3), rho=rho, **solver)
    np.testing.assert_allclose(found.base_loss, wanted.base_loss, rtol=1e-13)
    np.testing.assert_allclose(found.max_loss, wanted.max_loss, rtol=1e-12)
    assert found.standard_error == pytest.approx(wanted.standard_error, rel=1e-9)


def _with_torch(network, rho, rate, seed, trials, m, train_mode, summed_score, as_mask):
    """The notebook's loops, of torch's own optimiser and clamp; every call draws its own dropout."""
    shuffles = generator(seed, "released masks")
    batches = [row.unique() if as_mask else row for row in draw_batches(N, trials, m, seed)]

    def score(network, batch):
        with torch.no_grad():
            if summed_score:
                parts = torch.randperm(N, generator=shuffles).split(m)
                return sum(_cross_entropy(network, part).item() for part in parts)
            return _cross_entropy(network, batch).item()

    centre, highest = [w.detach().clone() for w in network.parameters()], []
    with default_generator(seed, "released dropout"):
        start = copy.deepcopy(network).train(train_mode)
        base = [score(start, None)] * trials if summed_score else [score(start, batch) for batch in batches]
        for batch in batches:
            own, best = copy.deepcopy(network).train(train_mode), -np.inf
            ascent = torch.optim.SGD(own.parameters(), lr=rate)
            for _ in range(5):
                ascent.zero_grad()
                (-_cross_entropy(own, batch)).backward()
                ascent.step()
                for w, c in zip(own.parameters(), centre, strict=True):
                    w.data = torch.clamp(w.data, c - rho * abs(c), c + rho * abs(c))
                best = max(best, score(own, batch))
            highest.append(best)
    return highest, base


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_of_a_graph_network_it_is_what_a_loop_with_torchs_own_optimiser_and_clamp_gives(switches):
    highest, base = _with_torch(_graph_network(), 0.1, 0.236, 6, 3, 13, **switches)
    options = {"rho": 0.1, "rate": 0.236, "seed": 6, "trials": 3, "batch_size": 13}
    found = gat(_graph_network(), _cross_entropy, ALL, **options, **switches)
    np.testing.assert_allclose(found.max_loss, highest, rtol=1e-12)
    np.testing.assert_allclose(found.base_loss, base, rtol=1e-12)


def test_every_switch_makes_a_difference():
    options = {"rho": 0.1, "rate": 0.236, "seed": 6, "batch_size": 13}
    found = [gat(_graph_network(), _cross_entropy, ALL, **options, **switches).sharpness for switches in SWITCHES]
    assert len({round(value, 9) for value in found}) == len(SWITCHES)


def test_dropout_makes_a_value_that_no_perturbation_made_of_either_sign():
    """With no radius nothing moves; in eval mode the same parts, all of one size, give the same score in any order."""
    options = {"rho": 0.0, "rate": 0.236, "steps": 1, "batch_size": 10}
    noisy = [gat(_graph_network(), _cross_entropy, ALL, **options, seed=seed).sharpness for seed in range(10)]
    assert min(noisy) < -0.01
    assert max(noisy) > 0.01
    still = gat(_graph_network(), _cross_entropy, ALL, **options, train_mode=False)
    np.testing.assert_allclose(still.per_batch, 0, atol=1e-13)
