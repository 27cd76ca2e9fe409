"""What holds of sharpness whatever the network, the batch and the radius, tried on random small networks in float64."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.measures.worst_case import WorstCase

FEW = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SEEDS, RADII = st.integers(0, 2**32 - 1), st.floats(1e-4, 1.0)
HOW = st.fixed_dictionaries(
    {
        "norm": st.sampled_from(["linf", "l2"]),
        "solver": st.sampled_from(["apgd", "pga"]),
        "scale": st.sampled_from(["adaptive", "none"]),
    }
)
Batches = list[tuple[Tensor, Tensor]]


def _case(seed: int) -> tuple[nn.Module, Batches]:
    """A network with some weights that are 0, and three batches of five examples."""
    draw = np.random.default_rng(seed)
    network = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).double().eval()
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.from_numpy(draw.normal(size=value.shape) * (draw.random(value.shape) > 0.2)))
    x, y = torch.from_numpy(draw.normal(size=(15, 3))), torch.from_numpy(draw.integers(2, size=15))
    return network, list(zip(x.split(5), y.split(5), strict=True))


def _measured(network: nn.Module, batches: Batches, rho: float, **options) -> WorstCase:
    return worst_case(network, functional.cross_entropy, batches, rho=rho, **{"steps": 4, "stacked": 3, **options})


@pytest.fixture(autouse=True)
def _same_numbers():
    """Layers draw initial weights, which are overwritten here; the tests that follow should not see that."""
    with torch.random.fork_rng():
        yield


def _losses(network: nn.Module, batches: Batches, delta: dict[str, Tensor]) -> np.ndarray:
    """Of each batch at its own perturbation."""
    found = []
    for position, (x, y) in enumerate(batches):
        weights = {name: value + delta[name][position] for name, value in network.named_parameters()}
        found.append(functional.cross_entropy(torch.func.functional_call(network, weights, (x,)), y).item())
    return np.array(found)


@FEW
@given(SEEDS, RADII, HOW, st.integers(0, 2))
def test_a_rise_is_never_negative_and_is_that_at_a_point_of_the_ball(seed, rho, how, restarts):
    network, batches = _case(seed)
    found = _measured(network, batches, rho, restarts=restarts, keep_delta=True, seed=seed, **how)
    assert (found.per_batch >= 0).all()
    np.testing.assert_allclose(_losses(network, batches, found.delta), found.max_loss, rtol=1e-12)
    coordinates = []
    for name, value in network.named_parameters():
        c = value.detach().abs() if how["scale"] == "adaptive" else torch.ones_like(value)
        assert not found.delta[name][:, c == 0].any()
        coordinates.append((found.delta[name][:, c > 0] / c[c > 0]).flatten(1))
    length = torch.linalg.vector_norm(torch.cat(coordinates, 1), ord=torch.inf if how["norm"] == "linf" else 2, dim=1)
    assert (length <= rho * (1 + 1e-12)).all()


@FEW
@given(SEEDS, st.lists(RADII, min_size=2, max_size=4), HOW)
def test_from_the_warm_start_of_the_smaller_rho_rises_never_fall_with_rho(seed, radii, how):
    network, batches = _case(seed)
    before = None
    for rho in sorted(radii):
        found = _measured(network, batches, rho, warm_start=before, keep_delta=True, **how)
        assert before is None or (found.per_batch >= before.per_batch).all()
        before = found


@FEW
@given(SEEDS, RADII, HOW)
def test_in_a_scale_of_absolute_weights_no_zero_weight_moves(seed, rho, how):
    network, batches = _case(seed)
    found = _measured(network, batches, rho, restarts=1, keep_delta=True, **{**how, "scale": "adaptive"})
    zeros = {name: value == 0 for name, value in network.named_parameters()}
    assert sum(mask.sum() for mask in zeros.values()) > 0
    assert not any(found.delta[name][:, mask].any() for name, mask in zeros.items())
    assert any(value.any() for value in found.delta.values())


@FEW
@given(SEEDS, RADII, HOW, st.permutations(range(3)))
def test_batches_in_another_order_have_the_values_they_had(seed, rho, how, order):
    """Without restarts, whose starts follow from a batch's position."""
    network, batches = _case(seed)
    found = _measured(network, batches, rho, **how)
    moved = _measured(network, [batches[position] for position in order], rho, **how)
    for name in ("base_loss", "max_loss", "first_order"):
        value = getattr(found, name)[list(order)]
        torch.testing.assert_close(getattr(moved, name), value, rtol=1e-12, atol=0)


