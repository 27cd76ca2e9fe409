"""Training by SGD and its stop rule against loops written out by hand, in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from adaptive_sharpness.dataset import Nodes, Rows
from adaptive_sharpness.randomness import generator
from adaptive_sharpness.training import evaluate, stopped, train

HALVING = [2.0**-epoch for epoch in range(20)]


@pytest.mark.parametrize(
    ("losses", "epochs", "ends"),
    [
        pytest.param([100], (1, 10), False, id="one epoch has no change"),
        pytest.param([100], (1, 1), True, id="at most one epoch"),
        pytest.param([100, 94], (1, 10), False, id="falls by more than 5 %"),
        pytest.param([100, 95], (1, 10), False, id="falls by exactly 5 %"),
        pytest.param([100, 95.001], (1, 10), True, id="falls by less than 5 %"),
        pytest.param([100, 100], (1, 10), True, id="stays"),
        pytest.param([100, 104.999], (1, 10), True, id="rises by less than 5 %"),
        pytest.param([100, 105], (1, 10), False, id="rises by exactly 5 %"),
        pytest.param([100, 200], (1, 10), False, id="rises by more than 5 %"),
        pytest.param([96, 100], (1, 10), True, id="relative to the epoch before"),
        pytest.param([100, 99, 50], (1, 10), False, id="an earlier small change does not count"),
        pytest.param([100, 50, 49], (1, 10), True, id="an earlier large change does not count"),
        pytest.param([-100, -99], (1, 10), True, id="negative losses, small change"),
        pytest.param([-100, -50], (1, 10), False, id="negative losses, large change"),
        pytest.param([100, math.nan], (1, 10), False, id="becomes nan"),
        pytest.param([math.nan, math.nan], (1, 10), False, id="stays nan"),
        pytest.param([math.nan] * 10, (1, 10), True, id="nan to the end"),
        pytest.param([math.inf, math.inf], (1, 10), False, id="infinite"),
        pytest.param(HALVING[:9], (1, 10), False, id="the last but one epoch"),
        pytest.param(HALVING[:10], (1, 10), True, id="the last epoch"),
        pytest.param([1.0] * 9, (10, 20), False, id="not before the least number of epochs"),
        pytest.param([1.0] * 10, (10, 20), True, id="at the least number of epochs"),
        pytest.param(HALVING[:10], (10, 20), False, id="past it while it falls"),
        pytest.param([*HALVING[:13], HALVING[12]], (10, 20), True, id="past it when it stays"),
        pytest.param(HALVING[:19], (10, 20), False, id="not at 19 of 20"),
        pytest.param(HALVING, (10, 20), True, id="at 20 of 20"),
    ],
)
def test_training_stops_below_a_change_of_5_percent_or_at_the_last_epoch(losses, epochs, ends):
    assert stopped(losses, 0.05, *epochs) is ends


def test_the_tolerance_is_heeded():
    assert stopped([100, 80], 0.25, 1, 10)
    assert not stopped([100, 75], 0.25, 1, 10)
    assert not stopped([100, 100], 0.0, 1, 10)


def _table(n: int, inputs: int = 3, outputs: int = 1) -> Rows:
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.normal(size=(n, width))) for width in (inputs, outputs))
    return Rows(x, y, torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))


def _linear(inputs: int = 3, outputs: int = 1) -> nn.Linear:
    layer = nn.Linear(inputs, outputs).double()
    draw = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.from_numpy(draw.normal(size=parameter.shape)))
    return layer


def _sgd_by_hand(split: Rows, w: np.ndarray, seed: int, epochs: int, rate: float, momentum: float, decay: float):
    """Linear regression; w has the bias last. Batches of 4, a last one of 2."""
    x, y = np.hstack([split.inputs.numpy(), np.ones((10, 1))]), split.targets.numpy().ravel()
    velocity, losses = np.zeros_like(w), []
    for epoch in range(epochs):
        order, met = torch.randperm(10, generator=generator(seed, "batches", epoch)).numpy(), 0.0
        for batch in (order[:4], order[4:8], order[8:]):
            residual = x[batch] @ w - y[batch]
            met += (residual**2).sum()
            velocity = momentum * velocity + 2 * x[batch].T @ residual / len(batch) + decay * w
            w = w - rate * velocity
        losses.append(met / 10)
    return w, losses


@pytest.mark.parametrize(
    ("epochs", "momentum", "decay"), [(1, 0.0, 0.0), (3, 0.0, 0.0), (2, 0.9, 0.0), (2, 0.0, 0.1), (3, 0.5, 0.01)]
)
def test_sgd_and_its_losses_equal_a_loop_by_hand(epochs, momentum, decay):
    network, split = _linear(), _table(10)
    w = torch.cat([network.weight[0], network.bias]).detach().numpy().copy()
    wanted, wanted_losses = _sgd_by_hand(split, w, 7, epochs, 0.1, momentum, decay)
    options = {"rate": 0.1, "max_epochs": epochs, "tolerance": 0.0, "batch_size": 4}
    losses = train(network, split, "mse_loss", 7, **options, momentum=momentum, weight_decay=decay)
    found = torch.cat([network.weight[0], network.bias]).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-12)


def test_an_epoch_meets_every_example_once():
    network, met = _linear(), []
    network.register_forward_hook(lambda _, given, gives: met.append(given[0].detach()))
    train(network, _table(10), "mse_loss", 0, rate=0.1, max_epochs=2, tolerance=0.0, batch_size=4)
    assert [len(batch) for batch in met] == [4, 4, 2, 4, 4, 2]
    for epoch in (met[:3], met[3:]):
        assert sorted(torch.cat(epoch).tolist()) == sorted(_table(10).inputs.tolist())


def test_the_order_changes_with_the_epoch_and_with_the_seed():
    def orders(seed: int) -> list[list]:
        network, met = _linear(), []
        network.register_forward_hook(lambda _, given, gives: met.append(given[0].tolist()))
        train(network, _table(10), "mse_loss", seed, rate=0.1, max_epochs=2, tolerance=0.0)
        return met

    assert orders(0) == orders(0)
    assert orders(0)[0] != orders(0)[1]
    assert orders(0)[0] != orders(1)[0]


@pytest.mark.parametrize(("least", "most"), [(1, 50), (10, 50), (1, 3)])
def test_training_ends_at_the_first_epoch_at_which_the_rule_says_so(least, most):
    options = {"rate": 0.1, "min_epochs": least, "max_epochs": most, "tolerance": 0.1}
    losses = train(_linear(), _table(10), "mse_loss", 0, **options)
    ends = [stopped(losses[:epoch], 0.1, least, most) for epoch in range(1, len(losses) + 1)]
    assert ends == [False] * (len(losses) - 1) + [True]


def _with_dropout(p: float) -> nn.Sequential:
    return nn.Sequential(_linear(3, 8), nn.Dropout(p), _linear(8, 1))


def _trained_weights(p: float, seed: int) -> torch.Tensor:
    network = _with_dropout(p)
    train(network, _table(10), "mse_loss", seed, rate=0.01, max_epochs=2, tolerance=0.0, batch_size=4)
    return network[2].weight.detach()


def test_dropout_follows_from_the_seed_whatever_was_drawn_before():
    torch.manual_seed(1)
    first = _trained_weights(0.5, seed=3)
    torch.manual_seed(2)
    assert torch.equal(_trained_weights(0.5, seed=3), first)
    assert not torch.equal(_trained_weights(0.0, seed=3), first)


def test_the_global_random_state_is_as_before_training():
    network, before = _with_dropout(0.5), torch.get_rng_state()
    train(network, _table(10), "mse_loss", 3, rate=0.01, max_epochs=2)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_is_in_training_mode_and_leaves_eval_mode():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).double().eval()
    train(network, _table(10), "mse_loss", 0, rate=0.1, max_epochs=1)
    assert not any(module.training for module in network.modules())
    assert network[0].num_batches_tracked == 1
    torch.testing.assert_close(network[0].running_mean, 0.1 * _table(10).inputs.mean(dim=0))


def test_evaluation_gives_the_mean_squared_error_of_every_example_and_no_accuracy():
    network, split = _linear(3, 2), _table(10, outputs=2)
    losses, accuracy = evaluate(network, split, "mse_loss")
    w, b = network.weight.detach().numpy(), network.bias.detach().numpy()
    wanted = ((split.inputs.numpy() @ w.T + b - split.targets.numpy()) ** 2).mean(axis=1)
    np.testing.assert_allclose(losses.numpy(), wanted, rtol=1e-12)
    assert accuracy is None


def _classes(split: Rows) -> Rows:
    return Rows(split.inputs, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]), split.shift, split.scale)


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_evaluation_gives_cross_entropy_and_accuracy_whatever_the_batches(batch_size):
    network, split = _linear(3, 3), _classes(_table(10))
    losses, accuracy = evaluate(network, split, "cross_entropy", batch_size)
    logits = split.inputs.numpy() @ network.weight.detach().numpy().T + network.bias.detach().numpy()
    chosen = logits[range(10), split.targets.numpy()]
    np.testing.assert_allclose(losses.numpy(), np.log(np.exp(logits).sum(axis=1)) - chosen, rtol=1e-12)
    right = sum(int(np.argmax(row) == target) for row, target in zip(logits, split.targets.tolist(), strict=True))
    assert 0 < right < 10
    assert accuracy == right / 10


def test_evaluation_of_nodes_counts_those_of_the_split_only():
    x, nodes = torch.tensor([[5.0, 0], [0, 5.0], [1.0, 0], [0, 2.0]]), torch.tensor([3, 1])
    split = Nodes(x, torch.empty(2, 0, dtype=torch.int64), nodes, targets=torch.tensor([1, 0]))
    losses, accuracy = evaluate(lambda x, edge_index: x, split, "cross_entropy")
    np.testing.assert_allclose(losses.numpy(), [math.log1p(math.exp(-2)), math.log1p(math.exp(5))], rtol=1e-6)
    assert accuracy == 0.5


def test_evaluation_of_nodes_goes_through_the_graph_once():
    calls = []

    def network(x, edge_index):
        calls.append(1)
        return x

    x = torch.randn(250, 2, generator=torch.Generator().manual_seed(0))
    split = Nodes(x, torch.empty(2, 0, dtype=torch.int64), torch.arange(250), torch.zeros(250, dtype=torch.int64))
    losses, _ = evaluate(network, split, "cross_entropy", 100)
    assert len(calls) == 1
    torch.testing.assert_close(losses, -x.double().log_softmax(1)[:, 0], rtol=1e-5, atol=1e-6)


def test_evaluation_is_in_float64_on_the_cpu_and_changes_no_network():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    table = _table(10)
    split = Rows(*(tensor.float() for tensor in (table.inputs, table.targets, table.shift, table.scale)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses, _ = evaluate(network, split, "mse_loss")
    assert (losses.dtype, losses.device.type) == (torch.float64, "cpu")
    assert not losses.requires_grad
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
