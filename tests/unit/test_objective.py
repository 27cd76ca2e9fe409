"""The loss as a function of the parameters: the network's own in eval mode, problem by problem."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.architectures import build
from adaptive_sharpness.objective import Objective

IMAGES = torch.randn(30, 1, 28, 28, generator=torch.Generator().manual_seed(0)).double()
CLASSES = torch.arange(30) % 10
BATCHES = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 6], [29, 3, 3, 7]])


def _loss(network, batch: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(network(IMAGES[batch]), CLASSES[batch])


@pytest.fixture
def network() -> nn.Module:
    """LeNet-5, small, with running statistics that differ from those of any batch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = build("lenet5", {"channels": (2, 3), "widths": (8, 6)}).double().eval()
        for layer in built:
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-1, 1)
                layer.running_var.uniform_(0.5, 2)
    return built


@pytest.fixture
def problems(network) -> dict[str, torch.Tensor]:
    """Parameters of three problems, none of them the network's own."""
    draw = torch.Generator().manual_seed(1)
    own = {name: value.detach() for name, value in network.named_parameters()}
    return {
        name: value + 0.1 * torch.randn(3, *value.shape, generator=draw, dtype=value.dtype)
        for name, value in own.items()
    }


def _by_hand(network: nn.Module, problems: dict, position: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss of the network with these parameters in it, and its gradient."""
    network.load_state_dict({name: value[position] for name, value in problems.items()}, strict=False)
    loss = _loss(network, BATCHES[position])
    return loss, torch.autograd.grad(loss, list(network.parameters()))


@pytest.mark.parametrize("chosen", [[0], [2], [0, 1, 2]], ids=["one", "another one", "three at once"])
def test_losses_and_gradients_are_the_networks_with_these_parameters(network, problems, chosen):
    weights = {name: value[chosen].requires_grad_() for name, value in problems.items()}
    losses = Objective(network, _loss)(weights, BATCHES[chosen])
    gradients = torch.autograd.grad(losses.sum(), list(weights.values()))
    for position, problem in enumerate(chosen):
        loss, wanted = _by_hand(network, problems, problem)
        torch.testing.assert_close(losses[position], loss, rtol=1e-12, atol=0)
        for found, each in zip(gradients, wanted, strict=True):
            torch.testing.assert_close(found[position], each, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("count", [1, 3])
def test_the_networks_own_parameters_are_not_used(network, problems, count):
    objective, some = Objective(network, _loss), {name: value[:count] for name, value in problems.items()}
    before = objective(some, BATCHES[:count])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(objective(some, BATCHES[:count]), before)


@pytest.mark.parametrize("count", [1, 3])
def test_batch_norm_uses_its_running_statistics_and_leaves_them(network, problems, count):
    objective, some = Objective(network, _loss), {name: value[:count] for name, value in problems.items()}
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    before = objective(some, BATCHES[:count])
    assert all(torch.equal(value, buffers[name]) for name, value in network.named_buffers())
    network[1].running_mean += 1
    assert (objective(some, BATCHES[:count]) - before).abs().min() > 1e-4


@pytest.mark.parametrize("count", [1, 3])
def test_dropout_is_off(network, problems, count):
    objective, some = Objective(network, _loss), {name: value[:count] for name, value in problems.items()}
    state = torch.get_rng_state()
    assert torch.equal(objective(some, BATCHES[:count]), objective(some, BATCHES[:count]))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("part", "name"), [(slice(None), "the network"), (slice(1, 2), "1"), (slice(14, 15), "14")], ids=str
)
def test_a_network_with_a_part_in_training_mode_is_refused(network, part, name):
    if part == slice(None):
        network.train()
    else:
        network[part.start].train()
    wanted = rf"^{name} is in training mode, wanted eval mode: call network.eval\(\) first$"
    with pytest.raises(ValueError, match=wanted):
        Objective(network, _loss)
