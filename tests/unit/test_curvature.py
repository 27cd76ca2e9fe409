"""Eigenvalues, eigenvectors and groups of `hessian` against the dense Hessian of small networks, in every scale."""

import math
import re
from functools import partial

import pytest
import torch
from test_scales import BY_HAND
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from zoo import CASES, Case, images, mlp, rows, seeded

from adaptive_sharpness import hessian
from adaptive_sharpness.landscape.lanczos import DENSE
from adaptive_sharpness.measures.hessian import Curvature

LOSS = functional.cross_entropy


def _dense(network: nn.Module, loss, batch, names: list[str], c: dict[str, Tensor]) -> Tensor:
    """diag(c) H diag(c) by torch, over the parameters of these names, one after the other."""
    own = {name: value.detach() for name, value in network.named_parameters()}
    sizes = [own[name].numel() for name in names]

    def value(flat: Tensor) -> Tensor:
        parts = dict(zip(names, flat.split(sizes), strict=True))
        weights = {**own, **{name: part.view_as(own[name]) for name, part in parts.items()}}
        if isinstance(batch, tuple):
            return loss(functional_call(network, weights, (batch[0],)), batch[1])
        return loss(lambda *inputs, **options: functional_call(network, weights, inputs, options), batch)

    matrix = torch.autograd.functional.hessian(
        value, torch.cat([own[name].flatten() for name in names]), vectorize=isinstance(batch, tuple)
    )
    factor = torch.cat([c[name].flatten() for name in names])
    return factor[:, None] * matrix * factor


def _scale(network: nn.Module, scale: str) -> dict[str, Tensor]:
    return {name: BY_HAND[scale](name, value.detach()) for name, value in network.named_parameters()}


def _assert_curvature(found: Curvature, position: int, matrix: Tensor, names: list[str], c: dict[str, Tensor]) -> None:
    """Eigenvalues and eigenvectors are those of the matrix, and the trace is within five of its standard errors."""
    wanted = torch.linalg.eigvalsh(matrix).flip(0)
    top = wanted.abs().max().item()
    values = found.eigenvalues[position]
    assert (values - wanted[: len(values)]).abs().max() <= 1e-8 * top
    assert values[0] == found.per_batch[position]
    for rank in range(1, len(values)):
        assert values[rank] == found.quantities[f"lambda_{rank + 1}"][position]
    assert list(found.eigenvectors) == names
    assert all(found.eigenvectors[name].shape[1:] == (len(values), *c[name].shape) for name in names)
    vectors = torch.cat([found.eigenvectors[name][position].flatten(1) for name in names], dim=1)
    torch.testing.assert_close(vectors @ vectors.T, torch.eye(len(values)).double(), rtol=0, atol=1e-8)
    assert (vectors @ matrix - values[:, None] * vectors).norm(dim=1).max() <= 1e-8 * top
    off = (matrix - matrix.diag().diag()).square().sum()
    error = (2 * off / ALL["vectors"]).sqrt()  # of v M v, v a vector of signs
    assert abs(found.trace[position] - matrix.trace()) <= 5 * error + 1e-12 * top


ALL = {"eigenvalues": 5, "eigenvectors": True, "vectors": 8, "tolerance": 1e-18}


def _convolutional() -> nn.Module:
    layers = nn.Conv2d(2, 2, 3), nn.GroupNorm(1, 2), nn.GELU(), nn.Conv2d(2, 2, 3, stride=2), nn.LayerNorm(2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 3))


@pytest.fixture(params=[Case(partial(mlp, width=5), LOSS, rows), Case(_convolutional, LOSS, images)])
def case(request) -> Case:
    return request.param


@pytest.mark.parametrize("scale", BY_HAND)
def test_in_every_scale_it_is_that_of_the_dense_matrix(case, scale):
    network, batches = case.build()
    found = hessian(network, case.loss, batches, scale=scale, **ALL)
    c = _scale(network, scale)
    names = list(c)
    for position, batch in enumerate(batches):
        matrix = _dense(network, case.loss, batch, names, c)
        assert len(matrix) > DENSE
        _assert_curvature(found, position, matrix, names, c)


def test_of_attention_it_is_that_of_the_dense_matrix():
    case = CASES["bert_transformers"]
    network, batches = case.build()
    names = [name for name, _ in network.named_parameters() if "attention" in name]
    found = hessian(network, case.loss, batches[:1], perturb=lambda name: name in names, **ALL)
    c = _scale(network, "adaptive")
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        matrix = _dense(network, case.loss, batches[0], names, c)
    assert len(matrix) > DENSE
    _assert_curvature(found, 0, matrix, names, c)


def _layered() -> nn.Module:
    with seeded():
        return nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)).double().eval()


def _batches(*counts: int) -> list[tuple[Tensor, Tensor]]:
    with seeded():
        return [(x.double(), y) for x, y in (rows(count=count) for count in counts)]


@pytest.mark.parametrize(
    ("perturb", "names"),
    [
        ("weights", ["0.weight", "1.weight", "3.weight"]),
        ("no_normalisation", ["0.weight", "0.bias", "3.weight", "3.bias"]),
        ("trainable", ["0.weight", "1.weight", "1.bias", "3.weight", "3.bias"]),
        (lambda name: name == "3.bias", ["3.bias"]),
    ],
    ids=["weights", "no_normalisation", "trainable", "one"],
)
@pytest.mark.parametrize("whole", [False, True], ids=["batches", "whole"])
def test_only_the_block_of_what_is_perturbed_counts(perturb, names, whole):
    """Of the whole data the matrix is the mean over all examples."""
    network, batches = _layered(), _batches(6, 3)
    network[0].bias.requires_grad_(perturb != "trainable")
    found = hessian(network, LOSS, batches, perturb=perturb, whole=whole, **{**ALL, "eigenvalues": 3})
    network[0].bias.requires_grad_(True)
    c = _scale(network, "adaptive")
    matrices = [_dense(network, LOSS, batch, names, c) for batch in batches]
    if whole:
        matrices = [(6 * matrices[0] + 3 * matrices[1]) / 9]
    assert found.per_batch.shape == (len(matrices),)
    for position, matrix in enumerate(matrices):
        _assert_curvature(found, position, matrix, names, c)


