"""Sparse products are dense ones: by hand, in their derivatives of both orders, mapped, and for each input anew."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import linear

from adaptive_sharpness.architectures.fast import sparse
from adaptive_sharpness.architectures.fast.sparse import Kept, Matrix, Product, Selection, SparseLinear

X = torch.zeros(30, 40, dtype=torch.float64)
X[torch.arange(30), torch.arange(30) % 7] = torch.linspace(1, 2, 30, dtype=torch.float64)
CHOSEN = torch.tensor([4, 0, 4, 39, 4, 1])
ROWS = torch.eye(40, dtype=torch.float64)[CHOSEN]  # the selection as a dense matrix
MATRICES = {"sparse": (Matrix(X), X), "selection": (Selection(CHOSEN, 40), ROWS)}
TRANSPOSED = {name: (matrix.transposed, dense.t()) for name, (matrix, dense) in MATRICES.items()}
BOTH = pytest.mark.parametrize(("matrix", "dense"), [*MATRICES.values(), *TRANSPOSED.values()])


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


def test_a_selection_by_hand():
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    selection = Selection(torch.tensor([2, 0, 2]), 3)
    assert Product.apply(a, selection).tolist() == [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]
    assert Product.apply(a, selection.transposed).tolist() == [[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]


@BOTH
def test_products_are_dense_ones_in_their_derivatives_too(matrix, dense):
    columns = torch.randn(dense.shape[1], 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(Product.apply(columns, matrix), dense @ columns, rtol=1e-14, atol=1e-14)
    columns.requires_grad_()
    assert torch.autograd.gradcheck(lambda b: Product.apply(b, matrix), columns, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda b: Product.apply(b, matrix).square(), columns)


@BOTH
def test_products_are_mapped_over_models(matrix, dense):
    stacked = torch.randn(dense.shape[1], 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = vmap(lambda b: Product.apply(b, matrix), in_dims=1)(stacked)
    torch.testing.assert_close(found, torch.einsum("nm,mpk->pnk", dense, stacked), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_add_rows_in_their_order_to_the_bit(dtype):
    draw = torch.Generator().manual_seed(3)
    index, rows = torch.randint(9, (500,), generator=draw), torch.randn(500, 7, dtype=dtype, generator=draw)
    one_by_one = torch.zeros(9, 7, dtype=dtype)
    for position, row in zip(index, rows, strict=True):
        one_by_one[position] += row
    assert torch.equal(Product.apply(rows, Selection(index, 9).transposed), one_by_one)


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


def test_what_is_kept_is_made_once_for_a_tensor_and_anew_when_it_changes():
    made = []
    kept = Kept(lambda tensor: made.append(tensor.clone()) or len(made))
    one, other = torch.zeros(2), torch.zeros(2)
    assert [kept.of(one), kept.of(one), kept.of(one.add_(1)), kept.of(one), kept.of(other)] == [1, 1, 2, 2, 3]
    with torch.inference_mode():  # where changes are not counted
        assert [kept.of(one * 1), kept.of(one * 1)] == [4, 5]
    assert copy.deepcopy(kept).of(other) == 6


def test_weights_are_drawn_anew_by_glorots_rule(weight):
    torch.manual_seed(0)
    SparseLinear(weight).reset_parameters()
    drawn = weight.detach().clone()
    torch.manual_seed(0)
    torch.testing.assert_close(drawn, torch.empty_like(drawn).uniform_(-1, 1) * (6 / 43) ** 0.5, rtol=1e-12, atol=1e-15)


def test_a_layer_that_was_used_can_be_copied(weight):
    layer = SparseLinear(weight)
    assert torch.equal(layer(X), copy.deepcopy(layer)(X))
