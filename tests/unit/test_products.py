"""Products of the scaled Hessian with vectors are those with the matrix itself, as torch computes it."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from adaptive_sharpness.landscape.problems import Chunk, Problems
from adaptive_sharpness.landscape.products import ScaledHessian

NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")


def _network(dtype: torch.dtype) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).to(dtype).eval()


def _loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (output - target).square().mean()


def _batch(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return tuple(torch.randn(8, n, generator=draw, dtype=torch.float64).to(dtype) for n in (3, 1))


def _products(vectors: np.ndarray, dtype: torch.dtype, **options) -> tuple[np.ndarray, int]:
    """With each row, and the number of weights."""
    found = {}

    def solution(chunk: Chunk) -> dict[str, torch.Tensor]:
        product = ScaledHessian(chunk)
        found["size"] = product.size
        found["rows"] = np.stack([product(torch.from_numpy(row).to(product.dtype)).double() for row in vectors])
        return {}

    Problems(_network(dtype), _loss, _batch(dtype), twice=True, **options).solve(solution)
    return found["rows"], found["size"]


def _matrix(names: tuple[str, ...], scale: str) -> np.ndarray:
    network, (x, y) = _network(torch.float64), _batch(torch.float64)
    weights = {name: value.detach() for name, value in network.named_parameters()}
    sizes = [weights[name].numel() for name in names]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = dict(zip(names, flat.split(sizes), strict=True))
        moved = {name: part.reshape(weights[name].shape) for name, part in parts.items()}
        return _loss(functional_call(network, {**weights, **moved}, (x,)), y)

    flat = torch.cat([weights[name].flatten() for name in names])
    c = flat.abs() if scale == "adaptive" else torch.ones_like(flat)
    return (c[:, None] * torch.func.hessian(loss)(flat) * c).numpy()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=str)
@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize(("perturb", "names"), [("all", NAMES), ("weights", ("0.weight", "2.weight"))])
def test_products_are_those_with_the_scaled_matrix(perturb, names, scale, dtype, tolerance):
    matrix = _matrix(names, scale)
    vectors = np.random.default_rng(0).normal(size=(3, len(matrix)))
    found, size = _products(vectors, dtype, scale=scale, perturb=perturb)
    assert size == len(matrix)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, vectors @ matrix, rtol=tolerance, atol=tolerance * abs(matrix).max())
