"""Splits of rows and of nodes: what a network sees of them, and that a file keeps them."""

from dataclasses import fields

import pytest
import torch
from safetensors import safe_open
from torch.nn import functional
from torch_geometric.nn import GAT

from adaptive_sharpness.datasets import Dataset, Nodes, Rows, Split


def _rows(n: int, start: int = 0) -> Rows:
    """Images of 2 x 2 pixels in uint8, with classes."""
    pixels = torch.arange(start, start + 4 * n, dtype=torch.uint8).reshape(n, 1, 2, 2)
    return Rows(pixels, torch.arange(n) ** 2 // 3 % 3, shift=torch.tensor(10.0), scale=torch.tensor(4.0))


def _graph(nodes: int = 60, edges: int = 90, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features in float64 and directed random edges, so few that two hops do not reach all nodes."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(nodes, 5, generator=draw).double(), torch.randint(nodes, (2, edges), generator=draw)


def _gat(layers: int) -> GAT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GAT(5, 4, layers, 3, dropout=0.6, act="elu").double().eval()


@pytest.fixture
def rows() -> Dataset:
    return Dataset(_rows(5), _rows(3, start=100))


@pytest.fixture
def graph() -> Dataset:
    x, edge_index = _graph()
    train, test = torch.tensor([2, 0, 7]), torch.tensor([9, 4])
    return Dataset(Nodes(x, edge_index, train, train % 3), Nodes(x, edge_index, test, test % 3))


@pytest.fixture
def further_rows(rows) -> Dataset:
    return Dataset(rows.train, rows.test, {"shifted": _rows(4, start=50), "noisy_2": _rows(2, start=9)})


@pytest.fixture
def further_graph(graph) -> Dataset:
    far = torch.tensor([11, 3, 5])
    return Dataset(graph.train, graph.test, {"far": Nodes(graph.train.x, graph.train.edge_index, far, far % 3)})


KINDS = ["rows", "graph", "further_rows", "further_graph"]


def test_a_network_sees_rows_shifted_and_scaled_in_the_given_order(rows):
    seen = rows.train.apply(lambda inputs: inputs, torch.tensor([3, 0]))
    by_hand = [[(12 - 10) / 4, (13 - 10) / 4, 1.0, 1.25], [-2.5, -2.25, -2.0, -1.75]]
    assert torch.equal(seen, torch.tensor(by_hand).reshape(2, 1, 2, 2))


def test_a_network_sees_the_whole_graph_and_gives_the_outputs_of_the_chosen_nodes(graph):
    outputs = graph.train.apply(lambda x, edge_index: x * edge_index.shape[1], torch.tensor([2, 0]))
    assert torch.equal(outputs, graph.train.x[[7, 2]] * 90)


def test_rows_come_in_parts_and_nodes_in_one(rows, graph):
    assert [part.tolist() for part in rows.train.parts(2)] == [[0, 1], [2, 3], [4]]
    assert [part.tolist() for part in graph.train.parts(2)] == [[0, 1, 2]]


def test_the_loss_of_some_examples_is_the_mean_of_theirs(rows):
    logits = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]]).double()
    loss = rows.train.loss(functional.cross_entropy, lambda _: logits, torch.tensor([4, 0]))
    chosen = logits[[0, 1], [2, 0]]  # example 4 is of class 2, example 0 of class 0
    assert loss.item() == pytest.approx((logits.exp().sum(1).log() - chosen).mean().item(), rel=1e-14)


