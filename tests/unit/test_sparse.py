"""The sparse product is the dense one: by hand, in its derivatives of both orders, mapped, and for each input anew."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import linear
from torch_geometric.nn import GAT

from adaptive_sharpness import architectures, sparse
from adaptive_sharpness.sparse import Matrix, Product, SparseLinear

X = torch.zeros(30, 40, dtype=torch.float64)
X[torch.arange(30), torch.arange(30) % 7] = torch.linspace(1, 2, 30, dtype=torch.float64)
MATRIX = Matrix(X)


@pytest.fixture
def weight():
    return nn.Parameter(torch.randn(3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def forbidden(monkeypatch):
    """Call it, and a dense product is an error: what is tested is the sparse one."""

    def dense(*_):
        raise AssertionError("a dense product")

    return lambda: monkeypatch.setattr(sparse.nn.functional, "linear", dense)


def test_a_product_by_hand():
    a = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    b = torch.tensor([[1.0, 5.0], [3.0, -1.0], [7.0, 7.0]], dtype=torch.float64)
    assert Product.apply(b, Matrix(a)).tolist() == [[6.0, -2.0], [0.0, 0.0]]


def test_outputs_are_those_of_a_linear_layer(weight, forbidden):
    wanted = linear(X, weight)
    forbidden()
    torch.testing.assert_close(SparseLinear(weight)(X), wanted, rtol=1e-14, atol=0)


def test_derivatives_are_those_of_a_product(weight):
    columns = weight.detach().t().requires_grad_()
    assert torch.autograd.gradcheck(lambda b: Product.apply(b, MATRIX), columns, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda b: Product.apply(b, MATRIX).square(), columns)


def test_mapped_over_models_it_is_each_models_own(weight, forbidden):
    weights = torch.stack([weight.detach() * factor for factor in (1, -2, 3)])

    def gradient(product):
        return vmap(grad(lambda one: product(one).pow(3).sum()))(weights)

    wanted = gradient(lambda one: linear(X, one))
    forbidden()
    layer = SparseLinear(weight)
    found = gradient(lambda one: functional_call(layer, {"weight": one}, X))
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-13)


def test_another_input_or_a_changed_one_is_seen(weight):
    layer, x = SparseLinear(weight), X.clone()
    for change in (None, None, torch.clone, Tensor.zero_, Tensor.exp_):
        x = change(x) if change else x
        torch.testing.assert_close(layer(x), linear(x, weight), rtol=1e-14, atol=1e-14)


def test_an_input_that_needs_a_gradient_gets_it(weight):
    x = X.clone().requires_grad_()
    (found,) = torch.autograd.grad(SparseLinear(weight)(x).sum(), x)
    torch.testing.assert_close(found, weight.detach().sum(0).expand(30, 40), rtol=1e-14, atol=0)


def test_an_input_of_inference_mode_is_no_error(weight):
    with torch.inference_mode():
        torch.testing.assert_close(SparseLinear(weight)(X * 1), linear(X, weight), rtol=1e-14, atol=1e-14)


def test_a_layer_that_was_used_can_be_copied(weight):
    layer = SparseLinear(weight)
    assert torch.equal(layer(X), copy.deepcopy(layer)(X))


@pytest.mark.parametrize("training", [False, True])
def test_the_reports_gat_is_torch_geometrics(training):
    """The same loss and gradients from the same weights; in training mode, where both draw the same dropout, too."""
    edges = torch.tensor([[*range(30)], [*range(1, 30), 0]])
    network = architectures.build("gat", {"features": 40}).double().train(training)
    dense = GAT(40, 8, 2, 7, dropout=0.6, act="elu", heads=1).double().train(training)
    dense.load_state_dict(network.state_dict())

    def gradients(network):
        torch.manual_seed(0)
        loss = network(X, edges).logsumexp(1).sum()
        return loss, *torch.autograd.grad(loss, list(network.parameters()))

    assert type(network.convs[0].lin) is SparseLinear
    torch.testing.assert_close(gradients(network), gradients(dense), rtol=1e-12, atol=1e-12)