def _by_kind(name: str) -> str:
    return name.rpartition(".")[2]


LAYERS = {"0": ["0.weight", "0.bias"], "1": ["1.weight", "1.bias"], "3": ["3.weight", "3.bias"]}
KINDS = {"weight": ["0.weight", "1.weight", "3.weight"], "bias": ["0.bias", "1.bias", "3.bias"]}


@pytest.mark.parametrize(("groups", "members"), [("layer", LAYERS), (_by_kind, KINDS)], ids=["layer", "function"])
@pytest.mark.parametrize("how", [{}, {"whole": True}], ids=["batches", "whole"])
def test_groups_have_the_curvature_of_their_own_blocks(groups, members, how):
    network, batches = _layered(), _batches(6, 3)
    found = hessian(network, LOSS, batches, groups=groups, scale="neuron", **ALL, **how)
    c = _scale(network, "neuron")
    assert list(found.groups) == list(members)
    for name, block in {**found.groups, None: found}.items():
        names = members.get(name, list(c))
        matrices = [_dense(network, LOSS, batch, names, c) for batch in batches]
        if how:
            matrices = [(6 * matrices[0] + 3 * matrices[1]) / 9]
        for position, matrix in enumerate(matrices):
            _assert_curvature(block, position, matrix, names, c)
        assert block.groups is None or name is None


def test_a_group_of_few_weights_has_as_many_eigenvalues():
    network, batches = _layered(), _batches(6)
    found = hessian(network, LOSS, batches, eigenvalues=10, vectors=1, groups=lambda name: name)
    assert {name: block.eigenvalues.shape[-1] for name, block in found.groups.items()} == {
        name: min(10, value.numel()) for name, value in network.named_parameters()
    }


@pytest.mark.parametrize("groups", ["layers", "", 3, ["layer"]], ids=repr)
def test_what_is_no_grouping_is_refused_before_anything_is_measured(groups):
    line = f"groups: got {groups!r}, wanted one of layer, or a function of a parameter's name"
    told = []
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        hessian(_layered(), LOSS, _batches(6), groups=groups, callback=lambda *args: told.append(args))
    assert not told


def test_a_layer_that_is_the_network_itself_is_a_group_without_a_name():
    found = hessian(nn.Linear(5, 3).double().eval(), LOSS, _batches(6), groups="layer", vectors=1)
    assert list(found.groups) == [""]
    assert torch.equal(found.groups[""].per_batch, found.per_batch)


def test_of_several_outputs_with_a_squared_loss_every_eigenvalue_comes_once_an_output():
    """The Hessian is 2 / outputs (X'X / rows), once an output."""
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(64, n, generator=draw, dtype=torch.float64) for n in (20, 4))
    found = hessian(
        nn.Linear(20, 4).double().eval(), functional.mse_loss, (x, y), scale="none", perturb="weights", **ALL
    )
    values = torch.linalg.eigvalsh(x.T @ x / 64 * 2 / 4).flip(0)
    torch.testing.assert_close(found.eigenvalues[0], values[[0, 0, 0, 0, 1]], rtol=1e-10, atol=0)


@pytest.mark.parametrize("count", [1, 5])
def test_eigenvalues_in_float32_are_those_of_the_dense_matrix_to_its_precision(count):
    network, batches = _layered(), _batches(6, 3)
    found = hessian(_layered().float(), LOSS, [(x.float(), y) for x, y in batches], eigenvalues=count)
    for position, batch in enumerate(batches):
        matrix = _dense(network, LOSS, batch, list(_scale(network, "adaptive")), _scale(network, "adaptive"))
        values = torch.linalg.eigvalsh(matrix).flip(0)
        torch.testing.assert_close(found.eigenvalues[position], values[:count], rtol=0, atol=1e-5 * values[0].item())


@pytest.mark.parametrize(("count", "size"), [(48, 47), (4, 3)])
def test_more_eigenvalues_than_weights_are_refused(count, size):
    line = f"eigenvalues: got {count}, wanted at most {size}, as many as there are weights"
    perturb = "all" if size == 47 else lambda name: name == "3.bias"
    with pytest.raises(ValueError, match=f"^{line}$"):
        hessian(_layered(), LOSS, _batches(6), eigenvalues=count, perturb=perturb)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"eigenvalues": 0}, "eigenvalues: got 0, wanted a whole number, at least 1"),
        ({"eigenvalues": 1.5}, "eigenvalues: got 1.5, wanted a whole number, at least 1"),
        ({"density": -1}, "density: got -1, wanted a whole number, at least 0"),
        ({"trace_error": 0}, "trace_error: got 0, wanted a finite number above 0, or none"),
        ({"trace_error": math.inf}, "trace_error: got inf, wanted a finite number above 0, or none"),
        ({"tolerance": -1e-3}, "tolerance: got -0.001, wanted a finite number above 0, or none"),
        ({"tolerance": "fine"}, "tolerance: got 'fine', wanted a finite number above 0, or none"),
    ],
    ids=str,
)
def test_an_option_that_means_nothing_is_refused_in_one_line(options, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        hessian(_layered(), LOSS, _batches(6), **options)
