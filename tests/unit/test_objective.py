"""The loss as a function of the parameters: the network's own in eval mode, problem by problem, and what is refused."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.landscape.objective import Objective, is_pair
from adaptive_sharpness.landscape.problems import Problems
from adaptive_sharpness.study.training.networks import build_network

IMAGES = torch.randn(30, 1, 28, 28, generator=torch.Generator().manual_seed(0)).double()
CLASSES = torch.arange(30) % 10
INDICES = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 6], [29, 3, 3, 7]])


def _indexed(network, batch: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(IMAGES[batch]), CLASSES[batch])


FORMS = {
    "pairs": (functional.cross_entropy, [(IMAGES[i], CLASSES[i]) for i in INDICES]),
    "tensors": (_indexed, list(INDICES)),
    "the same pair": (functional.cross_entropy, [(IMAGES[INDICES[0]], CLASSES[INDICES[0]])] * 3),
    "the same object": (lambda network, batch: _indexed(network, batch["rows"]), [{"rows": INDICES[0]}] * 3),
}


@pytest.fixture
def network() -> nn.Module:
    """LeNet-5, small, with running statistics that differ from those of any batch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = build_network("lenet5", {"channels": (2, 3), "widths": (8, 6)}).double().eval()
        for layer in built.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-1, 1)
                layer.running_var.uniform_(0.5, 2)
    return built


@pytest.fixture
def problems(network) -> dict[str, torch.Tensor]:
    """Parameters of three problems, none of them the network's own."""
    draw = torch.Generator().manual_seed(1)
    own = {name: value.detach() for name, value in network.named_parameters()}
    return {n: v + 0.1 * torch.randn(3, *v.shape, generator=draw, dtype=v.dtype) for n, v in own.items()}


def _by_hand(network: nn.Module, state: dict, position: int, indices: torch.Tensor) -> tuple:
    """The loss of the network with this state in it, and its gradient."""
    network.load_state_dict({name: value[position] for name, value in state.items()}, strict=False)
    loss = functional.cross_entropy(network(IMAGES[indices]), CLASSES[indices])
    return loss, torch.autograd.grad(loss, list(network.parameters()))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chosen", [[0], [2], [0, 1, 2]], ids=["one", "another one", "three at once"])
