"""Initial weights: the distributions that each rule draws them from."""

import math
from itertools import pairwise

import pytest
import torch
from scipy.stats import ks_2samp, kstest
from torch import nn
from torch_geometric.nn import GAT

from adaptive_sharpness import plugins
from adaptive_sharpness.initialisations.layers_own import layers_own
from adaptive_sharpness.initialisations.xavier_uniform import xavier_uniform
from adaptive_sharpness.landscape.randomness import generator
from adaptive_sharpness.study.training.networks import build_network

SMALL = {"lenet5": {"channels": (2, 3), "widths": (8, 6)}, "gat": {"features": 40}}


def _drawn(network: str, options: dict, rule: str, seed: int) -> nn.Module:
    """A network with weights of this rule, found by its name."""
    with torch.random.fork_rng():
        built = build_network(network, options)
    plugins.resolve("initialisations", rule)(built, generator(seed, "weights"))
    return built


def _uniform_on(values: torch.Tensor, bound: float) -> bool:
    """Within the bounds, near both of them, and evenly: a seed fails the last with probability 1e-4."""
    drawn = values.detach().double().flatten().numpy()
    return abs(drawn).max() <= bound and kstest(drawn, "uniform", args=(-bound, 2 * bound)).pvalue > 1e-4


def test_xavier_draws_linear_weights_between_glorots_bounds():
    network = _drawn("fcnn", {}, "xavier_uniform", seed=0)
    for layer, (fan_in, fan_out) in zip(network[::2], pairwise((10, 64, 64, 1)), strict=True):
        assert _uniform_on(layer.weight, math.sqrt(6 / (fan_in + fan_out)))


def test_xavier_counts_a_convolutions_kernel_in_its_fans():
    network = _drawn("lenet5", {}, "xavier_uniform", seed=0)
    for layer, channels in ((network[0][0], 1 + 12), (network[2][0], 12 + 32)):
        assert _uniform_on(layer.weight, math.sqrt(6 / (25 * channels)))


@pytest.mark.parametrize("network", ["fcnn", "lenet5"])
def test_xavier_sets_biases_to_0_and_batch_norm_to_1_and_0(network):
    for layer in _drawn(network, {}, "xavier_uniform", seed=0).modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
            assert not layer.bias.any()
        if isinstance(layer, nn.BatchNorm2d):
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))


def test_xavier_does_with_layers_that_have_no_bias():
    layer = nn.Linear(30, 20, bias=False)
    xavier_uniform(layer, generator(0, "weights"))
    assert _uniform_on(layer.weight, math.sqrt(6 / 50))


def test_glorot_draws_what_torch_geometric_draws():
    ours, theirs = {}, {}
    reference = GAT(SMALL["gat"]["features"], 8, 2, 7)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for seed in range(200):
            for name, parameter in _drawn("gat", SMALL["gat"], "glorot", seed).named_parameters():
                ours.setdefault(name, []).append(parameter.detach().flatten())
            reference.reset_parameters()
            for name, parameter in reference.named_parameters():
                theirs.setdefault(name, []).append(parameter.detach().clone().flatten())
    for name in theirs:
        mine, reference = torch.cat(ours[name]), torch.cat(theirs[name])
        assert mine.abs().max().item() == pytest.approx(reference.abs().max().item(), rel=0.02)
        assert ks_2samp(mine, reference).pvalue > 1e-4


def test_glorot_draws_between_its_bounds_and_sets_biases_to_0():
    network = _drawn("gat", {}, "glorot", seed=0)
    first, second = network.convs
    assert _uniform_on(first.lin.weight, math.sqrt(6 / (1433 + 8)))
    assert _uniform_on(second.lin.weight, math.sqrt(6 / (8 + 7)))
    for attention in (first.att_src, first.att_dst):
        assert _uniform_on(attention, math.sqrt(6 / (1 + 8)))
    for each in (network, _drawn("fcnn", {}, "glorot", seed=0)):  # whose layers draw biases
        assert not any(value.any() for name, value in each.named_parameters() if name.endswith("bias"))


def test_the_layers_own_rule_leaves_a_network_as_it_is():
    network = nn.Linear(2, 2)
    before = network.weight.clone()
    layers_own(network, generator(0, "weights"))
    assert torch.equal(network.weight, before)


@pytest.mark.parametrize(
    ("network", "rule", "reason"),
    [
        ("lenet5", "glorot", "a rule that knows 0.1.weight, which has one dimension"),  # batch norm's
        ("gat", "xavier_uniform", "a rule that knows a layer of this network"),  # else nothing would be drawn
    ],
)
def test_a_rule_that_does_not_fit_the_network_is_refused(network, rule, reason):
    with pytest.raises(ValueError, match=rf"^initialisation: got {rule}, wanted {reason}$"):
        _drawn(network, SMALL[network], rule, seed=0)
