"""A network that does not fit its data set is refused before it becomes a number."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness.datasets import Nodes, Rows
from adaptive_sharpness.study.training.fitness import require_fit, require_loss, require_methods, require_stackable

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def _rows(inputs: Tensor, targets: Tensor) -> Rows:
    return Rows(inputs, targets, ZERO, ONE)


VALUES = _rows(torch.ones(5, 3), torch.ones(5, 1))
CLASSES = _rows(torch.ones(5, 3), torch.tensor([0, 1, 2, 3, 1]))
SEQUENCES = _rows(torch.ones(5, 3), torch.tensor([[0, 1, 3]] * 5))


class _Deaf(nn.Linear):
    def forward(self, x):
        raise RuntimeError("no ears\nat all")


UNFIT = {
    "one output for each example, not [n, 1]": (
        nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        VALUES,
        "architecture mine: got outputs [2] for 2 examples, wanted [2, 1] like the targets",
    ),
    "too many outputs": (
        nn.Linear(3, 2),
        VALUES,
        "architecture mine: got outputs [2, 2] for 2 examples, wanted [2, 1] like the targets",
    ),
    "too few classes": (
        nn.Linear(3, 3),
        CLASSES,
        "architecture mine: got outputs [2, 3] for 2 examples, wanted [2, at least 4]",
    ),
    "classes that are no second dimension": (
        nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, (2, 2))),
        CLASSES,
        "architecture mine: got outputs [2, 2, 2] for 2 examples, wanted [2, at least 4]",
    ),
    "classes of sequences of another length": (
        nn.Sequential(nn.Linear(3, 8), nn.Unflatten(1, (4, 2))),
        SEQUENCES,
        "architecture mine: got outputs [2, 4, 2] for 2 examples, wanted [2, at least 4, 3]",
    ),
    "one number for each example, not classes": (
        nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        CLASSES,
        "architecture mine: got outputs [2] for 2 examples, wanted [2, at least 4]",
    ),
    "other inputs": (
        nn.Linear(7, 1),
        VALUES,
        "architecture mine: cannot be applied to the data set: mat1 and mat2 shapes cannot be multiplied (2x3 and 7x1)",
    ),
    "its own error": (_Deaf(3, 1), VALUES, "architecture mine: cannot be applied to the data set: no ears"),
}


@pytest.mark.fault(
    fault="a network that does not fit its data set",
    sees="`architecture NAME: got outputs ..., wanted ...`, or `... cannot be applied to the data set: ...`",
)
@pytest.mark.parametrize(("network", "split", "line"), UNFIT.values(), ids=UNFIT.keys())
def test_a_network_that_does_not_fit_its_data_set_is_refused(network, split, line):
    with pytest.raises(ValueError, match="architecture mine") as caught:
        require_fit("mine", network, split)
    assert str(caught.value) == line


class _Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x, edge_index):
        return self.layer(x)


@pytest.mark.parametrize(
    ("network", "split"),
    [
        (nn.Linear(3, 1), VALUES),
        (nn.Linear(3, 1), VALUES.first(1)),
        (nn.Linear(3, 4), CLASSES),
        (nn.Linear(3, 9), CLASSES),
        (nn.Sequential(nn.Linear(3, 12), nn.Unflatten(1, (4, 3))), SEQUENCES),
        (_Graph(), Nodes(torch.ones(6, 3), torch.tensor([[0], [1]]), torch.tensor([0, 5]), torch.tensor([3, 0]))),
    ],
)
def test_a_network_that_fits_is_left_as_it_is(network, split):
    """And so are dropout, batch norm's statistics, and torch's random numbers."""
    layers = nn.BatchNorm1d(3), nn.Dropout(0.5)
    whole = network if isinstance(split, Nodes) else nn.Sequential(*layers, network)
    state, before = {k: v.clone() for k, v in whole.state_dict().items()}, torch.get_rng_state()
    require_fit("mine", whole, split)
    assert whole.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[key]) for key, value in whole.state_dict().items())


class _Branching(nn.Linear):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


UNSTACKABLE = {
    "a graph": (
        _Graph(),
        Nodes(torch.ones(6, 3), torch.tensor([[0], [1]]), torch.tensor([0, 5]), torch.tensor([3, 0])),
        "got a graph, wanted none where models are trained at once (stacked)",
    ),
    "dropout": (
        nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1)),
        VALUES,
        "got random numbers in training, as of dropout, wanted none where models are trained at once (stacked)",
    ),
    "batch norm": (
        nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1)),
        VALUES,
        "got 1.running_mean, which changes in training, wanted none where models are trained at once (stacked)",
    ),
}


@pytest.mark.fault(
    fault="a network whose models cannot be trained at once (stacked)",
    sees="`architecture NAME: got ..., wanted none ...`",
)
@pytest.mark.parametrize(("network", "split", "reason"), UNSTACKABLE.values(), ids=UNSTACKABLE.keys())
def test_a_network_whose_models_cannot_be_trained_at_once_is_refused_and_left_as_it_is(network, split, reason):
    state, before = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    network.eval()
    with pytest.raises(ValueError, match="architecture mine") as caught:
        require_stackable("mine", network, split)
    assert str(caught.value) == f"architecture mine: {reason}"
    assert not network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("last", [nn.Dropout(0.0), nn.BatchNorm1d(4, track_running_stats=False), nn.LayerNorm(4)])
def test_a_network_that_only_could_hold_state_is_stackable(last):
    require_stackable("mine", nn.Sequential(nn.Linear(3, 4), last), CLASSES)


def test_a_network_that_vmap_cannot_transform_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="data-dependent control flow") as caught:
        require_stackable("mine", _Branching(3, 1), VALUES)
    assert str(caught.value) == f"architecture mine: cannot be trained stacked: {caught.value.__cause__}"


LOSSES = {
    "no mean": (
        lambda outputs, targets, reduction="mean": (outputs - targets) ** 2,
        r"shape \[2, 1\], wanted a tensor",
    ),
    "a number": (lambda outputs, targets, reduction="mean": 1.0, "float, wanted a tensor with one number"),
    "no number an example": (
        lambda outputs, targets, reduction="mean": ((outputs - targets) ** 2).mean(),
        r"shape \[\] with reduction='none', wanted a number for each of 2 examples",
    ),
}


@pytest.mark.fault(fault="a loss that is none", sees="`loss NAME: got ..., wanted ...`")
@pytest.mark.parametrize(("loss", "said"), LOSSES.values(), ids=LOSSES)
def test_a_loss_that_is_none_is_refused(loss, said):
    network, mode = nn.Linear(3, 1), True
    with pytest.raises(ValueError, match=rf"^loss mine: got {said}"):
        require_loss("mine", loss, network, VALUES)
    assert network.training is mode


@pytest.mark.parametrize("loss", [functional.mse_loss, functional.l1_loss, functional.huber_loss])
def test_a_loss_of_torch_fits(loss):
    require_loss("mine", loss, nn.Linear(3, 1), VALUES)


def test_what_a_plugin_made_must_have_its_methods():
    require_methods("optimiser mine", torch.optim.SGD([torch.zeros(1)]), "step", "zero_grad")
    with pytest.raises(ValueError, match=r"^optimiser mine: build\(\) gave dict, wanted what has step\(\)$"):
        require_methods("optimiser mine", {}, "step", "zero_grad")