def test_a_split_that_does_not_say_how_to_apply_a_network_or_to_choose_examples_says_so():
    with pytest.raises(NotImplementedError, match="Split does not say how to apply a network"):
        Split().apply(lambda inputs: inputs, torch.tensor([0]))
    with pytest.raises(NotImplementedError, match="Split does not say how to choose examples"):
        Split().chosen(torch.tensor([0]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_keeps_every_tensor_and_its_type(kind, request, tmp_path):
    dataset = request.getfixturevalue(kind)
    dataset.save(tmp_path / "data.safetensors")
    read = Dataset.read(tmp_path / "data.safetensors")
    assert read.splits.keys() == dataset.splits.keys()
    for split, was in dataset.splits.items():
        became = read.splits[split]
        assert type(became) is type(was)
        for field in fields(was):
            before, after = getattr(was, field.name), getattr(became, field.name)
            assert after.dtype == before.dtype
            assert torch.equal(after, before)


def test_what_splits_share_is_written_once_and_shared_again_when_read(graph, tmp_path):
    graph.save(tmp_path / "data.safetensors")
    with safe_open(tmp_path / "data.safetensors", "pt") as file:
        own = {f"{split}.{field}" for split in ("train", "test") for field in ("nodes", "targets")}
        assert set(file.keys()) == own | {"train.x", "train.edge_index"}
    read = Dataset.read(tmp_path / "data.safetensors")
    assert read.test.x is read.train.x
    assert read.test.edge_index is read.train.edge_index


def test_a_further_split_shares_what_it_has_in_common_with_training(further_graph, tmp_path):
    further_graph.save(tmp_path / "data.safetensors")
    with safe_open(tmp_path / "data.safetensors", "pt") as file:
        assert {key for key in file.keys() if key.startswith("far.")} == {"far.nodes", "far.targets"}
    read = Dataset.read(tmp_path / "data.safetensors")
    assert read.further["far"].x is read.train.x
    assert read.further["far"].edge_index is read.train.edge_index


@pytest.mark.parametrize(
    ("kind", "names"), [("rows", []), ("further_rows", ["shifted", "noisy_2"]), ("further_graph", ["far"])]
)
def test_splits_are_train_and_test_and_then_the_further_ones(kind, names, request):
    dataset = request.getfixturevalue(kind)
    assert list(dataset.splits) == ["train", "test", *names]
    assert dataset.splits["train"] is dataset.train
    assert dataset.splits["test"] is dataset.test
    assert all(dataset.splits[name] is dataset.further[name] for name in names)


@pytest.mark.parametrize("kind", ["rows", "graph"])
def test_the_first_examples_are_kept_in_order(kind, request):
    split = request.getfixturevalue(kind).train
    first = split.first(2)
    assert len(first) == 2
    assert torch.equal(first.targets, split.targets[:2])
    whole = split.apply(lambda *inputs: inputs[0], torch.tensor([0, 1]))
    assert torch.equal(first.apply(lambda *inputs: inputs[0], torch.tensor([0, 1])), whole)


@pytest.mark.parametrize("n", [-1, 0, 6])
def test_more_examples_than_there_are_or_none_are_refused(rows, n):
    with pytest.raises(ValueError, match=rf"^limit: got {n} examples, wanted 1 to 5$"):
        rows.train.first(n)


@pytest.mark.parametrize(("limit", "sizes"), [({}, (5, 3)), ({"train": 2}, (2, 3)), ({"train": 5, "test": 1}, (5, 1))])
def test_a_limit_keeps_what_it_does_not_name(rows, limit, sizes):
    kept = rows.first(**limit)
    assert (len(kept.train), len(kept.test)) == sizes


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        ({}, (5, 3, 4, 2)),
        ({"train": 2}, (2, 3, 4, 2)),
        ({"test": 2}, (5, 2, 2, 2)),
        ({"train": 1, "test": 1}, (1,) * 4),
    ],
)
def test_the_limit_of_test_is_that_of_each_further_split(further_rows, limit, sizes):
    kept = further_rows.first(**limit)
    assert tuple(map(len, kept.splits.values())) == sizes
    assert list(kept.splits) == list(further_rows.splits)
    for name, split in kept.further.items():
        assert torch.equal(split.inputs, further_rows.further[name].inputs[: len(split)])


def test_a_limit_above_a_further_splits_size_is_refused(further_rows):
    with pytest.raises(ValueError, match=r"^limit: got 3 examples, wanted 1 to 2$"):
        further_rows.first(test=3)


