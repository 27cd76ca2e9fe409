"""Our attention layer is torch_geometric's, and its network the report's; only other operations do it.

The same numbers but for the order of sums in a sparse product, which on some processors is that of torch's, to the bit.
"""

import copy

import pytest
import torch
from rounding import assert_equal_up_to_rounding
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch_geometric.nn import GAT, GATConv

from adaptive_sharpness.architectures.fast.attention import Attention
from adaptive_sharpness.architectures.fast.sparse import SparseLinear
from adaptive_sharpness.study.training.networks import build_network

NODES = 50


@pytest.fixture
def edges() -> Tensor:
    """Random ones, with self-loops and with nodes that nothing leads to."""
    return torch.randint(NODES - 5, (2, 300), generator=torch.Generator().manual_seed(0))


def _layers(heads: int = 1, *, concat: bool = True, dtype: torch.dtype = torch.float64) -> tuple[GATConv, Attention]:
    """torch_geometric's layer and ours with its weights, and dropout."""
    torch.manual_seed(0)
    plain = GATConv(6, 4, heads, concat, negative_slope=0.1, dropout=0.5).to(dtype)
    torch.nn.init.normal_(plain.bias)
    return plain, Attention(copy.deepcopy(plain))


def _x(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(NODES, 6, dtype=dtype, generator=torch.Generator().manual_seed(1))


def _outputs_and_gradients(layer: torch.nn.Module, x: Tensor, edges: Tensor) -> list[Tensor]:
    torch.manual_seed(0)  # of dropout
    x = x.clone().requires_grad_()
    outputs = layer(x, edges)
    loss = (outputs * torch.linspace(-1, 2, outputs.numel()).to(x).view_as(outputs)).sum()
    return [outputs, *torch.autograd.grad(loss, [x, *layer.parameters()])]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("heads", "concat"), [(1, True), (1, False), (3, True), (3, False)])
def test_outputs_and_gradients_are_torch_geometrics(edges, heads, concat, dtype, training):
    plain, ours = _layers(heads, concat=concat, dtype=dtype)
    found, wanted = (_outputs_and_gradients(each.train(training), _x(dtype), edges) for each in (ours, plain))
    assert_equal_up_to_rounding(found, wanted)
    assert all(each.any() for each in wanted)


def test_of_one_source_an_output_is_its_features_by_hand():
    """Node 1 attends to itself and to node 0: weights by the softmax of two logits."""
    layer = Attention(GATConv(1, 1).double())
    layer.load_state_dict(
        {"att_src": torch.tensor([[[2.0]]]), "att_dst": torch.tensor([[[-1.0]]]), "bias": torch.tensor([10.0])}
        | {"lin.weight": torch.tensor([[3.0]])}
    )
    found = layer(torch.tensor([[1.0], [2.0]]).double(), torch.tensor([[0], [1]]))
    logits = torch.tensor([2 * 3.0 - 6.0, 2 * 6.0 - 6.0]).double()  # 0 and 6, both not below 0
    assert found[0].item() == 13.0
    assert found[1].item() == pytest.approx(10 + (logits.softmax(0) @ torch.tensor([3.0, 6.0]).double()).item())


def test_second_derivatives_are_torch_geometrics(edges):
    def second(layer: GATConv) -> Tensor:
        x = _x().requires_grad_()
        (first,) = torch.autograd.grad(layer(x, edges).square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    plain, ours = (each.eval() for each in _layers(2))
    torch.testing.assert_close(second(ours), second(plain), rtol=1e-12, atol=1e-12)


def test_mapped_over_models_it_is_each_models_own(edges):
    _, ours = _layers(2)
    ours.eval()
    x, states = (
        _x(),
        {key: torch.stack([value.detach(), -2 * value.detach()]) for key, value in ours.state_dict().items()},
    )

    def loss(state: dict[str, Tensor]) -> Tensor:
        return functional_call(ours, state, (x, edges)).square().sum()

    found = vmap(grad(loss))(states)
    for model in range(2):
        alone = grad(loss)({key: value[model] for key, value in states.items()})
        for name, value in alone.items():
            torch.testing.assert_close(found[name][model], value, rtol=1e-12, atol=1e-12)


def test_other_edges_changed_ones_and_more_nodes_are_seen(edges):
    plain, ours = (each.eval() for each in _layers())
    for change in (None, torch.clone, Tensor.zero_, lambda both: both[:, :7], lambda both: both.add_(1)):
        edges = change(edges) if change else edges
        for x in (_x(), _x().repeat(2, 1)):
            assert_equal_up_to_rounding([ours(x, edges)], [plain(x, edges)])


def test_without_edges_a_node_sees_itself():
    plain, ours = (each.eval() for each in _layers())
    edges = torch.zeros(2, 0, dtype=torch.int64)
    assert torch.equal(ours(_x(), edges), plain(_x(), edges))


def test_what_is_not_for_the_fast_way_is_torch_geometrics(edges):
    plain, ours = (each.eval() for each in _layers())
    (found, (_, weights)), (wanted, (_, weights_wanted)) = (
        each(_x(), edges, return_attention_weights=True) for each in (ours, plain)
    )
    assert torch.equal(found, wanted)
    assert torch.equal(weights, weights_wanted)


def test_a_layer_that_was_used_can_be_copied_and_drawn_anew(edges):
    _, ours = _layers()
    copied = copy.deepcopy(ours.eval())
    assert torch.equal(ours(_x(), edges), copied(_x(), edges))
    copied.reset_parameters()
    assert not torch.equal(copied.lin.weight, ours.lin.weight)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", [{}, {"layers": 3, "hidden": 6, "heads": 2}, {"layers": 1}])
def test_the_reports_network_is_torch_geometrics(edges, options, training):
    """From features of which a few are not 0, and in training mode with the same dropout."""
    x = torch.zeros(NODES, 40)
    x[torch.arange(NODES), torch.arange(NODES) % 7] = torch.linspace(1, 2, NODES)
    network = build_network("gat", {"features": 40, **options}).train(training)
    shape = {"hidden": 8, "layers": 2, "heads": 1, **options}
    plain = GAT(40, shape["hidden"], shape["layers"], 7, dropout=0.6, act="elu", heads=shape["heads"]).train(training)
    plain.load_state_dict(network.state_dict())
    first = plain.convs[0]
    first.lin = SparseLinear(first.lin.weight)  # which is a dense product up to rounding

    def gradients(network: torch.nn.Module) -> list[Tensor]:
        torch.manual_seed(0)
        loss = network(x, edges).logsumexp(1).sum()
        return [loss, *torch.autograd.grad(loss, list(network.parameters()))]

    assert {type(conv) for conv in network.convs} == {Attention}
    assert_equal_up_to_rounding(gradients(network), gradients(plain))


@pytest.mark.parametrize("training", [False, True])
def test_the_reports_network_is_that_of_dense_products(edges, training):
    x = torch.zeros(NODES, 40, dtype=torch.float64)
    x[torch.arange(NODES), torch.arange(NODES) % 7] = torch.linspace(1, 2, NODES, dtype=torch.float64)
    network = build_network("gat", {"features": 40}).double().train(training)
    dense = GAT(40, 8, 2, 7, dropout=0.6, act="elu", heads=1).double().train(training)
    dense.load_state_dict(network.state_dict())
    assert type(network.convs[0].lin) is SparseLinear
    found, wanted = (_outputs_and_gradients(each, x, edges) for each in (network, dense))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
