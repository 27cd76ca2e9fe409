"""Traces and spectral densities are those of vectors of signs and the dense matrix, and as exact as they say."""

import math
import re
from itertools import product

import numpy as np
import pytest
import torch
from test_curvature import LOSS, _batches, _dense, _layered, _scale
from test_hessian import _around, _quadratic, _random, _scaled
from torch import Tensor, nn

from adaptive_sharpness import hessian
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.measures.hessian import MOST_VECTORS, Density

POWERS = (1, 2, 3, 4)


def _signs(network: nn.Module, batch: int, count: int, seed: int = 0) -> Tensor:
    """The vectors that are drawn, a row each."""
    found = []
    for number in range(1, count + 1):
        draw = generator(seed, "hessian", batch, number)
        normal = [torch.randn(value.shape, generator=draw, dtype=torch.float64) for value in network.parameters()]
        found.append(torch.cat([value.flatten() for value in normal]).sign())
    return torch.stack(found)


def _forms(matrix: Tensor, vectors: Tensor, power: int = 1) -> Tensor:
    """v M^k v of each row."""
    return ((vectors @ torch.linalg.matrix_power(matrix, power)) * vectors).sum(1)


def _matrices(network: nn.Module, batches: list) -> list[Tensor]:
    c = _scale(network, "none")
    return [_dense(network, LOSS, batch, list(c), c) for batch in batches]


@pytest.mark.parametrize(("vectors", "seed"), [(1, 0), (2, 0), (7, 3)])
def test_the_trace_is_the_mean_over_its_vectors_and_its_error_that_of_a_mean(vectors, seed):
    network, batches = _layered(), _batches(6, 3)
    found = hessian(network, LOSS, batches, scale="none", vectors=vectors, seed=seed)
    for position, matrix in enumerate(_matrices(network, batches)):
        forms = _forms(matrix, _signs(network, position, vectors, seed)).numpy()
        assert found.trace[position].item() == pytest.approx(forms.mean(), rel=1e-10)
        error = np.std(forms, ddof=1) / vectors**0.5 if vectors > 1 else math.nan
        assert found.trace_error[position].item() == pytest.approx(error, rel=1e-8, nan_ok=True)


def test_the_trace_lies_within_its_standard_errors():
    """In 40 batches of one drawing each: of normal numbers 95 of 100 lie within 2, nearly all within 4."""
    matrix, w = _random(12, np.linspace(-1, 5, 12))
    network, batch = _quadratic(matrix, w)
    found = hessian(network, _around, batch.expand(40, -1, -1), vectors=30)
    apart = ((found.trace - np.trace(_scaled(matrix, w, "adaptive"))) / found.trace_error).abs()
    assert (apart < 4).all()
    assert (apart < 2).sum() >= 33
    assert len(found.trace.unique()) == 40


@pytest.mark.parametrize("wanted", [0.5, 0.1, 0.04])
@pytest.mark.parametrize("vectors", [1, 5])
def test_vectors_are_drawn_until_the_trace_is_as_exact_as_wanted_and_no_more(wanted, vectors):
    matrix, w = _random(8, np.linspace(-1, 5, 8))
    network, batch = _quadratic(matrix, w)
    found = hessian(network, _around, batch.expand(3, -1, -1), scale="none", vectors=vectors, trace_error=wanted)
    counts = []
    for position in range(3):
        forms = _forms(torch.from_numpy(matrix), _signs(network, position, 500)).numpy()
        for count in range(max(2, vectors), len(forms)):
            error = np.std(forms[:count], ddof=1) / count**0.5
            if error <= wanted * abs(forms[:count].mean()):
                break
        counts.append(count)
        assert found.trace[position].item() == pytest.approx(forms[:count].mean(), rel=1e-10)
        assert found.trace_error[position].item() == pytest.approx(error, rel=1e-8)
        assert found.trace_error[position] <= wanted * found.trace[position].abs()
    assert wanted > 0.04 or len(set(counts)) > 1


@pytest.mark.parametrize("wanted", [None, 1e-6])
def test_of_a_diagonal_matrix_two_vectors_are_enough(wanted):
    calls = []

    def loss(network, batch: Tensor) -> Tensor:
        calls.append(None)
        return _around(network, batch)

    network, batch = _quadratic(np.diag(np.linspace(-1, 3, 9)), np.ones(9))
    found = hessian(network, loss, batch, vectors=2, trace_error=wanted)
    assert found.trace.item() == pytest.approx(9, rel=1e-12)
    assert found.trace_error.item() == pytest.approx(0, abs=1e-12)


SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])  # v M v is 2 or -2, its mean 0: no share of it is ever reached


def test_a_trace_that_is_not_as_exact_as_wanted_after_most_vectors_is_warned_of():
    network, batch = _quadratic(SWAP, np.ones(2))
    line = rf"^hessian: the trace is known to (\S+) after {MOST_VECTORS} vectors, wanted more$"
    with pytest.warns(UserWarning, match=line) as told:
        found = hessian(network, _around, batch, trace_error=0.01)
    forms = _forms(torch.from_numpy(SWAP), _signs(network, 0, MOST_VECTORS)).numpy()
    assert found.trace.item() == pytest.approx(forms.mean(), abs=1e-12)
    error = found.trace_error.item()
    assert error == pytest.approx(np.std(forms, ddof=1) / MOST_VECTORS**0.5, rel=1e-10)
    assert float(re.match(line, str(told[0].message))[1]) == pytest.approx(error, rel=0.5)