@pytest.mark.parametrize("limit", [{"train": 0}, {"test": 0}])
def test_a_limit_of_no_examples_is_refused(rows, limit):
    with pytest.raises(ValueError, match="limit: got 0 examples"):
        rows.first(**limit)


@pytest.mark.parametrize("kind", ["rows", "graph"])
def test_all_tensors_of_a_split_move_to_a_device(kind, request):
    split = request.getfixturevalue(kind).train
    moved = split.to(torch.device("meta"))
    assert type(moved) is type(split)
    assert {getattr(moved, field.name).device.type for field in fields(moved)} == {"meta"}


def test_a_part_of_a_graph_follows_edges_from_source_to_target():
    chain = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    part = Nodes(torch.arange(5.0)[:, None], chain, torch.tensor([3]), torch.tensor([0])).within(2)
    assert part.x.flatten().tolist() == [1, 2, 3]
    assert part.x[part.nodes].item() == 3
    assert part.x[part.edge_index].squeeze(-1).tolist() == [[1, 2], [2, 3]]


def _outputs_and_gradients(split: Nodes, network: GAT) -> list[torch.Tensor]:
    index = torch.arange(len(split))
    loss = split.loss(functional.cross_entropy, network, index)
    return [split.apply(network, index).detach(), *torch.autograd.grad(loss, list(network.parameters()))]


def test_only_a_graph_has_hops(rows):
    with pytest.raises(ValueError, match=r"^hops: got 2, wanted none: the data set is no graph$"):
        rows.train.within(2)


def test_two_layers_see_exactly_two_hops(graph):
    part, network = graph.train.within(2), _gat(layers=2)
    assert len(part.x) < len(graph.train.x)
    found, wanted = (_outputs_and_gradients(split, network) for split in (part, graph.train))
    for each, whole in zip(found, wanted, strict=True):
        torch.testing.assert_close(each, whole, rtol=1e-12, atol=1e-14)


def test_one_hop_is_not_enough_for_two_layers(graph):
    found, wanted = (_outputs_and_gradients(split, _gat(layers=2)) for split in (graph.train.within(1), graph.train))
    assert (found[0] - wanted[0]).abs().max() > 1e-3


def test_a_part_keeps_the_order_of_its_nodes_and_their_targets(graph):
    part = graph.train.within(2)
    assert torch.equal(part.x[part.nodes], graph.train.x[graph.train.nodes])
    assert torch.equal(part.targets, graph.train.targets)


def test_of_cora_two_layers_see_1664_nodes(dataset):
    cora = dataset("cora").train
    assert len(cora.x) == 2708
    assert len(cora.within(2).x) == 1664


def test_a_further_split_that_is_the_training_split_itself_is_read_back(rows, tmp_path):
    Dataset(rows.train, rows.test, {"again": rows.train}).save(tmp_path / "data.safetensors")
    assert torch.equal(Dataset.read(tmp_path / "data.safetensors").further["again"].inputs, rows.train.inputs)


def test_further_splits_keep_their_order(further_rows, tmp_path):
    further_rows.save(tmp_path / "data.safetensors")
    assert list(Dataset.read(tmp_path / "data.safetensors").splits) == ["train", "test", "shifted", "noisy_2"]


@pytest.mark.parametrize("name", ["train", "test", "a.b", "A", "", "1a", "a b"])
def test_a_further_split_without_a_name_of_its_own_is_refused(rows, name):
    wanted = "a name of lower-case letters, digits and underscores, neither train nor test"
    with pytest.raises(ValueError, match=rf"^further test split: got '{name}', wanted {wanted}$"):
        Dataset(rows.train, rows.test, {name: rows.test})


def test_splits_of_two_kinds_are_refused(rows, graph):
    with pytest.raises(ValueError, match=r"^far: got Nodes, wanted Rows like train$"):
        Dataset(rows.train, rows.test, {"far": graph.test})
