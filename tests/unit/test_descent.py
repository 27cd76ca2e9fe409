"""Training and its stop rule against loops written out by hand, in float64."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.datasets import Nodes, Rows
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.descent import descend, evaluate, is_stopped, shuffled_batches
from adaptive_sharpness.study.training.trainers.minibatches import train

HALVING = [2.0**-epoch for epoch in range(20)]
SLOW, FAST = partial(torch.optim.SGD, lr=0.01), partial(torch.optim.SGD, lr=0.1)


def _epochs(most: int, least: int = 1, tolerance: float = 0.0) -> Stop:
    return Stop(tolerance=tolerance, min_epochs=least, max_epochs=most)


def _train(network: nn.Module, seed: int, optimiser=FAST, *, stop: Stop, batch_size: int = 64, **more) -> list[float]:
    """Of ten rows."""
    options = {"optimiser": optimiser, "batch_size": batch_size, "stop": stop, **more}
    return train(network, _table(10), functional.mse_loss, seed, **options)


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
    least, most = epochs
    assert is_stopped(losses, _epochs(most, least, 0.05)) is ends


def test_the_tolerance_is_heeded():
    assert is_stopped([100, 80], _epochs(10, tolerance=0.25))
    assert not is_stopped([100, 75], _epochs(10, tolerance=0.25))
    assert not is_stopped([100, 100], _epochs(10, tolerance=0.0))


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
    optimiser = partial(torch.optim.SGD, lr=0.1, momentum=momentum, weight_decay=decay)
    losses = _train(network, 7, optimiser, stop=_epochs(epochs), batch_size=4)
    found = torch.cat([network.weight[0], network.bias]).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-12)


class _Twice:
    """An optimiser that asks for the loss a second time, where the gradient of the first leads, as SAM does."""

    def __init__(self, weights, rate: float, radius: float):
        self.weights, self.rate, self.radius = list(weights), rate, radius

    def zero_grad(self):
        for weight in self.weights:
            weight.grad = None

    def step(self, closure):
        closure()
        start = [weight.detach().clone() for weight in self.weights]
        norm = torch.stack([weight.grad.square().sum() for weight in self.weights]).sum().sqrt()
        with torch.no_grad():
            for weight in self.weights:
                weight += self.radius * weight.grad / norm
        closure()
        with torch.no_grad():
            for weight, before in zip(self.weights, start, strict=True):
                weight.copy_(before - self.rate * weight.grad)


def _sam_by_hand(split: Rows, w: np.ndarray, seed: int, epochs: int, rate: float, radius: float):
    """Linear regression; w has the bias last. Batches of 4, a last one of 2."""
    x, y, losses = np.hstack([split.inputs.numpy(), np.ones((10, 1))]), split.targets.numpy().ravel(), []
    for epoch in range(epochs):
        order, met = torch.randperm(10, generator=generator(seed, "batches", epoch)).numpy(), 0.0
        for batch in (order[:4], order[4:8], order[8:]):

            def slope(w, batch=batch):
                return 2 * x[batch].T @ (x[batch] @ w - y[batch]) / len(batch)

            met += ((x[batch] @ w - y[batch]) ** 2).sum()
            w = w - rate * slope(w + radius * slope(w) / np.linalg.norm(slope(w)))
        losses.append(met / 10)
    return w, losses


def test_an_optimiser_may_ask_for_the_loss_twice_and_the_one_before_the_step_is_the_loss_met():
    network, split = _linear(), _table(10)
    w = torch.cat([network.weight[0], network.bias]).detach().numpy().copy()
    wanted, wanted_losses = _sam_by_hand(split, w, 7, 3, 0.1, 0.5)
    losses = _train(network, 7, partial(_Twice, rate=0.1, radius=0.5), stop=_epochs(3), batch_size=4)
    np.testing.assert_allclose(torch.cat([network.weight[0], network.bias]).detach(), wanted, rtol=1e-12)
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-12)


def test_a_schedule_takes_its_step_after_every_epoch():
    found, wanted, split = _linear(), _linear(), _table(10)
    halved = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    losses = _train(found, 7, stop=_epochs(3), batch_size=4, schedule=halved)
    for epoch in range(3):
        for index in shuffled_batches(split, 7, epoch, 4):
            slopes = torch.autograd.grad(split.loss(functional.mse_loss, wanted, index), list(wanted.parameters()))
            with torch.no_grad():
                for weight, slope in zip(wanted.parameters(), slopes, strict=True):
                    weight -= 0.1 * 0.5**epoch * slope
    torch.testing.assert_close(found.weight, wanted.weight, rtol=1e-12, atol=0)
    assert losses != _train(_linear(), 7, stop=_epochs(3), batch_size=4)


def test_batches_may_be_any_and_training_ends_by_what_was_met_in_all_epochs_so_far():
    """The mean is over examples, the sum over steps; w stays, as the rate is 0."""
    seen, asked, split = [], [], _table(10)
    given = [torch.tensor([0, 1, 2]), torch.tensor([9])]

    def batches(epoch: int) -> list[torch.Tensor]:
        asked.append(epoch)
        return given

    def ends(epochs) -> bool:
        seen.append(list(epochs))
        return len(epochs) == 2

    network, none = _linear(), partial(torch.optim.SGD, lr=0.0)
    found = descend(network, split, functional.mse_loss, 0, batches=batches, ends=ends, optimiser=none)
    first, second = (split.loss(functional.mse_loss, network, index).item() for index in given)
    assert asked == [0, 1]
    assert [len(epochs) for epochs in seen] == [1, 2]
    assert seen[1][0] == pytest.approx(((3 * first + second) / 4, first + second), rel=1e-14)
    assert found == [epoch.mean for epoch in seen[1]]


def test_the_batches_of_an_epoch_hold_every_example_once_in_an_order_of_seed_and_epoch():
    batches = shuffled_batches(_table(10), 3, 1, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert torch.equal(torch.cat(batches), torch.randperm(10, generator=generator(3, "batches", 1)))


def test_an_epoch_meets_every_example_once():
    network, met = _linear(), []
    network.register_forward_hook(lambda _, given, gives: met.append(given[0].detach()))
    _train(network, 0, stop=_epochs(2), batch_size=4)
    assert [len(batch) for batch in met] == [4, 4, 2, 4, 4, 2]
    for epoch in (met[:3], met[3:]):
        assert sorted(torch.cat(epoch).tolist()) == sorted(_table(10).inputs.tolist())


def test_the_order_changes_with_the_epoch_and_with_the_seed():
    def orders(seed: int) -> list[list]:
        network, met = _linear(), []
        network.register_forward_hook(lambda _, given, gives: met.append(given[0].tolist()))
        _train(network, seed, stop=_epochs(2))
        return met

    assert orders(0) == orders(0)
    assert orders(0)[0] != orders(0)[1]
    assert orders(0)[0] != orders(1)[0]


@pytest.mark.parametrize(("least", "most"), [(1, 50), (10, 50), (1, 3)])
def test_training_ends_at_the_first_epoch_at_which_the_rule_says_so(least, most):
    stop = _epochs(most, least, 0.1)
    losses = _train(_linear(), 0, stop=stop)
    ends = [is_stopped(losses[:epoch], stop) for epoch in range(1, len(losses) + 1)]
    assert ends == [False] * (len(losses) - 1) + [True]


def _with_dropout(p: float) -> nn.Sequential:
    return nn.Sequential(_linear(3, 8), nn.Dropout(p), _linear(8, 1))


def _trained_weights(p: float, seed: int) -> torch.Tensor:
    network = _with_dropout(p)
    _train(network, seed, SLOW, stop=_epochs(2), batch_size=4)
    return network[2].weight.detach()


def test_dropout_follows_from_the_seed_whatever_was_drawn_before():
    torch.manual_seed(1)
    first = _trained_weights(0.5, seed=3)
    torch.manual_seed(2)
    assert torch.equal(_trained_weights(0.5, seed=3), first)
    assert not torch.equal(_trained_weights(0.0, seed=3), first)


def test_the_global_random_state_is_as_before_training():
    network, before = _with_dropout(0.5), torch.get_rng_state()
    _train(network, 3, SLOW, stop=_epochs(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_training_is_in_training_mode_and_leaves_eval_mode():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).double().eval()
    _train(network, 0, stop=_epochs(1))
    assert not any(module.training for module in network.modules())
    assert network[0].num_batches_tracked == 1
    torch.testing.assert_close(network[0].running_mean, 0.1 * _table(10).inputs.mean(dim=0))


def test_evaluation_gives_the_mean_squared_error_of_every_example_and_no_accuracy():
    network, split = _linear(3, 2), _table(10, outputs=2)
    losses, accuracy = evaluate(network, split, functional.mse_loss)
    w, b = network.weight.detach().numpy(), network.bias.detach().numpy()
    wanted = ((split.inputs.numpy() @ w.T + b - split.targets.numpy()) ** 2).mean(axis=1)
    np.testing.assert_allclose(losses.numpy(), wanted, rtol=1e-12)
    assert accuracy is None


def _classes(split: Rows) -> Rows:
    return Rows(split.inputs, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]), split.shift, split.scale)


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_evaluation_gives_cross_entropy_and_accuracy_whatever_the_batches(batch_size):
    network, split = _linear(3, 3), _classes(_table(10))
    losses, accuracy = evaluate(network, split, functional.cross_entropy, batch_size)
    logits = split.inputs.numpy() @ network.weight.detach().numpy().T + network.bias.detach().numpy()
    chosen = logits[range(10), split.targets.numpy()]
    np.testing.assert_allclose(losses.numpy(), np.log(np.exp(logits).sum(axis=1)) - chosen, rtol=1e-12)
    right = sum(int(np.argmax(row) == target) for row, target in zip(logits, split.targets.tolist(), strict=True))
    assert 0 < right < 10
    assert accuracy == right / 10


def test_evaluation_of_nodes_counts_those_of_the_split_only():
    x, nodes = torch.tensor([[5.0, 0], [0, 5.0], [1.0, 0], [0, 2.0]]), torch.tensor([3, 1])
    split = Nodes(x, torch.empty(2, 0, dtype=torch.int64), nodes, targets=torch.tensor([1, 0]))
    losses, accuracy = evaluate(lambda x, edge_index: x, split, functional.cross_entropy)
    np.testing.assert_allclose(losses.numpy(), [math.log1p(math.exp(-2)), math.log1p(math.exp(5))], rtol=1e-6)
    assert accuracy == 0.5


def test_evaluation_of_nodes_goes_through_the_graph_once():
    calls = []

    def network(x, edge_index):
        calls.append(1)
        return x

    x = torch.randn(250, 2, generator=torch.Generator().manual_seed(0))
    split = Nodes(x, torch.empty(2, 0, dtype=torch.int64), torch.arange(250), torch.zeros(250, dtype=torch.int64))
    losses, _ = evaluate(network, split, functional.cross_entropy, 100)
    assert len(calls) == 1
    torch.testing.assert_close(losses, -x.double().log_softmax(1)[:, 0], rtol=1e-5, atol=1e-6)


def test_evaluation_is_in_float64_on_the_cpu_and_changes_no_network():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    table = _table(10)
    split = Rows(*(tensor.float() for tensor in (table.inputs, table.targets, table.shift, table.scale)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    losses, _ = evaluate(network, split, functional.mse_loss)
    assert (losses.dtype, losses.device.type) == (torch.float64, "cpu")
    assert not losses.requires_grad
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
