"""Training as released: each switch against a loop written out by hand, and none against the trainer `minibatches`."""

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Rows
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import is_stopped
from adaptive_sharpness.study.training.trainers import minibatches

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
notebook = plugins.module("trainers", "notebook", PLUGINS)
EPOCHS = {"min_epochs", "max_epochs", "tolerance"}


def _train(
    train, network: nn.Module, split: Rows, seed: int, *, rate: float, sgd: dict | None = None, **how
) -> list[float]:
    """By a trainer; what belongs to the stop rule is among the rest of the options."""
    stop = Stop(**{key: how.pop(key) for key in EPOCHS & how.keys()})
    options = {"batch_size": 64, **how, "optimiser": partial(torch.optim.SGD, lr=rate, **(sgd or {})), "stop": stop}
    return train(network, split, functional.mse_loss, seed, **options)


_released, _text = partial(_train, notebook.train), partial(_train, minibatches.train)


@pytest.mark.parametrize(
    ("sums", "epochs", "ends"),
    [
        pytest.param([95.0], (1, 12), False, id="the first epoch is 5 % below 100"),
        pytest.param([95.1], (1, 12), True, id="the first epoch is less than 5 % below 100"),
        pytest.param([120.0], (1, 12), True, id="the first epoch is above 100"),
        pytest.param([40.0, 38.0], (1, 12), False, id="falls by exactly 5 %"),
        pytest.param([40.0, 38.1], (1, 12), True, id="falls by less than 5 %"),
        pytest.param([40.0, 80.0], (1, 12), True, id="rises, by however much"),
        pytest.param([40.0, 39.9, 20.0], (1, 12), False, id="an earlier small fall does not count"),
        pytest.param([40.0, 40.0], (3, 12), False, id="not before the least number of epochs"),
        pytest.param([2.0**-epoch for epoch in range(11)], (1, 12), False, id="one and ten more"),
        pytest.param([2.0**-epoch for epoch in range(12)], (1, 12), True, id="one and eleven more"),
        pytest.param([math.nan], (1, 12), True, id="nan"),
        pytest.param([math.inf, math.inf], (1, 12), True, id="infinite"),
        pytest.param([0.0, 0.0], (1, 12), True, id="no loss that could fall"),
    ],
)
def test_the_one_sided_rule_goes_on_only_while_the_summed_loss_falls_by_5_percent(sums, epochs, ends):
    least, most = epochs
    stop = Stop(tolerance=0.05, min_epochs=least, max_epochs=most)
    assert notebook.is_stopped_one_sided(sums, stop) is ends


def _table(n: int, scale: float = 1.0) -> Rows:
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.normal(size=(n, width))) for width in (3, 1))
    return Rows(x, scale * y, torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))


def _network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1)
        return nn.Sequential(*layers).double()


@pytest.mark.parametrize(
    "options", [{"sgd": {"momentum": 0.9, "weight_decay": 0.01}}, {"min_epochs": 4}, {"batch_size": 5}]
)
def test_with_all_switches_off_it_is_the_texts_training_to_the_bit(options):
    own, text = _network(), _network()
    options = {"rate": 0.05, "max_epochs": 6, "batch_size": 4, **options}
    assert _released(own, _table(10), 3, **options) == _text(text, _table(10), 3, **options)
    for name, value in text.state_dict().items():
        assert torch.equal(own.state_dict()[name], value)


def test_the_global_random_state_is_as_before_and_the_network_in_eval_mode():
    network, before = _network(), torch.get_rng_state()
    switches = {"full_batch": True, "one_sided_stop": True, "eval_after_first": True}
    _released(network, _table(10), 3, rate=0.05, max_epochs=3, **switches)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in network.modules())


def _linear() -> nn.Linear:
    layer = nn.Linear(3, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -1.0, 2.0]]))
    return layer


def _full_batch_by_hand(split: Rows, rate: float, steps: int, goes_on) -> tuple[np.ndarray, list[list[float]]]:
    """Steps on all rows; the losses met in each epoch."""
    x, y, w, epochs = split.inputs.numpy(), split.targets.numpy().ravel(), np.array([0.5, -1.0, 2.0]), []
    while not epochs or goes_on([sum(met) for met in epochs]):
        met = []
        for _ in range(steps):
            met.append(((x @ w - y) ** 2).mean())
            w = w - rate * 2 * x.T @ (x @ w - y) / len(x)
        epochs.append(met)
    return w, epochs


@pytest.mark.parametrize(("batch_size", "steps"), [(4, 3), (5, 2), (64, 1), (9, 2)])
def test_with_full_batches_an_epoch_has_a_step_on_all_examples_for_every_batch(batch_size, steps):
    network = _linear()
    wanted, epochs = _full_batch_by_hand(_table(10), 0.05, steps, lambda sums: len(sums) < 3)
    options = {"max_epochs": 3, "tolerance": 0.0, "batch_size": batch_size}
    losses = _released(network, _table(10), 0, rate=0.05, full_batch=True, **options)
    np.testing.assert_allclose(network.weight.detach()[0], wanted, rtol=1e-12)
    np.testing.assert_allclose(losses, np.mean(epochs, axis=1), rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 6.0, 10.0])
