"""A wrong data set or network is refused before it becomes a number."""

import math

import pytest
import torch
from torch import Tensor, nn

from adaptive_sharpness import sanity
from adaptive_sharpness.dataset import Dataset, Nodes, Rows

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def rows(inputs: Tensor, targets: Tensor) -> Rows:
    return Rows(inputs, targets, ZERO, ONE)


VALUES = rows(torch.ones(5, 3), torch.ones(5, 1))
CLASSES = rows(torch.ones(5, 3), torch.tensor([0, 1, 2, 3, 1]))


def changed(tensor: Tensor, place: tuple, value: float) -> Tensor:
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


UNSOUND = {
    "a NaN": (
        Dataset(rows(changed(VALUES.inputs, (3, 1), math.nan), VALUES.targets), VALUES),
        "data set waves, train, inputs: got nan at [3, 1], wanted finite numbers",
    ),
    "an infinite target": (
        Dataset(VALUES, rows(VALUES.inputs, changed(VALUES.targets, (4, 0), -math.inf))),
        "data set waves, test, targets: got -inf at [4, 0], wanted finite numbers",
    ),
    "a scale of NaN": (
        Dataset(Rows(VALUES.inputs, VALUES.targets, ZERO, torch.tensor(math.nan)), VALUES),
        "data set waves, train, scale: got nan at [], wanted finite numbers",
    ),
    "an empty split": (
        Dataset(VALUES, rows(VALUES.inputs[:0], VALUES.targets[:0])),
        "data set waves, test: got no examples, wanted at least one",
    ),
    "a class below 0": (
        Dataset(rows(CLASSES.inputs, changed(CLASSES.targets, (2,), -1)), CLASSES),
        "data set waves, train, targets: got class -1, wanted classes from 0",
    ),
    "no data set": ((VALUES, VALUES), "data set waves: load() gave tuple, wanted a Dataset"),
}


@pytest.mark.fault(
    fault="a data set that holds no numbers, no examples, or is none", sees="`data set NAME, ...: got ..., wanted ...`"
)
@pytest.mark.parametrize(("dataset", "line"), UNSOUND.values(), ids=UNSOUND.keys())
def test_a_data_set_that_holds_no_numbers_is_refused(dataset, line):
    with pytest.raises(ValueError, match="data set") as caught:
        sanity.sound("waves", dataset)
    assert str(caught.value) == line


@pytest.mark.parametrize("name", ["abalone", "abalone_released", "cora", "fashion_mnist"])
def test_the_studys_data_sets_are_sound(config, dataset, raw, name):
    found = dataset("abalone" if name == "abalone_released" else name)
    assert sanity.sound(name, found) is found


class Deaf(nn.Linear):
    def forward(self, x):
        raise RuntimeError("no ears\nat all")


UNFIT = {
    "one output for each example, not [n, 1]": (
        nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        VALUES,
        "network mine: got outputs [2] for 2 examples, wanted [2, 1] like the targets",
    ),
    "too many outputs": (
        nn.Linear(3, 2),
        VALUES,
        "network mine: got outputs [2, 2] for 2 examples, wanted [2, 1] like the targets",
    ),
    "too few classes": (
        nn.Linear(3, 3),
        CLASSES,
        "network mine: got outputs [2, 3] for 2 examples, wanted [2, at least 4]",
    ),
    "classes that are no second dimension": (
        nn.Sequential(nn.Linear(3, 4), nn.Unflatten(1, (2, 2))),
        CLASSES,
        "network mine: got outputs [2, 2, 2] for 2 examples, wanted [2, at least 4]",
    ),
    "other inputs": (
        nn.Linear(7, 1),
        VALUES,
        "network mine: cannot be applied to the data set: mat1 and mat2 shapes cannot be multiplied (2x3 and 7x1)",
    ),
    "its own error": (Deaf(3, 1), VALUES, "network mine: cannot be applied to the data set: no ears"),
}


@pytest.mark.fault(
    fault="a network that does not fit its data set",
    sees="`network NAME: got outputs ..., wanted ...`, or `... cannot be applied to the data set: ...`",
)
@pytest.mark.parametrize(("network", "split", "line"), UNFIT.values(), ids=UNFIT.keys())
def test_a_network_that_does_not_fit_its_data_set_is_refused(network, split, line):
    with pytest.raises(ValueError, match="network mine") as caught:
        sanity.fits("mine", network, split)
    assert str(caught.value) == line


class Graph(nn.Module):
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
        (Graph(), Nodes(torch.ones(6, 3), torch.tensor([[0], [1]]), torch.tensor([0, 5]), torch.tensor([3, 0]))),
    ],
)
def test_a_network_that_fits_is_left_as_it_is(network, split):
    """And so are dropout, batch norm's statistics, and torch's random numbers."""
    layers = nn.BatchNorm1d(3), nn.Dropout(0.5)
    whole = network if isinstance(split, Nodes) else nn.Sequential(*layers, network)
    state, before = {k: v.clone() for k, v in whole.state_dict().items()}, torch.get_rng_state()
    sanity.fits("mine", whole, split)
    assert whole.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[key]) for key, value in whole.state_dict().items())


class _Branching(nn.Linear):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


UNSTACKABLE = {
    "a graph": (
        Graph(),
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
    fault="a network whose models cannot be trained at once (stacked)", sees="`network NAME: got ..., wanted none ...`"
)
@pytest.mark.parametrize(("network", "split", "reason"), UNSTACKABLE.values(), ids=UNSTACKABLE.keys())
def test_a_network_whose_models_cannot_be_trained_at_once_is_refused_and_left_as_it_is(network, split, reason):
    state, before = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    network.eval()
    with pytest.raises(ValueError, match="network mine") as caught:
        sanity.stackable("mine", network, split)
    assert str(caught.value) == f"network mine: {reason}"
    assert not network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("last", [nn.Dropout(0.0), nn.BatchNorm1d(4, track_running_stats=False), nn.LayerNorm(4)])
def test_a_network_that_only_could_hold_state_is_stackable(last):
    sanity.stackable("mine", nn.Sequential(nn.Linear(3, 4), last), CLASSES)


def test_a_network_that_vmap_cannot_transform_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="data-dependent control flow") as caught:
        sanity.stackable("mine", _Branching(3, 1), VALUES)
    assert str(caught.value) == f"network mine: cannot be trained stacked: {caught.value.__cause__}"
