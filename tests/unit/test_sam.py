"""SAM and ASAM against their formulas in float64, and what their two passes leave behind."""

from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.datasets import Rows
from adaptive_sharpness.landscape.randomness import default_generator
from adaptive_sharpness.landscape.scales import SCALES
from adaptive_sharpness.study.config.training import Sam, Training
from adaptive_sharpness.study.training.descent import shuffled_batches
from adaptive_sharpness.study.training.recipes import trainer_options
from adaptive_sharpness.study.training.sam import sam_gradient
from adaptive_sharpness.study.training.trainers.minibatches import train

BATCH, EPOCHS, SEED = 4, 3, 5
WAYS = [  # with T of a weight matrix, and of a bias
    (Sam(rho=0.3), lambda w: np.ones_like(w), lambda b: np.ones_like(b)),
    (Sam(rho=0.3, scale="adaptive"), abs, abs),
    (Sam(rho=0.3, scale="adaptive", eta=0.01), lambda w: abs(w) + 0.01, lambda b: abs(b) + 0.01),
    (Sam(rho=0.3, scale="asam"), lambda w: abs(w) + 0.01, lambda b: np.ones_like(b)),
    (
        Sam(rho=0.3, scale="neuron"),
        lambda w: np.repeat(np.linalg.norm(w, axis=1, keepdims=True), w.shape[1], axis=1),
        abs,
    ),
]
NAMES = ["none", "adaptive", "adaptive, eta", "asam", "neuron"]


def test_the_scales_are_those_of_the_measures():
    assert list(get_args(Sam.model_fields["scale"].annotation)) == list(SCALES)


class Quadratic(nn.Module):
    """0.5 v' A v + b' v of all weights v in a row."""

    def __init__(self):
        super().__init__()
        draw = np.random.default_rng(0)
        self.layer = nn.Linear(3, 2).double()
        root, slope = draw.normal(size=(8, 8)), draw.normal(size=8)
        self.curvature, self.slope = torch.from_numpy(root @ root.T), torch.from_numpy(slope)
        for weight in self.parameters():
            weight.data = torch.from_numpy(draw.normal(size=weight.shape))

    def loss(self) -> torch.Tensor:
        weights = nn.utils.parameters_to_vector(self.parameters())
        return 0.5 * weights @ self.curvature @ weights + self.slope @ weights

    def closure(self) -> torch.Tensor:
        self.zero_grad()
        value = self.loss()
        value.backward()
        return value


@pytest.mark.parametrize(("sam", "of_matrix", "of_bias"), WAYS, ids=NAMES)
def test_the_gradient_is_that_at_the_point_of_the_formula(sam, of_matrix, of_bias):
    network = Quadratic()
    w, b = (weight.detach().numpy().copy() for weight in network.parameters())
    curvature, slope = network.curvature.numpy(), network.slope.numpy()
    weights, scale = np.append(w, b), np.append(of_matrix(w), of_bias(b))
    gradient = curvature @ weights + slope
    moved = weights + sam.rho * scale**2 * gradient / np.linalg.norm(scale * gradient)
    value = sam_gradient(network.closure, network, sam)
    found = np.concatenate([weight.grad.flatten().numpy() for weight in network.parameters()])
    np.testing.assert_allclose(found, curvature @ moved + slope, rtol=1e-12)
    assert value.item() == pytest.approx(0.5 * weights @ curvature @ weights + slope @ weights, rel=1e-14)
    assert all(
        (weight.detach().numpy() == before).all() for weight, before in zip(network.parameters(), (w, b), strict=True)
    )


def test_where_the_gradient_is_0_nothing_moves():
    network = Quadratic()
    least = -torch.linalg.solve(network.curvature, network.slope)
    network.curvature, network.slope = torch.zeros(8, 8).double(), torch.zeros(8).double()
    nn.utils.vector_to_parameters(least, network.parameters())
    sam_gradient(network.closure, network, Sam(rho=0.1))
    assert all((weight.grad == 0).all() for weight in network.parameters())


def _table() -> Rows:
    draw = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randn(10, width, generator=draw, dtype=torch.float64) for width in (3, 1))
    return Rows(inputs, targets, torch.tensor(0.0), torch.tensor(1.0))


def _network(*more: nn.Module) -> nn.Sequential:
    with default_generator(0, "layers"):
        return nn.Sequential(nn.Linear(3, 5), *more, nn.Tanh(), nn.Linear(5, 1)).double()


def _how(**training) -> Training:
    stop = {"rule": "max_epochs", "max_epochs": EPOCHS}
    return Training.model_validate(
        {"optimiser": {"name": "SGD", "lr": 0.1}, "batch_size": BATCH, "stop": stop, **training}
    )