def test_losses_and_gradients_are_the_networks_with_these_parameters(network, problems, form, chosen):
    loss, batches = FORMS[form]
    weights = {name: value[chosen].requires_grad_() for name, value in problems.items()}
    losses = Objective(network, loss).on([batches[problem] for problem in chosen])(weights)
    gradients = torch.autograd.grad(losses.sum(), list(weights.values()))
    for position, problem in enumerate(chosen):
        indices = INDICES[0] if "same" in form else INDICES[problem]
        wanted_loss, wanted = _by_hand(network, problems, problem, indices)
        torch.testing.assert_close(losses[position], wanted_loss, rtol=1e-12, atol=0)
        for found, each in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(found[position], each, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("count", [1, 3])
def test_buffers_of_the_state_stand_in_for_the_networks(network, problems, count):
    buffers = {name: value for name, value in network.named_buffers() if "running" in name}
    shifted = {n: torch.stack([v + 1 + k for k in range(3)]) for n, v in buffers.items()}
    state = {name: value[:count] for name, value in (problems | shifted).items()}
    losses = Objective(network, _indexed).on(list(INDICES[:count]))(state)
    for position in range(count):
        wanted, _ = _by_hand(network, problems | shifted, position, INDICES[position])
        torch.testing.assert_close(losses[position], wanted.detach(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("count", [1, 3])
def test_the_networks_own_parameters_are_not_used(network, problems, count):
    loss, some = Objective(network, _indexed).on(list(INDICES[:count])), {n: v[:count] for n, v in problems.items()}
    before = loss(some)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(loss(some), before)


@pytest.mark.parametrize("count", [1, 3])
def test_batch_norm_uses_its_running_statistics_and_leaves_them(network, problems, count):
    loss, some = Objective(network, _indexed).on(list(INDICES[:count])), {n: v[:count] for n, v in problems.items()}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    before = loss(some)
    assert all(torch.equal(value, buffers[name]) for name, value in network.named_buffers())
    network[0][1].running_mean += 1
    assert (loss(some) - before).abs().min() > 1e-4


@pytest.mark.parametrize("count", [1, 3])
def test_dropout_is_off(network, problems, count):
    assert any(isinstance(layer, nn.Dropout) for layer in network)
    loss, some = Objective(network, _indexed).on(list(INDICES[:count])), {n: v[:count] for n, v in problems.items()}
    state = torch.get_rng_state()
    assert torch.equal(loss(some), loss(some))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("count", [1, 2])
def test_normalised_logits_have_standard_deviation_1_over_classes_by_hand(count):
    network = nn.Linear(2, 3, bias=False).double().eval()
    weight = np.array([[[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]], [[-1.0, 0.3], [2.0, 2.0], [0.1, 7.0]]])[:count]
    inputs, classes = np.array([[1.0, -2.0], [0.4, 0.3], [5.0, 1.0]]), np.array([2, 0, 1])
    batch = (torch.from_numpy(inputs), torch.from_numpy(classes))
    objective = Objective(network, functional.cross_entropy, normalise_logits=True)
    losses = objective.on([batch] * count)({"weight": torch.from_numpy(weight)})
    for problem in range(count):
        z = inputs @ weight[problem].T
        z = z / np.sqrt(((z - z.mean(axis=1, keepdims=True)) ** 2).mean(axis=1, keepdims=True))
        wanted = (np.log(np.exp(z).sum(axis=1)) - z[range(3), classes]).mean()
        np.testing.assert_allclose(losses[problem], wanted, rtol=1e-13)


def test_normalised_logits_do_not_depend_on_their_scale():
    network, batch = nn.Linear(2, 3).double().eval(), (torch.ones(1, 2).double(), torch.tensor([1]))
    own = {name: value.detach()[None] for name, value in network.named_parameters()}
    ten = {name: 10 * value for name, value in own.items()}
    normalised, raw = (Objective(network, functional.cross_entropy, normalise_logits=n).on([batch]) for n in (1, 0))
    torch.testing.assert_close(normalised(ten), normalised(own), rtol=1e-12, atol=0)
    assert (raw(ten) - raw(own)).abs().item() > 1e-3


def test_a_loss_of_network_and_batch_may_call_the_network_often_and_with_options():
    class Power(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor(0.0).double())

        def forward(self, x, *, power=1):
            return self.w * x**power

    def loss(network, batch):
        return network(batch["x"], power=batch["power"]) + network(1)

    objective = Objective(Power().eval(), loss)
    assert objective.on([{"x": 2, "power": 3}])({"w": torch.tensor([5.0])}).tolist() == [5 * 8 + 5]


@pytest.mark.parametrize(
    ("part", "name"), [(slice(None), "the network"), (slice(1, 2), "1"), (slice(11, 12), "11")], ids=str
)
def test_a_network_with_a_part_in_training_mode_is_refused(network, part, name):
    (network if part == slice(None) else network[part.start]).train()
    wanted = rf"^{name} is in training mode, wanted eval mode: call network.eval\(\) first$"
    with pytest.raises(ValueError, match=wanted):
        Objective(network, _indexed)


class _Bare(nn.Module):
    """The weight times the input; a subclass adds what is wrong with it."""

    def __init__(self, weight: float = 2.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([weight]).double())
        self.register_buffer("calls", torch.zeros(1).double())
        self.eval()

    def forward(self, x):
        return self.w * x


BATCH = (torch.tensor([1.0, 3.0]).double(), torch.tensor([1.0, 1.0]).double())


def _state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in (*network.named_parameters(), *network.named_buffers())}


def _check(network: nn.Module, loss=functional.mse_loss) -> torch.Tensor:
    return Objective(network, loss).check(_state(network), BATCH)


def test_what_passes_the_check_gives_its_loss():
    assert _check(_Bare()).item() == (1 + 25) / 2


@pytest.mark.parametrize(
    ("loss", "got"),
    [
        (lambda output, target: (output - target) ** 2, r"shape \[2\]"),
        (lambda output, target: (output - target).sum()[None], r"shape \[1\]"),
        (lambda output, target: (output - target).sum().item(), "float"),
        (lambda output, target: None, "NoneType"),
    ],
    ids=["per example", "with a dimension", "a number", "nothing"],
)
def test_a_loss_that_is_no_scalar_is_refused(loss, got):
    with pytest.raises(ValueError, match=rf"^loss: got {got}, wanted a scalar tensor: the mean over the batch$"):
        _check(_Bare(), loss)


class _Counting(_Bare):
    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class _Replacing(_Bare):
    def forward(self, x):
        self.calls = self.calls + 1
        return super().forward(x)


class _Clamping(_Bare):
    def forward(self, x):
        self.w.data.clamp_(-1, 1)
        return super().forward(x)


@pytest.mark.parametrize(("kind", "name"), [(_Counting, "calls"), (_Replacing, "calls"), (_Clamping, "w")])
def test_a_network_that_changes_when_it_is_called_is_refused_and_left_as_it_was(kind, name):
    network = kind()
    before = {name: value.clone() for name, value in _state(network).items()}
    wanted = f"^{name} changes when the network is called, wanted a network that leaves it as it is$"
    with pytest.raises(ValueError, match=wanted):
        _check(network)
    assert all(torch.equal(value, before[name]) for name, value in _state(network).items())


def test_a_network_whose_numbers_are_nan_does_not_count_as_changed():
    network = _Bare(math.nan)
    network.calls.fill_(math.nan)
    assert _check(network).isnan()


class _Dropping(_Bare):
    def forward(self, x):
        return super().forward(x) * functional.dropout(torch.ones(64).double(), p=0.5, training=True).mean()


@pytest.mark.parametrize(
    ("network", "loss"),
    [(_Dropping, functional.mse_loss), (_Bare, lambda output, target: (output - target).mean() + torch.rand(()))],
    ids=["dropout that is never off", "noise in the loss"],
)
def test_a_loss_with_randomness_in_it_is_refused_and_the_random_state_kept(network, loss):
    wanted = r"^loss: got \S+ and then \S+ from the same call, wanted no randomness in it$"
    with torch.random.fork_rng():
        torch.manual_seed(0)  # dropout does not drop as many at the second call
        state = torch.get_rng_state()
        with pytest.raises(ValueError, match=wanted):
            Problems(network().eval(), loss, BATCH)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("batch", "wanted"),
    [
        ((torch.ones(1), torch.ones(1)), True),
        ([torch.ones(1), torch.ones(1)], True),
        (torch.ones(2, 2), False),
        ((torch.ones(1),), False),
        ((torch.ones(1),) * 3, False),
        ((torch.ones(1), 1), False),
        ((torch.ones(1), None), False),
        ({"x": torch.ones(1), "y": torch.ones(1)}, False),
        ("ab", False),
    ],
    ids=str,
)
def test_a_pair_is_two_tensors(batch, wanted):
    assert is_pair(batch) is wanted
