"""What adaptive sharpness is invariant to, that its ball and its rise are, and that the report's estimator is not.

Weights are rescaled elementwise so that the network's function stays: by r > 0 across a ReLU, and by any r before batch
norm in eval mode, where the running mean goes with r, variance and epsilon with r^2, and the weight with the sign of r.
"""

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import worst_case
from adaptive_sharpness.datasets import Rows
from adaptive_sharpness.landscape.balls import L2, LInf
from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.objective import Objective, Parameters
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.networks import build_network, initial_network
from adaptive_sharpness.study.training.trainers.minibatches import train

RHO = 0.1


def _random(network: str, options: dict) -> nn.Module:
    """In float64 and eval mode, with biases and running statistics that are not 0 and 1."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = build_network(network, options).double().eval()
        for layer in built.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(1e-4, 2e-4)  # so small that epsilon counts
                layer.weight.data.uniform_(0.5, 2)
                layer.bias.data.normal_()
    return built


def _across_relu(network: nn.Sequential) -> Parameters:
    """A factor for every parameter: r for a hidden unit's incoming weights and bias, 1/r for its outgoing weights."""
    r = torch.logspace(-1, 1, 64, dtype=torch.float64)
    factors = {name: torch.ones_like(value) for name, value in network.named_parameters()}
    return {**factors, "0.weight": r[:, None], "0.bias": r, "2.weight": 1 / r}


def _before_batch_norm(network: nn.Sequential, r: float) -> Parameters:
    """A factor for every parameter: r for those of both convolutions. Buffers and epsilon are rescaled in place."""
    factors = {name: torch.ones_like(value) for name, value in network.named_parameters()}
    for position in (0, 2):
        norm = network[position][1]
        norm.running_mean *= r
        norm.running_var *= r**2
        norm.eps *= r**2
        factors[f"{position}.0.weight"] *= r
        factors[f"{position}.0.bias"] *= r
        factors[f"{position}.1.weight"] *= math.copysign(1, r)
    return factors


def _fcnn_case() -> tuple[nn.Module, Parameters, nn.Module, torch.Tensor]:
    network = _random("fcnn", {"widths": (10, 64, 64, 3)})
    return network, _across_relu(network), network, torch.randn(8, 10, generator=torch.Generator().manual_seed(1))


def _lenet5_case(r: float) -> tuple[nn.Module, Parameters, nn.Module, torch.Tensor]:
    network = _random("lenet5", {"channels": (3, 4), "widths": (8, 6), "classes": 3})
    image = deepcopy(network)
    factors = _before_batch_norm(image, r)
    return network, factors, image, torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))


CASES = {
    "across a ReLU": _fcnn_case,
    "before batch norm, by 7": partial(_lenet5_case, 7.0),
    "before batch norm, by 1/50": partial(_lenet5_case, 0.02),
    "before batch norm, by -3": partial(_lenet5_case, -3.0),
}


def _loss(network: nn.Module, inputs: torch.Tensor, parameters: Parameters) -> float:
    stacked = {name: value.detach()[None] for name, value in parameters.items()}
    return Objective(network, functional.cross_entropy).on([_batch(inputs)])(stacked).item()


