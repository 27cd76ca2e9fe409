"""The three architectures: their sizes, and that every option does something."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness.study.training.networks import build_network

RING = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])  # five nodes, each with an edge to the next


def _inputs(network: str, features: int = 1433) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    shapes = {"fcnn": (5, 10), "lenet5": (5, 1, 28, 28), "gat": (5, features)}
    x = torch.randn(shapes[network], generator=draw)
    return (x, RING) if network == "gat" else (x,)


def _built(network: str, **options) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(network, options)


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


FCNN = (10 * 64 + 64) + (64 * 64 + 64) + (64 * 1 + 1)
LENET5 = (
    *(12 * 1 * 5 * 5 + 12, 12 + 12),  # convolution and batch norm
    *(32 * 12 * 5 * 5 + 32, 32 + 32),
    *(32 * 4 * 4 * 256 + 256, 256 * 128 + 128, 128 * 10 + 10),  # 28 -> 24 -> 12 -> 8 -> 4 pixels
)
GAT = (1433 * 8 + 8 + 8 + 8) + (8 * 7 + 7 + 7 + 7)  # weights, attention to source and target, bias


@pytest.mark.parametrize(
    ("network", "size", "published"), [("fcnn", FCNN, 4929), ("lenet5", sum(LENET5), 175_546), ("gat", GAT, 11_565)]
)
def test_the_reports_networks_have_as_many_parameters_as_their_layers_add_up_to(config, network, size, published):
    options = config["protocols"]["report"][network]["options"]
    assert size == published
    assert _size(build_network(network, options)) == size
    assert _size(build_network(network, {})) == size


@pytest.mark.parametrize(("network", "outputs"), [("fcnn", 1), ("lenet5", 10), ("gat", 7)])
def test_a_network_gives_its_outputs_for_every_example(network, outputs):
    assert _built(network)(*_inputs(network)).shape == (5, outputs)


@pytest.mark.parametrize(
    ("network", "options", "size"),
    [
        ("fcnn", {"widths": (10, 3, 2)}, 10 * 3 + 3 + 3 * 2 + 2),
        ("fcnn", {"widths": (10, 4)}, 10 * 4 + 4),
        ("lenet5", {"channels": (3, 32)}, sum(LENET5) + (3 - 12) * (25 + 1 + 2 + 32 * 25)),
        ("lenet5", {"channels": (12, 5)}, sum(LENET5) + (5 - 32) * (12 * 25 + 1 + 2 + 16 * 256)),
        ("lenet5", {"widths": (7, 128)}, sum(LENET5) + (7 - 256) * (512 + 1 + 128)),
        ("lenet5", {"widths": (256, 9)}, sum(LENET5) + (9 - 128) * (256 + 1 + 10)),
        ("lenet5", {"classes": 4}, sum(LENET5) + (4 - 10) * (128 + 1)),
        ("gat", {"features": 20}, GAT + (20 - 1433) * 8),
        ("gat", {"hidden": 6}, GAT + (6 - 8) * (1433 + 3 + 7)),
        ("gat", {"classes": 3}, GAT + (3 - 7) * (8 + 3)),
        ("gat", {"layers": 3}, GAT + 8 * 8 + 8 + 8 + 8),
        ("gat", {"heads": 2}, GAT + 7 * (8 + 2)),  # two heads of 4 channels, then two of 7, averaged
    ],
)
def test_an_option_of_size_changes_the_size(network, options, size):
    built = _built(network, **options)
    assert _size(built) == size
    assert len(built(*_inputs(network, options.get("features", 1433)))) == 5


@pytest.mark.parametrize(("activation", "function"), [("ReLU", functional.relu), ("ELU", functional.elu)])
def test_fcnn_has_its_activation_between_the_layers_and_none_on_the_output(activation, function):
    network, (x,) = _built("fcnn", widths=(10, 6, 5, 3), activation=activation), _inputs("fcnn")
    first, second, third = (layer for layer in network if isinstance(layer, nn.Linear))
    torch.testing.assert_close(network(x), third(function(second(function(first(x))))), rtol=0, atol=0)


@pytest.mark.parametrize(("output", "function"), [("ELU", functional.elu), ("Tanh", torch.tanh)])
def test_fcnn_has_an_activation_on_the_output_if_it_is_asked_for(output, function):
    network, (x,) = _built("fcnn", widths=(10, 6, 3), output=output), _inputs("fcnn")
    first, second = (layer for layer in network if isinstance(layer, nn.Linear))
    torch.testing.assert_close(network(x), function(second(functional.relu(first(x)))), rtol=0, atol=0)


@pytest.mark.parametrize(("activation", "function"), [("elu", functional.elu), ("relu", functional.relu)])
def test_gat_has_its_activation_between_the_layers_and_none_on_the_output(activation, function):
    network, (x, edges) = _built("gat", activation=activation).eval(), _inputs("gat")
    first, second = network.convs
    torch.testing.assert_close(network(x, edges), second(function(first(x, edges)), edges), rtol=0, atol=0)


def test_gat_attends_to_neighbours_as_velickovic_says():
    network, (x, edges) = _built("gat", features=3, layers=1, classes=2).double().eval(), _inputs("gat", 3)
    layer = network.convs[0]
    z = x.double() @ layer.lin.weight.T
    towards, of = z @ layer.att_dst.flatten(), z @ layer.att_src.flatten()
    for node in range(5):
        seen = [node, *edges[0, edges[1] == node].tolist()]  # itself too
        attention = torch.softmax(functional.leaky_relu(of[seen] + towards[node], 0.2), dim=0)
        torch.testing.assert_close(network(x.double(), edges)[node], attention @ z[seen] + layer.bias)


@pytest.mark.parametrize("network", ["lenet5", "gat"])
def test_dropout_is_off_at_0_and_on_above_it_and_off_in_eval_mode(network):
    def spread(dropout: float, training: bool) -> float:
        built = _built(network, dropout=dropout).train(training)
        with torch.no_grad():
            return (built(*_inputs(network)) - built(*_inputs(network))).abs().max().item()

    assert spread(0.0, training=True) == 0
    assert spread(0.5, training=True) > 0
    assert spread(0.5, training=False) == 0


def test_gat_drops_attention_too():
    network = _built("gat", layers=1, dropout=0.5).train()  # one layer: there are no hidden features to drop
    assert (network(*_inputs("gat")) - network(*_inputs("gat"))).abs().max() > 0


@pytest.mark.parametrize("dropout", [0.2, 0.5])
def test_lenet5_drops_this_share_of_both_hidden_linear_layers(dropout):
    network, dropped = _built("lenet5", dropout=dropout).train(), []
    for layer in network:
        if isinstance(layer, nn.Dropout):
            layer.register_forward_hook(lambda _, given, gives: dropped.append((gives == 0)[given[0] > 0]))
    network(torch.randn(200, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    assert len(dropped) == 2
    for each in dropped:
        assert each.double().mean().item() == pytest.approx(dropout, abs=5 * (0.25 / len(each)) ** 0.5)


def _torchs(network: nn.Sequential) -> nn.Sequential:
    """Torch's layers of the same weights, ReLU before the pool, as the report has them."""
    first, _, second, _, *rest = network
    blocks = [(convolution, norm, nn.ReLU(), pool) for convolution, norm, pool in (first, second)]
    assert [type(layer).__name__ for layer in blocks[0]] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    return nn.Sequential(*blocks[0], *blocks[1], *rest)