def _train(network: nn.Module, how: Training) -> list[float]:
    given = trainer_options(how, network, examples=10)
    return train(network, _table(), functional.mse_loss, SEED, batch_size=BATCH, stop=how.stop, **given)


def _by_hand(network, make, sam: Sam, of_matrix, of_bias, after_epoch=None, clip=None) -> list[float]:
    """Plain code of a training with SAM, without closures; the losses of the first passes."""
    weights, losses = list(network.parameters()), []
    optimiser = make(weights)
    schedule = after_epoch(optimiser) if after_epoch else None

    def slopes(index):
        loss = functional.mse_loss(network(_table().inputs[index]), _table().targets[index])
        return loss.item() * len(index), torch.autograd.grad(loss, weights)

    for epoch in range(EPOCHS):
        met = 0.0
        for index in shuffled_batches(_table(), SEED, epoch, BATCH):
            value, first = slopes(index)
            met += value
            before = [weight.detach().clone() for weight in weights]
            ways = [of_matrix if each.dim() > 1 else of_bias for each in before]
            scales = [torch.from_numpy(np.asarray(way(each.numpy()))) for way, each in zip(ways, before, strict=True)]
            length = sum(((c * slope) ** 2).sum() for c, slope in zip(scales, first, strict=True)) ** 0.5
            with torch.no_grad():
                for weight, c, slope in zip(weights, scales, first, strict=True):
                    weight += sam.rho * c**2 * slope / length
            _, second = slopes(index)
            with torch.no_grad():
                for weight, start, slope in zip(weights, before, second, strict=True):
                    weight.copy_(start)
                    weight.grad = slope
            if clip:
                clip(weights)
            optimiser.step()
        losses.append(met / 10)
        if schedule:
            schedule.step()
    return losses


@pytest.mark.parametrize(("sam", "of_matrix", "of_bias"), WAYS, ids=NAMES)
@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_a_perceptron_is_trained_as_by_plain_code(name, sam, of_matrix, of_bias):
    found, wanted = _network(), _network()
    losses = _train(found, _how(sam=sam.model_dump(), optimiser={"name": name, "lr": 0.1}))
    make = partial(getattr(torch.optim, name), lr=0.1)
    np.testing.assert_allclose(losses, _by_hand(wanted, make, sam, of_matrix, of_bias), rtol=1e-10)
    for one, other in zip(found.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    plain = _network()
    _train(plain, _how(optimiser={"name": name, "lr": 0.1}))
    assert not torch.allclose(plain[0].weight, found[0].weight, rtol=1e-3)


def test_gradients_are_clipped_after_the_second_pass_and_the_schedule_is_the_optimisers():
    sam, *ways = WAYS[0]
    found, wanted = _network(), _network()
    _train(found, _how(sam=sam.model_dump(), clip={"norm": 0.05}, schedule={"name": "ExponentialLR", "gamma": 0.5}))
    halved = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    clip = partial(nn.utils.clip_grad_norm_, max_norm=0.05)
    _by_hand(wanted, partial(torch.optim.SGD, lr=0.1), sam, *ways, after_epoch=halved, clip=clip)
    torch.testing.assert_close(found[0].weight, wanted[0].weight, rtol=1e-9, atol=1e-12)


def test_batch_norms_statistics_are_those_of_the_first_passes():
    network = _network(nn.BatchNorm1d(5))
    mean, variance, start = torch.zeros(5).double(), torch.ones(5).double(), []
    network[0].register_forward_hook(lambda _, given, gives: start.append(gives.detach()))
    _train(network, _how(sam={"rho": 0.5}))
    passes = [each for each in start if len(each) <= BATCH]
    assert len(passes) == 2 * 3 * EPOCHS
    for outputs in passes[::2]:
        mean, variance = 0.9 * mean + 0.1 * outputs.mean(0), 0.9 * variance + 0.1 * outputs.var(0)
    torch.testing.assert_close(network[1].running_mean, mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(network[1].running_var, variance, rtol=1e-12, atol=1e-14)
    assert network[1].num_batches_tracked == 3 * EPOCHS
    assert not torch.allclose(passes[0], passes[1])


def _masks(**training) -> list[torch.Tensor]:
    network, masks = _network(nn.Dropout(0.5)), []
    network[1].register_forward_hook(lambda _, given, gives: masks.append(gives == 0))
    _train(network, _how(**training))
    return masks


def test_both_passes_drop_the_same_units_which_are_those_of_training_without_sam():
    plain, doubled = _masks(), _masks(sam={"rho": 0.5})
    assert len(doubled) == 2 * len(plain)
    for mask, first, second in zip(plain, doubled[::2], doubled[1::2], strict=True):
        assert torch.equal(first, mask)
        assert torch.equal(second, mask)
    assert not all(torch.equal(mask, plain[0]) for mask in plain[1:2])