def test_as_many_vectors_are_drawn_as_are_asked_for(recwarn):
    network, batch = _quadratic(SWAP, np.ones(2))
    found = hessian(network, _around, batch, vectors=MOST_VECTORS + 1)
    forms = _forms(torch.from_numpy(SWAP), _signs(network, 0, MOST_VECTORS + 1)).numpy()
    assert found.trace.item() == pytest.approx(forms.mean(), abs=1e-12)
    assert not recwarn


@pytest.mark.parametrize("steps", [2, 3, 10])
def test_moments_of_the_density_are_those_of_each_vector(steps):
    """Exact below twice the steps: sum_i w_i theta_i^k n = v M^k v."""
    network, batches, vectors = _layered(), _batches(6, 3), 5
    found = hessian(network, LOSS, batches, scale="none", density=steps, vectors=vectors, seed=2).density
    assert found.nodes.shape == found.weights.shape == (2, vectors, steps)
    assert found.size == sum(value.numel() for value in network.parameters())
    torch.testing.assert_close(found.weights.sum(-1), torch.ones(2, vectors).double(), rtol=1e-12, atol=0)
    assert (found.weights >= 0).all()
    for position, matrix in enumerate(_matrices(network, batches)):
        top = torch.linalg.eigvalsh(matrix).abs().max().item()
        for power in range(2 * steps):
            wanted = _forms(matrix, _signs(network, position, vectors, seed=2), power)
            rounding = 1e-10 * found.size * top**power
            torch.testing.assert_close(found.moment(power)[position], wanted, rtol=1e-10, atol=rounding)
        past = _forms(matrix, _signs(network, position, vectors, seed=2), 2 * steps)
        assert steps == 10 or (found.moment(2 * steps)[position] - past).abs().max() > 1e-6 * top ** (2 * steps)


def test_moments_of_the_density_are_traces_of_powers_within_three_standard_errors():
    network, batches = _layered(), _batches(6, 3)
    density = hessian(network, LOSS, batches, scale="none", density=5, vectors=60).density
    for (position, matrix), power in product(enumerate(_matrices(network, batches)), POWERS):
        moments = density.moment(power)
        error = moments[position].std() / 60**0.5
        wanted = torch.linalg.matrix_power(matrix, power).trace()
        assert abs(moments[position].mean() - wanted) <= 3 * error
        assert 0 < error < wanted.abs()


@pytest.mark.parametrize("size", [6, 40])
@pytest.mark.parametrize("few", [False, True], ids=["values apart", "three values"])
def test_of_a_diagonal_matrix_after_all_steps_every_vectors_moments_are_exact(size, few):
    """A vector of signs weighs every eigenvalue alike."""
    diagonal = np.resize([-2.0, 1.0, 3.0], size) if few else np.linspace(-2, 3, size)
    network, batch = _quadratic(np.diag(diagonal), np.ones(size))
    found = hessian(network, _around, batch, density=size + 5, vectors=3)
    assert found.density.nodes.shape == (1, 3, size)
    for power in (0, *POWERS):
        np.testing.assert_allclose(found.density.moment(power), np.full((1, 3), (diagonal**power).sum()), rtol=1e-10)
    if not few:
        np.testing.assert_allclose(found.density.nodes[0], [diagonal] * 3, atol=1e-10)
        np.testing.assert_allclose(found.density.weights[0], np.full((3, size), 1 / size), rtol=1e-8)


@pytest.mark.parametrize("shape", [(1,), (2, 3)], ids=["batches", "models and batches"])
def test_the_density_is_a_mixture_of_normal_ones(shape):
    """Its integral is 1, its mean that of the nodes, its variance theirs and the width's together."""
    draw = torch.Generator().manual_seed(0)
    nodes, weights = (torch.rand(*shape, 4, 6, generator=draw, dtype=torch.float64) for _ in range(2))
    density, width = Density(nodes, weights / weights.sum(-1, keepdim=True), size=10), 0.07
    points = torch.linspace(-1, 2, 6001).double()
    values = density.at(points, width)
    assert values.shape == (*shape, 6001)
    for power, wanted in (
        (0, torch.ones(shape).double()),
        (1, density.moment(1).mean(-1) / 10),
        (2, density.moment(2).mean(-1) / 10 + width**2),
    ):
        torch.testing.assert_close(torch.trapezoid(values * points**power, points), wanted, rtol=1e-9, atol=0)


def test_the_density_of_a_network_integrates_to_1_and_of_groups_and_models_there_are_several():
    network, batches = _layered(), _batches(6, 3)
    found = hessian([network, network], LOSS, batches, density=4, vectors=2, groups="layer", scale="none")
    for each in (found, *found.groups.values()):
        spread = each.density.nodes.max() - each.density.nodes.min()
        points = torch.linspace(each.density.nodes.min() - spread, each.density.nodes.max() + spread, 4001).double()
        areas = torch.trapezoid(each.density.at(points, 0.02 * spread), points)
        torch.testing.assert_close(areas, torch.ones(2, 2).double(), rtol=1e-9, atol=0)
    assert hessian(network, LOSS, batches, vectors=1).density is None