def test_the_notebooks_fcnn_training_equals_its_loop_by_hand(scale):
    """With targets 10 times as large the losses met sum to more than 100, and training ends after the first epoch."""
    network, split = _linear(), _table(10, scale)

    def goes_on(sums):
        a = 100.0
        for b in sums:
            if not (a - b) / a >= 0.05:
                return False
            a = b
        return len(sums) < 12

    wanted, epochs = _full_batch_by_hand(split, 0.01, 3, goes_on)
    options = {"max_epochs": 12, "batch_size": 4, "full_batch": True, "one_sided_stop": True}
    losses = _released(network, split, 0, rate=0.01, **options)
    np.testing.assert_allclose(losses, np.mean(epochs, axis=1), rtol=1e-12)
    np.testing.assert_allclose(network.weight.detach()[0], wanted, rtol=1e-12)
    assert (len(losses) == 1) is (scale == 10.0)


def test_a_rise_ends_training_by_the_one_sided_rule_alone():
    """Too long a step makes every epoch worse than the one before, by more than 5 %."""
    options = {"rate": 2.0, "max_epochs": 6, "full_batch": True}
    rises = _released(_linear(), _table(10, 0.1), 0, **options)
    assert len(rises) == 6
    assert all(after > 1.05 * before for before, after in pairwise(rises))
    assert rises[0] < 95
    assert _released(_linear(), _table(10, 0.1), 0, **options, one_sided_stop=True) == rises[:2]


def _epochs_by_hand(split: Rows, seed: int, rate: float, m: int, epochs: int) -> tuple[list[float], list[float]]:
    """Of linear regression the mean over examples, and the sum over steps, of the losses met in each epoch."""
    x, y, w, means, sums = split.inputs.numpy(), split.targets.numpy().ravel(), np.array([0.5, -1.0, 2.0]), [], []
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=generator(seed, "batches", epoch)).numpy()
        met = []
        for first in range(0, len(x), m):
            rows = order[first : first + m]
            met.append((len(rows), ((x[rows] @ w - y[rows]) ** 2).mean()))
            w = w - rate * 2 * x[rows].T @ (x[rows] @ w - y[rows]) / len(rows)
        means.append(sum(size * value for size, value in met) / len(x))
        sums.append(sum(value for _, value in met))
    return means, sums


def test_the_summed_loss_of_a_last_batch_of_one_weighs_more_and_can_change_when_training_ends():
    seed, found = 0, {}
    means, sums = _epochs_by_hand(_table(9), seed, 0.02, 4, 30)
    for summed, losses in ((False, means), (True, sums)):
        stop = Stop(tolerance=0.05, min_epochs=1, max_epochs=30)
        ends = [is_stopped(losses[: epoch + 1], stop) for epoch in range(30)].index(True) + 1
        options = {"rate": 0.02, "max_epochs": 30, "batch_size": 4, "summed_loss": summed}
        found[summed] = _released(_linear(), _table(9), seed, **options)
        np.testing.assert_allclose(found[summed], means[:ends], rtol=1e-12)
    assert len(found[True]) != len(found[False])


def test_from_the_second_epoch_on_batch_norm_is_frozen_and_dropout_off():
    modes, network = [], _network()
    network.register_forward_hook(lambda module, *_: modes.append({each.training for each in module.modules()}))
    options = {"rate": 0.01, "max_epochs": 3, "tolerance": 0.0, "batch_size": 4, "eval_after_first": True}
    _released(network, _table(10), 3, **options)
    assert modes == [{True}] * 3 + [{False}] * 6
    assert network[1].num_batches_tracked == 3


def test_an_eval_mode_from_the_second_epoch_on_gives_the_weights_of_a_loop_by_hand():
    found, wanted, split = _network(), _network(), _table(10)
    options = {"max_epochs": 2, "tolerance": 0.0, "batch_size": 4, "eval_after_first": True}
    _released(found, split, 3, rate=0.05, **options)
    _text(wanted, split, 3, rate=0.05, max_epochs=1, batch_size=4)
    for index in torch.randperm(10, generator=generator(3, "batches", 1)).split(4):
        value = (wanted(split.inputs[index]) - split.targets[index]).square().mean()
        slopes = torch.autograd.grad(value, list(wanted.parameters()))
        with torch.no_grad():
            for weight, slope in zip(wanted.parameters(), slopes, strict=True):
                weight -= 0.05 * slope
    for name, value in wanted.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-12, atol=1e-14)