def _batch(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return inputs.double(), torch.arange(8) % 3


def _plus(one: Parameters, other: Parameters) -> Parameters:
    return {name: value + other[name] for name, value in one.items()}


def _times(one: Parameters, other: Parameters) -> Parameters:
    return {name: value * other[name] for name, value in one.items()}


def _perturbation(weights: Parameters, seed: int) -> Parameters:
    """In the ball: uniform on [-rho |w|, rho |w|]."""
    draw = torch.Generator().manual_seed(seed)
    return {name: RHO * v * (2 * torch.rand(v.shape, generator=draw) - 1).double() for name, v in weights.items()}


def _ball(kind: type, weights: Parameters, rho: float) -> LInf | L2:
    return kind({name: value.abs()[None] for name, value in weights.items()}, rho)


def _within(ball: LInf | L2, delta: Parameters) -> bool:
    one = {name: value[None] for name, value in delta.items()}
    return all(torch.allclose(value, one[name], rtol=1e-12, atol=0) for name, value in ball.project(one).items())


@pytest.mark.parametrize("case", CASES)
def test_the_rise_at_a_perturbation_is_that_at_its_image(case):
    network, factors, image, inputs = CASES[case]()
    weights = {name: value.detach() for name, value in network.named_parameters()}
    base = _loss(network, inputs, weights)
    assert _loss(image, inputs, _times(weights, factors)) == pytest.approx(base, rel=1e-12)
    for seed in range(10):
        delta = _perturbation(weights, seed)
        rise = _loss(network, inputs, _plus(weights, delta)) - base
        moved = _times(_plus(weights, delta), factors)
        assert abs(rise) > 1e-4
        assert _loss(image, inputs, moved) - base == pytest.approx(rise, rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", [LInf, L2])
@pytest.mark.parametrize("case", CASES)
def test_an_image_is_in_its_ball_when_the_perturbation_is_in_its_own(case, kind):
    """The perturbation is on the ball's boundary, and a fifth beyond it."""
    network, factors, _, _ = CASES[case]()
    weights = {name: value.detach() for name, value in network.named_parameters()}
    for seed in range(10):
        inside = _perturbation(weights, seed)
        coordinates = torch.cat([(inside[name] / value.abs()).flatten() for name, value in weights.items()])
        rho = coordinates.abs().max().item() if kind is LInf else coordinates.norm().item()
        ball, images = (_ball(kind, each, rho * (1 + 1e-12)) for each in (weights, _times(weights, factors)))
        outside = {name: 1.2 * value for name, value in inside.items()}
        for delta, member in ((inside, True), (outside, False)):
            assert _within(ball, delta) is member
            assert _within(images, _times(delta, factors)) is member


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("case", CASES)
def test_worst_case_sharpness_is_that_of_the_image_if_adaptive(case, norm):
    network, factors, image, inputs = CASES[case]()
    with torch.no_grad():
        for name, value in image.named_parameters():
            value.copy_(dict(network.named_parameters())[name] * factors[name])
    if image is network:
        network = CASES[case]()[0]
    how = {"rho": 0.05, "norm": norm, "steps": 8, "restarts": 1}
    found, moved = (worst_case(each, functional.cross_entropy, [_batch(inputs)], **how) for each in (network, image))
    assert found.sharpness > 1e-3
    assert moved.sharpness == pytest.approx(found.sharpness, rel=1e-9)


def test_without_epsilon_batch_norm_is_no_such_rescaling():
    network, factors, image, inputs = _lenet5_case(0.02)
    weights = {name: value.detach() for name, value in network.named_parameters()}
    for layer in image.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-5
    gap = _loss(image, inputs, _times(weights, factors)) - _loss(network, inputs, weights)
    assert abs(gap) > 1e-3


@pytest.fixture(scope="module")
def trained(config, dataset) -> tuple[nn.Module, Rows, dict]:
    """The report's network, trained a little on Abalone, in float64; its data; and what the study measures."""
    pool = PoolSettings.model_validate({"architecture": "fcnn", **config["protocols"]["report"]["fcnn"]})
    table = dataset("abalone").train
    rows = Rows(*(tensor.double() for tensor in (table.inputs, table.targets, table.shift, table.scale)))
    network = initial_network(pool, seed=0).double()
    rate = pool.training.optimiser.options["lr"]
    how = {"optimiser": partial(torch.optim.SGD, lr=rate), "batch_size": 64, "stop": Stop(tolerance=0.0, max_epochs=3)}
    train(network, rows, functional.mse_loss, 0, **how)
    return network, rows, {"solver": "pga", "steps": 5, "rate": rate, "origin": False, "stacked": 50}


def _rescaled(network: nn.Sequential, r: float) -> nn.Sequential:
    image = deepcopy(network)
    with torch.no_grad():
        image[0].weight *= r
        image[0].bias *= r
        image[2].weight /= r
    return image


def _sharpness(network: nn.Module, rows: Rows, rho: float, **options) -> float:
    batches = draw_batches(len(rows), 50, 64, seed=0)
    return worst_case(network, partial(rows.loss, functional.mse_loss), batches, rho=rho, **options).sharpness


def test_the_reports_estimate_changes_under_rescaling(trained):
    network, rows, options = trained
    value, image = (_sharpness(each, rows, 0.025, **options) for each in (network, _rescaled(network, 7.0)))
    assert abs(image / value - 1) > 0.1


@pytest.mark.parametrize(
    "options",
    [{"solver": "pga", "rate": 1e12, "origin": False}, {"solver": "pga"}, {"solver": "apgd"}],
    ids=["steps so large that only signs count", "steepest steps", "apgd"],
)
@pytest.mark.parametrize("scale", ["adaptive", "none"])
def test_an_estimate_by_steps_in_the_balls_norm_does_not_if_adaptive(trained, options, scale):
    network, rows, _ = trained
    how = {**options, "scale": scale, "steps": 5, "stacked": 50}
    value, image = (_sharpness(each, rows, 0.025, **how) for each in (network, _rescaled(network, 7.0)))
    assert (abs(image / value - 1) < 1e-9) is (scale == "adaptive")
    assert scale == "adaptive" or abs(image / value - 1) > 0.1
