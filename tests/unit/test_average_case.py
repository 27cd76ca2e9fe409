"""Average-case sharpness against closed forms of quadratic losses, and the perturbations themselves.

With delta = rho c z and a quadratic loss the rise is rho^2 / 2 z A z, A = diag(c) H diag(c), after the first-order term
has gone with its pair. Its mean is rho^2 / 2 tr A for normal z, and a third of that for z uniform on [-1, 1].
"""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness import average_case
from adaptive_sharpness.landscape.objective import NotFinite
from adaptive_sharpness.study.training.networks import build_network

W = np.array([1.5, -0.7, 0.0, 2.0, -0.2])
DIAGONAL = np.array([1.0, 3.0, 5.0, -0.5, 2.0])
SHARE = {"l2": 1, "linf": 1 / 3}
VARIANCE = {"l2": 2, "linf": 4 / 45}  # of z^2


class _Vector(nn.Module):
    """A network whose output is its weights."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.from_numpy(W.copy()))

    def forward(self) -> Tensor:
        return self.w


def _value(network, batch: Tensor) -> Tensor:
    """w H w / 2 + b w, the batch H and b beside each other."""
    w = network()
    return w @ (batch[:, :-1] @ w) / 2 + batch[:, -1] @ w


def _batches(matrix: np.ndarray, slope: float, count: int) -> Tensor:
    one = np.append(matrix, np.full((5, 1), slope), axis=1)
    return torch.from_numpy(one).expand(count, 5, 6)


def _scaled(matrix: np.ndarray, scale: str) -> np.ndarray:
    c = abs(W) if scale == "adaptive" else np.ones(5)
    return np.diag(c) @ matrix @ np.diag(c)


def _symmetric() -> np.ndarray:
    draw = np.random.default_rng(0).normal(size=(5, 5))
    return draw + draw.T


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_quadratic_loss_it_is_the_trace(sign, norm, scale):
    """Whatever the slope; negative where the loss is concave on average. The standard error is what theory says."""
    matrix, rho = sign * np.diag(DIAGONAL), 0.2
    found = average_case(
        *(_Vector().eval(), _value, _batches(matrix, 30.0, 200)),
        **{"rho": rho, "norm": norm, "scale": scale, "stacked": 200, "samples": 20},
    )
    scaled = _scaled(matrix, scale)
    error = rho**2 / 2 * (VARIANCE[norm] * (scaled**2).sum() / (200 * 10)) ** 0.5
    wanted = SHARE[norm] * rho**2 / 2 * np.trace(scaled)
    assert abs(wanted) > 10 * error
    assert found.sharpness == pytest.approx(wanted, abs=4 * error)
    assert found.standard_error == pytest.approx(error, rel=0.25)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_a_matrix_that_is_not_diagonal_too_it_is_the_trace(norm):
    """z A z has the variance VARIANCE sum_i A_ii^2 + 2 SHARE^2 sum_(i != j) A_ij^2."""
    scaled = _scaled(_symmetric(), scale="adaptive")
    off = scaled - np.diag(np.diag(scaled))
    variance = VARIANCE[norm] * (np.diag(scaled) ** 2).sum() + 2 * SHARE[norm] ** 2 * (off**2).sum()
    found = average_case(_Vector().eval(), _value, _batches(_symmetric(), 1.0, 200), rho=1.0, norm=norm, stacked=200)
    error = (variance / 2000) ** 0.5 / 2
    assert found.sharpness == pytest.approx(SHARE[norm] * np.trace(scaled) / 2, abs=4 * error)
    assert found.standard_error == pytest.approx(error, rel=0.25)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_a_linear_loss_it_is_0_since_perturbations_come_in_pairs(norm):
    found = average_case(_Vector().eval(), _value, _batches(np.zeros((5, 5)), 30.0, 6), rho=0.5, norm=norm, samples=2)
    assert found.per_batch.abs().max() < 1e-12
    assert ((found.max_loss - found.base_loss) > 1).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_of_a_quadratic_loss_it_grows_with_the_square_of_rho(norm):
    one, two = (
        average_case(_Vector().eval(), _value, _batches(_symmetric(), 0.0, 3), rho=rho, norm=norm) for rho in (0.1, 0.2)
    )
    torch.testing.assert_close(two.per_batch, 4 * one.per_batch, rtol=1e-10, atol=1e-14)


def test_with_rho_0_it_is_0():
    found = average_case(_Vector().eval(), _value, _batches(_symmetric(), 1.0, 3), rho=0)
    assert not found.per_batch.any()
    assert torch.equal(found.max_loss, found.base_loss)


def _perturbations(rho: float, norm: str, scale: str, samples: int, **options) -> np.ndarray:
    """What was added to the weights, [samples, weights], in units of c; 0 where c is 0."""
    met = []

    def loss(network, _) -> Tensor:
        met.append(network().detach().clone())
        return network().sum()

    average_case(
        *(_Vector().eval(), loss, torch.zeros(1, 1)),
        **{"rho": rho, "norm": norm, "scale": scale, "samples": samples, **options},
    )
    c = abs(W) if scale == "adaptive" else np.ones(5)
    moved = torch.stack(met[-samples:]).numpy() - W
    assert not moved[:, c == 0].any()
    return moved / np.where(c > 0, c, 1)


@pytest.mark.parametrize("scale", ["adaptive", "none"])
@pytest.mark.parametrize(("norm", "law"), [("linf", ("uniform", (-0.3, 0.6))), ("l2", ("norm", (0, 0.3)))])
def test_perturbations_have_the_scale_of_the_ball_and_come_in_pairs(norm, law, scale):
    deltas = _perturbations(0.3, norm, scale, samples=1000)
    np.testing.assert_allclose(deltas[::2], -deltas[1::2], atol=1e-14)
    free = deltas[::2][:, [0, 1, 3, 4]]
    assert kstest(free.ravel(), *law).pvalue > 1e-3
    assert abs(np.corrcoef(free.T) - np.eye(4)).max() < 0.2
    if norm == "linf":
        assert abs(deltas).max() <= 0.3 * (1 + 1e-12)


def test_perturbations_follow_from_the_seed_and_are_the_same_in_units_of_the_scale():
    one, again, plain = (_perturbations(0.3, "l2", scale, samples=6) for scale in ("adaptive", "adaptive", "none"))
    assert np.array_equal(one, again)
    np.testing.assert_allclose(one[:, [0, 1, 3, 4]], plain[:, [0, 1, 3, 4]], rtol=1e-10)
    assert not np.isclose(_perturbations(0.3, "l2", "adaptive", samples=6, seed=1)[:, 0], one[:, 0]).any()


def test_batches_have_perturbations_of_their_own():
    found = average_case(_Vector().eval(), _value, _batches(_symmetric(), 0.0, 5), rho=0.1)
    assert len(found.per_batch.unique()) == 5


def test_the_highest_loss_is_the_highest_met():
    found = average_case(_Vector().eval(), _value, _batches(_symmetric(), 0.0, 1), rho=0.3, samples=8, norm="l2")
    weights = W + abs(W) * _perturbations(0.3, "l2", "adaptive", samples=8)
    losses = ((weights @ _symmetric()) * weights).sum(axis=1) / 2
    assert found.max_loss.item() == pytest.approx(losses.max(), rel=1e-12)
    assert found.sharpness == pytest.approx(losses.mean() - W @ _symmetric() @ W / 2, rel=1e-9)


def test_no_gradient_is_kept_of_what_a_loss_has_of_its_own():
    temperature, modes = nn.Parameter(torch.tensor(2.0).double()), []

    def loss(network, _) -> Tensor:
        modes.append(torch.is_grad_enabled())
        return (network() / temperature).square().sum()

    found = average_case(_Vector().eval(), loss, torch.zeros(2, 1), rho=0.1)
    assert not any(modes)
    assert not any(value.requires_grad for value in (found.per_batch, found.base_loss, found.max_loss))


def test_the_standard_error_of_one_batch_is_no_number():
    assert math.isnan(average_case(_Vector().eval(), _value, _batches(_symmetric(), 0.0, 1), rho=0.1).standard_error)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=str)
@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    ("network", "options", "shape"),
    [
        ("fcnn", {"widths": (5, 8, 3)}, (5,)),
        ("lenet5", {"channels": (2, 3), "widths": (8, 6), "classes": 3}, (1, 28, 28)),
    ],
    ids=["fcnn", "lenet5"],
)
def test_how_many_problems_are_solved_at_once_does_not_matter(network, options, shape, norm, dtype, tolerance):
    """The mean loss agrees, relative to itself; the rise is its difference to that at the weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = [build_network(network, options).to(dtype).eval() for _ in range(2)]
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 6, *shape, generator=draw).to(dtype), torch.randint(3, (3, 6), generator=draw)
    batches, how = list(zip(x, y, strict=True)), {"rho": 0.1, "norm": norm, "samples": 4}
    one = [average_case(model, functional.cross_entropy, batches, **how) for model in models]
    many = average_case(models, functional.cross_entropy, batches, stacked=4, **how)
    for values in (lambda each: each.base_loss, lambda each: each.max_loss, lambda e: e.base_loss + e.per_batch):
        alone = torch.stack([values(each) for each in one])
        torch.testing.assert_close(values(many), alone, rtol=tolerance, atol=0)
    assert all(each.per_batch.any() for each in one)


