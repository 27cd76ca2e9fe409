"""From a batch of nodes a network sees what it sees of the whole graph, to the bit, with fewer edges."""

import pytest
import torch
from rounding import assert_equal_up_to_rounding
from torch import Tensor
from torch.nn import functional
from torch_geometric.nn import GAT

from adaptive_sharpness.datasets import Nodes, Rows
from adaptive_sharpness.study.measuring.neighbourhood import Neighbourhood, visible_part
from adaptive_sharpness.study.training.networks import build_network

BATCHES = [torch.tensor([3]), torch.tensor([0, 2, 2]), torch.arange(12)]


@pytest.fixture
def nodes() -> Nodes:
    draw = torch.Generator().manual_seed(0)
    x, edge_index = torch.randn(200, 5, generator=draw), torch.randint(200, (2, 400), generator=draw)
    return Nodes(x, edge_index, torch.randperm(200, generator=draw)[:12], torch.arange(12) % 3)


def _network(layers: int) -> GAT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GAT(5, 4, layers, 3, dropout=0.6, act="elu").eval()


def _outputs_and_gradients(split, network: torch.nn.Module, index: Tensor) -> list[Tensor]:
    torch.manual_seed(0)  # of dropout
    outputs = split.apply(network, index)
    return [outputs, *torch.autograd.grad(outputs.logsumexp(1).sum(), list(network.parameters()))]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("index", BATCHES)
@pytest.mark.parametrize("training", [False, True])
def test_outputs_and_gradients_are_those_of_the_part_to_the_bit(nodes, layers, index, training):
    network = _network(layers).train(training)
    splits = Neighbourhood(nodes, layers), nodes.within(layers)
    found, wanted = (_outputs_and_gradients(split, network, index) for split in splits)
    assert all(map(torch.equal, found, wanted))


def test_one_hop_less_than_layers_is_not_enough(nodes):
    found, wanted = (
        _outputs_and_gradients(split, _network(3), BATCHES[2]) for split in (Neighbourhood(nodes, 2), nodes)
    )
    assert (found[0] - wanted[0]).abs().max() > 1e-3


def test_on_cora_it_is_the_reports_network(dataset):
    cora = dataset("cora").train
    network = build_network("gat", {}).eval()
    index = torch.arange(0, 140, 3)
    found, wanted = (
        _outputs_and_gradients(split, network, index) for split in (Neighbourhood(cora, 2), cora.within(2))
    )
    assert_equal_up_to_rounding(found, wanted)  # the sparse products of some processors sum in another order


def test_edges_by_hand():
    """0 -> 1 -> 2 -> 3 -> 4, and 5 -> 3: from node 3, two layers see the edges that end at 3 and at 2 and at 5."""
    chain = torch.tensor([[0, 1, 2, 3, 5], [1, 2, 3, 4, 3]])
    split = Neighbourhood(Nodes(torch.arange(6.0)[:, None], chain, torch.tensor([3, 4]), torch.tensor([0, 1])), 2)

    def seen(index: list[int]) -> list[list[float]]:
        """The edges that a network is given, by the features of their ends."""
        given = []
        split.apply(lambda x, edges: given.append(x.squeeze(1)[edges].t().tolist()) or x, torch.tensor(index))
        return sorted(given[0])

    assert seen([0]) == [[1, 2], [2, 3], [5, 3]]
    assert seen([1]) == [[2, 3], [3, 4], [5, 3]]
    assert seen([0, 1]) == [[1, 2], [2, 3], [3, 4], [5, 3]]


def test_a_batch_that_changes_is_seen(nodes):
    split, network, index = Neighbourhood(nodes, 2), _network(2), torch.tensor([0, 1])
    for _ in range(3):
        assert torch.equal(split.apply(network, index), nodes.within(2).apply(network, index))
        index.add_(1)


def test_targets_and_losses_are_those_of_the_nodes(nodes):
    split, network = Neighbourhood(nodes, 2), _network(2)
    assert len(split) == 12
    found, wanted = (each.loss(functional.cross_entropy, network, BATCHES[1]) for each in (split, nodes.within(2)))
    assert torch.equal(found, wanted)


def test_without_hops_a_split_stays_as_it_is(nodes):
    assert visible_part(nodes, _network(2), None, None) is nodes


@pytest.mark.parametrize("stacked", [None, 1, 2])
def test_with_hops_a_network_sees_its_part_problems_that_are_solved_at_once_the_same(nodes, stacked):
    part, network, index = visible_part(nodes, _network(2), 2, stacked), _network(2), BATCHES[1]
    assert type(part) is (Nodes if stacked == 2 else Neighbourhood)
    torch.testing.assert_close(part.apply(network, index), nodes.apply(network, index), rtol=1e-4, atol=1e-5)
    assert torch.equal(part.targets, nodes.targets)


@pytest.mark.parametrize("stacked", [1, 2])
def test_fewer_hops_than_a_network_has_layers_are_refused(nodes, stacked):
    wanted = r"^hops: got 2, wanted as many as the network has message passing layers: outputs differ$"
    with pytest.raises(ValueError, match=wanted):
        visible_part(nodes, _network(3), 2, stacked)


def test_hops_of_what_is_no_graph_are_refused():
    rows = Rows(torch.ones(3, 2), torch.ones(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"^hops: got 2, wanted none: the data set is no graph$"):
        visible_part(rows, torch.nn.Linear(2, 1), 2, None)
