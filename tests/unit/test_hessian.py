"""The Hessian in adaptive coordinates against torch's own Hessian and numpy's eigenvalues."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.landscape.lanczos import DENSE
from adaptive_sharpness.landscape.objective import NotFinite


class _Vector(nn.Module):
    """A network whose output is its weights."""

    def __init__(self, w, dtype: torch.dtype = torch.float64):
        super().__init__()
        self.w = nn.Parameter(torch.as_tensor(w, dtype=dtype))

    def forward(self) -> Tensor:
        return self.w


def _around(network, batch: Tensor) -> Tensor:
    """(w - t) H (w - t) / 2, the batch H and t beside each other."""
    away = network() - batch[:, -1]
    return away @ (batch[:, :-1] @ away) / 2


def _quadratic(matrix: np.ndarray, w: np.ndarray) -> tuple[nn.Module, Tensor]:
    """A network at the stationary point of its quadratic loss, and the batch."""
    batch = np.append(matrix, w[:, None], axis=1)[None]
    return _Vector(w).eval(), torch.from_numpy(batch)


def _random(size: int, eigenvalues, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    axes = np.linalg.qr(draw.normal(size=(size, size)))[0]
    return axes @ np.diag(eigenvalues) @ axes.T, draw.uniform(0.5, 1.5, size) * draw.choice([-1, 1], size)


def _scaled(matrix: np.ndarray, w: np.ndarray, scale: str) -> np.ndarray:
    return np.diag(abs(w)) @ matrix @ np.diag(abs(w)) if scale == "adaptive" else matrix


SPECTRA = {
    "positive": lambda size: np.linspace(0.1, 3, size),
    "indefinite": lambda size: np.linspace(-5, 2, size),
    "negative": lambda size: np.linspace(-5, -1, size),
    "of equal eigenvalues": lambda size: np.full(size, 2.0),
    "of rank 1": lambda size: np.append(np.zeros(size - 1), 2.0),
    "of rank 1, negative": lambda size: np.append(np.zeros(size - 1), -2.0),
    "zero": np.zeros,
}


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("size", [2, DENSE, DENSE + 1])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_of_a_quadratic_loss_it_is_the_matrix(spectrum, size, scale):
    matrix, w = _random(size, SPECTRA[spectrum](size))
    scaled = _scaled(matrix, w, scale)
    network, batch = _quadratic(matrix, w)
    before = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    found, again = (hessian(network, _around, batch, scale=scale, vectors=1) for _ in range(2))
    assert found.sharpness == pytest.approx(np.linalg.eigvalsh(scaled)[-1], rel=1e-6, abs=1e-7)
    assert found.base_loss.tolist() == [0]
    assert torch.equal(found.per_batch, again.per_batch)
    assert torch.equal(found.trace, again.trace)
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), before[0], strict=True))  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("vectors", [1, 3])
@pytest.mark.parametrize("size", [5, 40])
def test_of_a_diagonal_matrix_hutchinsons_trace_is_exact(size, vectors, scale):
    diagonal, w = np.linspace(-1, 3, size), np.random.default_rng(1).normal(size=size)
    network, batch = _quadratic(np.diag(diagonal), w)
    found = hessian(network, _around, batch, scale=scale, vectors=vectors)
    assert found.trace.item() == pytest.approx((diagonal * (w**2 if scale == "adaptive" else 1)).sum(), rel=1e-12)


def test_of_any_matrix_hutchinsons_trace_is_right_in_the_mean():
    """v H v has the variance 2 sum_(i != j) H_ij^2 for a vector of signs v."""
    matrix, w = _random(6, np.linspace(-1, 3, 6))
    network, batch = _quadratic(matrix, w)
    scaled = _scaled(matrix, w, scale="adaptive")
    off = scaled - np.diag(np.diag(scaled))
    error = (2 * (off**2).sum() / 100) ** 0.5
    found = hessian(network, _around, batch, vectors=100).trace.item()
    assert abs(found - np.trace(scaled)) < 4 * error
    assert found != pytest.approx(np.trace(scaled), abs=1e-3 * error)
    assert hessian(network, _around, batch, vectors=100, seed=1).trace.item() != found


def test_of_one_parameter_it_is_the_second_derivative_times_the_weight_squared():
    """Of w^4 at 3 it is 12 3^2 3^2."""
    found = hessian(_Vector(3.0).eval(), lambda network, _: network() ** 4, torch.zeros(1, 1))
    assert found.sharpness == pytest.approx(972, rel=1e-12)
    assert found.trace.tolist() == [pytest.approx(972, rel=1e-12)]


def _net(hidden: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 2)).to(dtype).eval()


def _rows(dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, Tensor]]:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(15, 3, generator=draw, dtype=torch.float64), torch.randint(2, (15,), generator=draw)
    return list(zip(x.to(dtype).split(8), y.split(8), strict=True))


def _full(network: nn.Module, batch, names: list[str], scale: str) -> np.ndarray:
    """diag(c) H diag(c) by torch, over the parameters of these names."""
    weights = {name: value.detach() for name, value in network.named_parameters()}
    sizes = [weights[name].numel() for name in names]
    x, y = batch

    def loss(flat: Tensor) -> Tensor:
        parts = dict(zip(names, flat.split(sizes), strict=True))
        moved = {name: part.reshape(weights[name].shape) for name, part in parts.items()}
        return functional.cross_entropy(functional_call(network, {**weights, **moved}, (x,)), y)

    flat = torch.cat([weights[name].flatten() for name in names])
    return _scaled(torch.func.hessian(loss)(flat).numpy(), flat.numpy(), scale)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("perturb", ["all", "weights"])
@pytest.mark.parametrize("hidden", [3, 8])
def test_of_a_network_the_largest_eigenvalue_is_that_of_its_matrix(hidden, perturb, scale):
    network = _net(hidden)
    names = [name for name, _ in network.named_parameters() if perturb == "all" or name.endswith("weight")]
    found = hessian(network, functional.cross_entropy, _rows(), scale=scale, perturb=perturb, vectors=5)
    for position, batch in enumerate(_rows()):
        matrix = _full(network, batch, names, scale)
        assert found.per_batch[position].item() == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-7)
        off = matrix - np.diag(np.diag(matrix))
        assert abs(found.trace[position].item() - np.trace(matrix)) < 5 * (2 * (off**2).sum() / 5) ** 0.5


def test_in_float32_it_is_that_of_float64_to_its_precision():
    found = hessian(_net(8, torch.float32), functional.cross_entropy, _rows(torch.float32), vectors=1)
    rows = [(x.double(), y) for x, y in _rows(torch.float32)]
    wanted = hessian(_net(8, torch.float32).double(), functional.cross_entropy, rows, vectors=1)
    torch.testing.assert_close(found.per_batch, wanted.per_batch, rtol=1e-4, atol=0)
    torch.testing.assert_close(found.trace, wanted.trace, rtol=1e-4, atol=1e-6)
    assert found.per_batch.dtype == torch.float64


def test_several_models_are_measured_each_on_its_own():
    """As a list, and as one network and the stacked states."""
    models = [_net(8, seed=seed) for seed in (0, 1)]
    names = [name for name, _ in models[0].named_parameters()]
    states = {name: torch.stack([dict(model.named_parameters())[name] for model in models]) for name in names}
    alone = [hessian(model, functional.cross_entropy, _rows(), vectors=1) for model in models]
    several = hessian(models, functional.cross_entropy, _rows(), vectors=1)
    stacked = hessian(models[0], functional.cross_entropy, _rows(), states=states, vectors=1)
    for found in (several, stacked):
        for name in ("per_batch", "trace", "base_loss"):
            wanted = torch.stack([getattr(each, name) for each in alone])
            torch.testing.assert_close(getattr(found, name), wanted, rtol=1e-9, atol=1e-12)
    assert repr(several).endswith("; 2 models, 2 batches)")


@pytest.mark.parametrize("loss", [functional.mse_loss, functional.smooth_l1_loss, functional.huber_loss])
@pytest.mark.filterwarnings("error::UserWarning")
def test_it_is_silent_where_torch_warns_of_what_it_does_by_itself(loss):
    """In the second derivative, for some losses."""
    model, batch = nn.Linear(2, 40).eval(), (torch.ones(3, 2), torch.ones(3, 40))
    assert hessian(model, loss, [batch]).per_batch.isfinite().all()


def test_the_model_is_left_as_it_was():
    network = _net(8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    hessian(network, functional.cross_entropy, _rows())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("scale", ["adaptive", "none"])
def test_it_is_the_second_order_term_of_sharpness_where_the_gradient_is_0(scale):
    """The loss is (w - t) H (w - t) / 2 + sum_i (w_i - t_i)^4: the smaller rho is, the less the quartic part counts."""
    matrix, w = _random(5, np.linspace(0.5, 3, 5))
    network, batch = _quadratic(matrix, w)

    def quartic(net, rows: Tensor) -> Tensor:
        return _around(net, rows) + ((net() - rows[:, -1]) ** 4).sum()

    curvature = hessian(network, quartic, batch, scale=scale, vectors=1)
    trace = np.trace(_scaled(matrix, w, scale))
    how = {"norm": "l2", "scale": scale}
    gaps = []
    for rho in (0.3, 0.03, 0.003):
        # The origin is stationary: only restarts leave it.
        worst = worst_case(network, quartic, batch, rho=rho, steps=60, restarts=2, **how).sharpness
        gaps.append(abs(worst / (rho**2 / 2 * curvature.sharpness) - 1))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-4
    mean = average_case(network, quartic, batch, rho=rho, samples=2000, **how).sharpness
    scatter = (2 * (_scaled(matrix, w, scale) ** 2).sum() / 1000) ** 0.5 / trace
    assert mean / (rho**2 / 2 * trace) == pytest.approx(1, abs=4 * scatter)


@pytest.mark.parametrize("vectors", [0, -1, 2.0, True, None])
def test_a_number_of_vectors_that_is_none_is_refused(vectors):
    with pytest.raises(ValueError, match=rf"^vectors: got {vectors}, wanted a whole number, at least 1$"):
        hessian(_net(3), functional.cross_entropy, _rows(), vectors=vectors)


def test_a_loss_that_is_not_finite_is_refused():
    with pytest.raises(
        NotFinite, match=r"^model 0, batch 0: got a loss of inf at the weights, wanted a finite number$"
    ):
        hessian(_Vector([1.0]).eval(), lambda network, _: (network() * math.inf).sum(), torch.zeros(1, 1))


@pytest.mark.parametrize("size", [2, DENSE + 1])
def test_a_second_derivative_that_is_not_finite_is_refused(size):
    """The root of (w - 1)^2 has none at 1."""

    def cusp(network, _):
        return ((network() - 1) ** 2).sqrt().sum() + (network() ** 2).sum()

    wanted = r"^model 0, batch 0: got a curvature of nan at the weights, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        hessian(_Vector(np.ones(size)).eval(), cusp, torch.zeros(1, 1))