@pytest.mark.parametrize("training", [True, False])
def test_lenet5_is_torchs_layers_with_relu_before_the_pool(training):
    network = _built("lenet5", dropout=0.0).double().train(training)
    found = []
    for each in (network, _torchs(network)):
        images = _inputs("lenet5")[0].double().requires_grad_()
        outputs = each(images)
        loss = functional.cross_entropy(outputs, torch.arange(5))
        found.append([outputs, *torch.autograd.grad(loss, [images, *network.parameters()])])
    for own, torchs in zip(*found, strict=True):
        torch.testing.assert_close(own, torchs, rtol=1e-9, atol=1e-12)


WITH_DROPOUT = {
    "fcnn": ({}, torch.rand(6, 10)),
    "resnet": ({"width": 4}, torch.rand(6, 1, 28, 28)),
    "vit": ({}, torch.rand(6, 1, 28, 28)),
    "transformer": ({"vocabulary": 9}, torch.arange(60).reshape(6, 10) % 9),
}


@pytest.mark.parametrize("network", WITH_DROPOUT)
def test_dropout_changes_no_name_no_initial_weight_and_no_output_in_eval_mode(network):
    options, x = WITH_DROPOUT[network]
    plain, dropped = _built(network, **options), _built(network, dropout=0.5, **options)
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    assert torch.equal(plain.eval()(x), dropped.eval()(x))
    assert torch.equal(plain.train()(x), _built(network, dropout=0.0, **options).train()(x))
    assert not torch.equal(dropped.train()(x), dropped(x))


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("fcnn", 2),  # after each of two hidden layers
        ("resnet", 3),  # in each block
        ("vit", 1 + 2 * 2),  # on the tokens, and twice in each block
        ("transformer", 1 + 2 * 2),
    ],
)
def test_a_share_of_the_numbers_is_dropped_and_the_rest_is_scaled(network, layers):
    (options, x), seen = WITH_DROPOUT[network], []
    built = _built(network, dropout=0.2, **options).train()
    for module in built.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda _, given, gives: seen.append((given[0].detach(), gives.detach())))
    built(x)
    assert len(seen) == layers
    for before, after in seen:
        kept = after != 0
        torch.testing.assert_close(after[kept], before[kept] / 0.8)
        drops = (~kept)[before != 0]
        assert drops.double().mean().item() == pytest.approx(0.2, abs=5 * (0.16 / len(drops)) ** 0.5)
