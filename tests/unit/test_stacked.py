"""Models that are trained at once: each as if it were alone, to rounding; and to the bit whoever else is there."""

import inspect
import logging
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.datasets import Rows
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.shard import TrainedShard, train_shard
from adaptive_sharpness.study.training.stacked import train_stacked
from adaptive_sharpness.study.training.trainers import minibatches

CPU = torch.device("cpu")
PLAIN: dict[str, float] = {}
DECAYING = {"momentum": 0.9, "weight_decay": 0.01}
EPOCHS, RATE = 3, 0.05
HOW = {"batch_size": 4, "stop": Stop(min_epochs=EPOCHS, max_epochs=EPOCHS)}


def _sgd(**options: float) -> partial:
    return partial(torch.optim.SGD, lr=RATE, **options)


def _table(n: int = 10) -> Rows:
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.normal(size=(n, width))) for width in (3, 1))
    return Rows(x, y, torch.tensor(0.5, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64))


def _network(seed: int) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 5), nn.ELU(), nn.Linear(5, 1)).double()


def _weights(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def _together(networks: dict[int, nn.Module], stacked: int, sgd: dict = PLAIN, **how) -> dict[int, list[float]]:
    options = {"stacked": stacked, "optimiser": _sgd(**sgd), **HOW, **how}
    return train_stacked(networks, _table(), functional.mse_loss, **options)


def _alone(network: nn.Module, seed: int, sgd: dict = PLAIN, **how) -> list[float]:
    return minibatches.train(network, _table(), functional.mse_loss, seed, optimiser=_sgd(**sgd), **{**HOW, **how})


def _trained(seeds, stacked: int, sgd: dict = PLAIN, **how) -> tuple[dict[int, torch.Tensor], dict[int, list[float]]]:
    networks = {seed: _network(seed) for seed in seeds}
    losses = _together(networks, stacked, sgd, **how)
    assert not any(module.training for network in networks.values() for module in network.modules())
    return {seed: _weights(network) for seed, network in networks.items()}, losses


def _regression_by_hand(seed: int, w: np.ndarray, momentum: float, weight_decay: float):
    """Linear regression; w has the bias last. Batches of 4, a last one of 2."""
    split = _table()
    x, y = np.hstack([(split.inputs.numpy() - 0.5) / 2, np.ones((10, 1))]), split.targets.numpy().ravel()
    velocity, losses = np.zeros_like(w), []
    for epoch in range(EPOCHS):
        order, met = torch.randperm(10, generator=generator(seed, "batches", epoch)).numpy(), 0.0
        for batch in (order[:4], order[4:8], order[8:]):
            residual = x[batch] @ w - y[batch]
            met += (residual**2).sum()
            velocity = momentum * velocity + 2 * x[batch].T @ residual / len(batch) + weight_decay * w
            w = w - RATE * velocity
        losses.append(met / 10)
    return w, losses


@pytest.mark.parametrize("sgd", [{"momentum": 0.0, "weight_decay": 0.0}, DECAYING])
def test_each_model_and_its_losses_equal_a_loop_by_hand(sgd):
    networks = {seed: nn.Linear(3, 1).double() for seed in (7, 2, 4)}
    before = {seed: _weights(network).numpy().copy() for seed, network in networks.items()}
    losses = _together(networks, 4, sgd)
    for seed, network in networks.items():
        wanted, wanted_losses = _regression_by_hand(seed, before[seed], **sgd)
        np.testing.assert_allclose(_weights(network), wanted, rtol=1e-12)
        np.testing.assert_allclose(losses[seed], wanted_losses, rtol=1e-12)


@pytest.mark.parametrize("stacked", [2, 3, 8])
@pytest.mark.parametrize("sgd", [{}, DECAYING])
def test_each_stops_by_itself_with_the_weights_it_has_alone(stacked, sgd):
    """In stacks of 2 and 3 places are taken over by the models that wait."""
    stop = Stop(min_epochs=1, max_epochs=9, tolerance=0.1)
    weights, losses = _trained(range(7), stacked, sgd, stop=stop)
    for seed in range(7):
        alone = _network(seed)
        wanted = _alone(alone, seed, sgd, stop=stop)
        np.testing.assert_allclose(losses[seed], wanted, rtol=1e-10)
        np.testing.assert_allclose(weights[seed], _weights(alone), rtol=1e-8, atol=1e-12)
    assert len(set(map(len, losses.values()))) > 1


def _shard(dataset, seeds, sgd: dict, batch_size: int) -> TrainedShard:
    block = {
        "dataset": "abalone",
        "architecture": "fcnn",
        "options": {"widths": [10, 33, 7, 1], "activation": "ELU"},  # no multiples of what a processor does at once
        "initialisation": "xavier_uniform",
        "loss": "mse_loss",
        "training": {
            "optimiser": {"name": "SGD", "lr": 0.01, **sgd},
            "batch_size": batch_size,
            "stop": {"tolerance": 0.2, "max_epochs": 3},
        },
        "stacked": 5,
    }
    return train_shard(PoolSettings.model_validate(block), dataset("abalone").first(140, 20), seeds, CPU)


@pytest.mark.parametrize(("sgd", "batch_size"), [({}, 64), (DECAYING, 9)], ids=["plain", "momentum, odd batches"])
def test_a_models_bits_depend_on_no_other_model(dataset, sgd, batch_size):
    together = _shard(dataset, range(13), sgd, batch_size)
    for seeds in ([0, 1, 2], [3, 4, 5], [6], [12], [9, 2, 12, 7, 4], [8, 3], list(reversed(range(13)))):
        some = _shard(dataset, seeds, sgd, batch_size)
        assert some.table == [together.table[seed] for seed in seeds]
        assert torch.equal(some.test_losses, together.test_losses[seeds])
        for found, of_all in ((some.states, together.states), (some.initial, together.initial)):
            assert all(torch.equal(value, of_all[name][seeds]) for name, value in found.items())


def test_a_model_that_diverges_disturbs_no_other(caplog):
    wanted, wanted_losses = _trained(range(6), 3, DECAYING)
    networks = {seed: _network(seed) for seed in range(6)}
    with torch.no_grad():
        networks[1][0].weight.fill_(1e200)
    with caplog.at_level(logging.INFO):
        losses = _together(networks, 3, DECAYING)
    assert not _weights(networks[1]).isfinite().all()
    assert "seed 1 epoch 3 training loss nan" in caplog.messages
    for seed in (0, 2, 3, 4, 5):  # 4 takes the place of 1
        assert torch.equal(_weights(networks[seed]), wanted[seed])
        assert losses[seed] == wanted_losses[seed]
        assert f"seed {seed} epoch 3 training loss {losses[seed][2]:.6g}" in caplog.messages


class _Features(nn.Module):
    """Random features of each model's own, which stay, and a factor that is not trained."""

    def __init__(self, seed: int):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.register_buffer("features", torch.randn(3, 8, generator=draw, dtype=torch.float64))
        self.factor = nn.Parameter(torch.randn((), generator=draw, dtype=torch.float64), requires_grad=False)
        self.last = nn.Linear(8, 1).double()
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x):
        return self.last(torch.tanh(x @ self.features)) * self.factor


def test_what_is_not_trained_is_each_models_own_and_stays():
    networks = {seed: _Features(seed) for seed in range(3)}
    _together(networks, 2)
    for seed, network in networks.items():
        alone = _Features(seed)
        _alone(alone, seed)
        assert torch.equal(network.features, alone.features)
        assert torch.equal(network.factor, alone.factor)
        torch.testing.assert_close(network.last.weight, alone.last.weight, rtol=1e-10, atol=1e-12)


def test_the_global_random_state_is_as_before():
    before = torch.get_rng_state()
    _trained(range(3), 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_its_options_are_those_of_training_one_but_for_a_schedule_and_augmentation():
    own, one = (
        {
            name: each.default
            for name, each in inspect.signature(train).parameters.items()
            if each.kind.name == "KEYWORD_ONLY"
        }
        for train in (train_stacked, minibatches.train)
    )
    assert {**own, "schedule": None, "augmentation": None} == {"stacked": inspect.Parameter.empty, **one}
