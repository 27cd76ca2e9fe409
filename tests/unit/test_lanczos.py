"""Lanczos against numpy's eigenvalues, for matrices whose spectrum is chosen."""

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from adaptive_sharpness.landscape import lanczos as module
from adaptive_sharpness.landscape.lanczos import DENSE, lanczos, largest

SIZE = DENSE + 18


def _matrix(eigenvalues, seed: int = 0) -> Tensor:
    """A symmetric matrix with these, in random axes."""
    draw = np.random.default_rng(seed)
    axes = np.linalg.qr(draw.normal(size=(len(eigenvalues),) * 2))[0]
    return torch.from_numpy(axes @ np.diag(eigenvalues) @ axes.T)


def _start(size: int = SIZE, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1 + seed).normal(size=size))


def _few(*values: float) -> np.ndarray:
    """Each of them as often as the next, so that a Krylov space has few dimensions."""
    return np.resize(values, SIZE)


SPECTRA = {
    "apart": np.linspace(-2, 5, SIZE),
    "crowded at the top": 3 - np.linspace(0, 1, SIZE) ** 2,
    "negative": -np.linspace(1, 4, SIZE),
    "of rank 2": np.append(np.zeros(SIZE - 2), [1.0, 3.0]),
    "of rank 2, negative": np.append(np.zeros(SIZE - 2), [-1.0, -3.0]),
    "zero": np.zeros(SIZE),
    "one value": _few(2.0),
    "two values": _few(2.0, -1.0),
    "every value four times": np.repeat(np.linspace(-1, 5, SIZE // 4 + 1), 4)[:SIZE],
    "the largest one five times": np.append(np.linspace(-3, 2, SIZE - 5), np.full(5, 4.0)),
    "the second one twice, negative": np.append(np.linspace(-9, -5, SIZE - 3), [-4.0, -4.0, -1.0]),
    "large": 1e8 * np.linspace(0, 1, SIZE),
    "small": 1e-12 * np.linspace(0, 1, SIZE),
    "dense": np.linspace(-2, 5, DENSE),
    "dense, every value twice": np.repeat(np.linspace(-2, 5, DENSE // 2), 2),
    "one number": np.array([-3.0]),
}


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_largest_ones_are_numpys_each_as_often_as_it_is_one(spectrum, count):
    matrix = _matrix(SPECTRA[spectrum])
    count, size = min(count, len(matrix)), len(matrix)
    values, vectors = largest(lambda v: matrix @ v, _start(size), count, 1e-13)
    top = abs(SPECTRA[spectrum]).max()
    np.testing.assert_allclose(values, np.sort(SPECTRA[spectrum])[::-1][:count], rtol=0, atol=1e-11 * top)
    basis = torch.stack(vectors)
    np.testing.assert_allclose(basis @ basis.T, np.eye(count), atol=1e-10)
    # An eigenvalue's error is the square of its vector's residual by the gap.
    np.testing.assert_allclose(basis @ matrix, values[:, None] * basis, atol=1e-5 * top)


def test_all_eigenvalues_can_be_asked_for():
    matrix = _matrix(SPECTRA["every value four times"])
    values, vectors = largest(lambda v: matrix @ v, _start(), SIZE, 1e-13)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[::-1], atol=1e-12)
    np.testing.assert_allclose(torch.stack(vectors).T @ torch.diag(values) @ torch.stack(vectors), matrix, atol=1e-11)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-8])
def test_a_coarser_tolerance_takes_fewer_products_and_is_kept(tolerance):
    matrix, calls = _matrix(np.linspace(-2, 5, 300)), []

    def product(v: Tensor) -> Tensor:
        calls.append(v)
        return matrix @ v

    value = largest(product, _start(300), 1, tolerance)[0].item()
    assert abs(value - 5) < 7 * tolerance
    assert len(calls) == len(torch.stack(calls).unique(dim=0))
    exact, before = [], len(calls)
    largest(lambda v: exact.append(v) or matrix @ v, _start(300), 1, 1e-13)
    assert before < len(exact)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_nodes_and_weights_integrate_every_polynomial_of_a_degree_below_twice_the_steps(steps):
    """A Gauss quadrature: sum_i w_i theta_i^k = v A^k v for k < 2 steps, v of length 1."""
    matrix, v = _matrix(np.linspace(-1.5, 1, SIZE)), _start()
    known = lanczos(lambda x: matrix @ x, v, steps)
    v = v / v.norm()
    weights = known.vectors[0].square()
    assert weights.sum().item() == pytest.approx(1, rel=1e-13)
    for k in range(2 * steps + 1):
        wanted = v @ torch.linalg.matrix_power(matrix, k) @ v
        apart = abs((weights * known.values**k).sum() - wanted).item()
        assert apart < 1e-12 if k < 2 * steps else apart > 1e-4


@pytest.mark.parametrize("spectrum", ["apart", "of rank 2", "one value", "two values", "zero", "small"])
def test_after_all_steps_the_basis_is_orthonormal_and_the_values_are_all(spectrum):
    """Though the span of the first vectors may be one that the matrix does not leave."""
    matrix = _matrix(SPECTRA[spectrum])
    known = lanczos(lambda x: matrix @ x, _start(), SIZE)
    basis, top = torch.stack(known.basis), abs(SPECTRA[spectrum]).max()
    np.testing.assert_allclose(basis @ basis.T, np.eye(SIZE), atol=1e-12)
    np.testing.assert_allclose(known.values, np.sort(SPECTRA[spectrum]), rtol=0, atol=1e-13 * SIZE * top)
    assert known.vectors[0].square().sum().item() == pytest.approx(1, rel=1e-13)
    for k in (1, 2):
        wanted = (_start() @ torch.linalg.matrix_power(matrix, k) @ _start() / _start().square().sum()).item()
        assert (known.vectors[0].square() * known.values**k).sum().item() == pytest.approx(wanted, abs=1e-12 * top**k)


@pytest.mark.parametrize("steps", [4, 10])
def test_residuals_are_those_of_the_ritz_vectors_and_their_bound_holds(steps):
    """By Parlett 1998 an eigenvalue lies within the residual of every Ritz value."""
    matrix = _matrix(SPECTRA["apart"])
    known = lanczos(lambda x: matrix @ x, _start(), steps)
    ritz = known.vectors.T @ torch.stack(known.basis)
    residual = (ritz @ matrix - known.values[:, None] * ritz).norm(dim=1)
    np.testing.assert_allclose(known.rest * known.vectors[-1].abs(), residual, rtol=1e-10)
    assert (known.errors() <= residual * (1 + 1e-10)).all()
    nearest = np.abs(known.values.numpy()[:, None] - SPECTRA["apart"]).min(axis=1)
    assert (nearest <= residual.numpy() * (1 + 1e-10)).all()


@pytest.mark.parametrize("count", [1, 3])
def test_an_eigenvalue_that_is_not_found_in_so_many_products_is_warned_of(monkeypatch, count):
    """The nodes of Chebyshev, which lie as closely as can be at the top."""
    monkeypatch.setattr(module, "MOST", 20)
    matrix, calls = _matrix(np.cos(np.linspace(0, np.pi, 200))), []
    line = r"^hessian: an eigenvalue is known to (\S+) after 20 products, wanted more$"
    with pytest.warns(UserWarning, match=line) as told:
        values = largest(lambda v: calls.append(v) or matrix @ v, _start(200), count, 1e-12)[0]
    assert values[0] < 1 - 1e-6
    assert 1e-6 < float(re.match(line, str(told[0].message))[1]) < 0.1
    assert len(calls) == 20