@FEW
@given(SEEDS, RADII, HOW)
def test_examples_in_another_order_change_nothing(seed, rho, how):
    network, batches = _case(seed)
    found = _measured(network, batches, rho, restarts=1, **how)
    moved = _measured(network, [(x.flip(0), y.flip(0)) for x, y in batches], rho, restarts=1, **how)
    torch.testing.assert_close(moved.max_loss, found.max_loss, rtol=1e-9, atol=0)


def _rescaled(network: nn.Sequential, factors: list[float]) -> nn.Sequential:
    """The same function: each ReLU's input times r, its output by r."""
    first, second = factors
    image = nn.Sequential(*(nn.Linear(*s) if s else nn.ReLU() for s in ((3, 6), (), (6, 6), (), (6, 2)))).double()
    image.load_state_dict(network.state_dict())
    with torch.no_grad():
        for position, weight, bias in ((0, first, first), (2, second / first, second), (4, 1 / second, 1)):
            image[position].weight.mul_(weight)
            image[position].bias.mul_(bias)
    return image.eval()


FACTORS = st.lists(st.floats(0.05, 20), min_size=2, max_size=2)


@FEW
@given(SEEDS, RADII, HOW, FACTORS, st.integers(0, 1))
def test_adaptive_worst_case_is_that_of_the_rescaled_network(seed, rho, how, factors, restarts):
    network, batches = _case(seed)
    options = {**how, "scale": "adaptive", "restarts": restarts}
    found, image = (_measured(each, batches, rho, **options) for each in (network, _rescaled(network, factors)))
    torch.testing.assert_close(image.base_loss, found.base_loss, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(image.max_loss, found.max_loss, rtol=1e-9, atol=0)
    torch.testing.assert_close(image.first_order, found.first_order, rtol=1e-9, atol=1e-15)


@settings(FEW, max_examples=4)  # products with a Hessian take their time
@given(SEEDS, RADII, st.sampled_from(["linf", "l2"]), FACTORS)
def test_adaptive_average_case_and_curvature_are_those_of_the_rescaled_network(seed, rho, norm, factors):
    network, batches = _case(seed)
    loss, images = functional.cross_entropy, (network, _rescaled(network, factors))
    found, image = (average_case(each, loss, batches, rho=rho, norm=norm, samples=4, stacked=3) for each in images)
    torch.testing.assert_close(image.max_loss, found.max_loss, rtol=1e-9, atol=0)
    torch.testing.assert_close(image.per_batch, found.per_batch, rtol=1e-9, atol=1e-12)
    found, image = (hessian(each, loss, batches[:1], vectors=1) for each in images)
    torch.testing.assert_close(image.trace, found.trace, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(image.per_batch, found.per_batch, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("solver", ["apgd", "pga"])
def test_plain_worst_case_is_not_that_of_the_rescaled_network(solver, norm):
    network, batches = _case(0)
    options = {"solver": solver, "norm": norm, "scale": "none"}
    found, image = (
        _measured(each, batches, 0.05, **options).sharpness for each in (network, _rescaled(network, [7.0, 3.0]))
    )
    assert abs(image / found - 1) > 0.1


@FEW
@given(SEEDS, RADII, HOW)
def test_sharpness_is_the_first_order_value_for_a_loss_that_is_linear(seed, rho, how):
    """Here the highest point of either ball is known, for any network that is one linear layer."""
    draw = np.random.default_rng(seed)
    layer = nn.Linear(4, 1).double().eval()
    nn.init.constant_(layer.weight, 0.5)
    nn.init.constant_(layer.bias, draw.normal())
    batch = torch.from_numpy(draw.normal(size=(5, 4)))
    found = worst_case(layer, lambda network, x: network(x).mean(), batch[None], rho=rho, **{**how, "steps": 5})
    torch.testing.assert_close(found.per_batch, found.first_order, rtol=1e-9, atol=1e-12)