REFUSED = [
    ({"rho": -0.1}, "rho: got -0.1, wanted a finite number, at least 0"),
    ({"rho": math.nan}, "rho: got nan, wanted a finite number, at least 0"),
    ({"norm": "l1"}, "norm: got 'l1', wanted one of linf, l2"),
    ({"samples": 0}, "samples: got 0, wanted a whole number, at least 2"),
    ({"samples": 4.0}, "samples: got 4.0, wanted a whole number, at least 2"),
    ({"samples": 3}, "samples: got 3, wanted an even number: they come in pairs"),
    ({"stacked": 0}, "stacked: got 0, wanted a whole number, at least 1"),
]


@pytest.mark.parametrize(("options", "line"), REFUSED, ids=lambda value: str(value) if isinstance(value, dict) else "")
def test_an_option_that_means_nothing_is_refused_in_one_line(options, line):
    with pytest.raises(ValueError, match=rf"^{line}$"):
        average_case(_Vector().eval(), _value, _batches(_symmetric(), 0.0, 1), **{"rho": 0.1, **options})


@pytest.mark.parametrize(("factor", "where"), [(1e6, "at the weights"), (350.0, "at rho 5")])
def test_a_loss_that_is_not_finite_is_refused(factor, where):
    """The highest weight is 2: exp(700) is finite, and exp(350 w) is not a little above."""
    wanted = rf"^model 0, batch 0: got a loss of inf {where}, wanted a finite number$"
    with pytest.raises(NotFinite, match=wanted):
        average_case(_Vector().eval(), lambda network, _: (factor * network()).exp().sum(), torch.zeros(1, 1), rho=5)
