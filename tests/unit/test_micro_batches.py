"""In micro-batches every measure finds what it finds on whole batches; a loss that is no mean or sum is refused."""

import re
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from zoo import CASES, CLASSES, FEATURES, Case, graphs, heads, mlp, of_graphs, of_heads, rows, seeded

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.landscape.derivatives import gradient, hessian_product
from adaptive_sharpness.landscape.problems import Chunk, Problems

SUM = nn.CrossEntropyLoss(reduction="sum")


def _sum_of_heads(network: nn.Module, batch: dict) -> Tensor:
    return len(batch["x"]) * of_heads(network, batch)


def _named(batch: dict) -> dict:
    """With what is no tensor in it, and tensors at some depth."""
    return {"x": batch["x"], "more": ("a name", [batch["kind"]]), "size": batch["size"], "flag": True}


def _of_named(network: nn.Module, batch: dict) -> Tensor:
    assert (batch["more"][0], batch["flag"]) == ("a name", True)
    return of_heads(network, {**batch, "kind": batch["more"][1][0]})


CHOSEN = {name: CASES[name] for name in ("encoder_layer", "many_norms", "bert_transformers", "multi_head", "siamese")}
CHOSEN |= {
    "a sum": Case(mlp, SUM, partial(rows, count=7)),
    "a sum of dicts": Case(CASES["multi_head"].network, _sum_of_heads, heads, whole=True),
    "an uneven mean": Case(partial(mlp, nn.ReLU()), functional.cross_entropy, partial(rows, count=7)),
    "nested": Case(CASES["multi_head"].network, _of_named, lambda: _named(heads()), whole=True),
    "one row": Case(mlp, functional.cross_entropy, partial(rows, count=1)),
}
MEASURES = {
    "worst_case, linf": partial(worst_case, rho=0.05, steps=4, restarts=1),
    "worst_case, l2": partial(worst_case, rho=0.05, steps=4, norm="l2", solver="pga", keep_delta=True),
    "average_case": partial(average_case, rho=0.05, samples=4),
    "hessian": partial(hessian, vectors=2, eigenvalues=2),
}


@pytest.fixture(params=CHOSEN)
def case(request) -> Case:
    return CHOSEN[request.param]


def _differentiated(case: Case, **options) -> dict[str, Tensor]:
    """Losses, gradients, and products of the Hessian with the weights, of each batch."""
    network, batches = case.build()

    def solution(chunk: Chunk) -> dict[str, Tensor]:
        losses, slopes = gradient(chunk.loss, {name: value.clone() for name, value in chunk.weights.items()})
        products = hessian_product(chunk.loss, chunk.weights)(chunk.weights)
        each = {"slopes": slopes, "products": products}
        return {"losses": losses} | {n: torch.cat([x.flatten(1) for x in of.values()], 1) for n, of in each.items()}

    return Problems(network, case.loss, batches, twice=True, **options).solve(solution)


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_losses_gradients_and_products_are_those_of_whole_batches(case, size):
    found, wanted = _differentiated(case, micro_batch=size), _differentiated(case)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=1e-12 * value.abs().max().item())


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_finds_what_it_finds_on_whole_batches(case, measure):
    network, batches = case.build()
    few = sorted((value.numel(), name) for name, value in network.named_parameters())[:4]
    options = {"perturb": {name for _, name in few}.__contains__} if measure == "hessian" else {}
    found, wanted = (MEASURES[measure](network, case.loss, batches, micro_batch=size, **options) for size in (2, None))
    torch.testing.assert_close(found.base_loss, wanted.base_loss, rtol=1e-12, atol=0)
    rounding = 1e-12 * wanted.base_loss.abs().max().item()  # a rise is a difference of losses
    for name, value in wanted.quantities.items():
        torch.testing.assert_close(found.quantities[name], value, rtol=1e-9, atol=rounding)
    assert wanted.per_batch.abs().min() > 1e3 * rounding


@pytest.mark.parametrize("measure", ["worst_case, linf", "average_case"])
def test_problems_that_are_solved_at_once_have_micro_batches_too(measure):
    case = CHOSEN["an uneven mean"]
    network, batches = case.build()
    models = [network, case.build()[0]]
    with torch.no_grad():
        models[1][0].weight.mul_(1.5)
    found, wanted = (
        MEASURES[measure](models, case.loss, batches, **how) for how in ({"stacked": 3, "micro_batch": 3}, {})
    )
    torch.testing.assert_close(found.base_loss, wanted.base_loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.per_batch, wanted.per_batch, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "sizes", "size"),
    [
        (functional.cross_entropy, (4, 2, 1), None),
        (functional.cross_entropy, (4, 2, 1), 3),
        (functional.cross_entropy, (1, 4, 2), 3),
        (SUM, (4, 2, 1), None),
        (SUM, (4, 2, 1), 3),
        (SUM, (1, 4, 2), None),
        (SUM, (1, 1, 5), 3),
    ],
)
def test_the_whole_data_have_the_curvature_of_one_batch(loss, sizes, size):
    """Whatever the sizes of the batches that they come in."""
    network, ((x, y), _) = CHOSEN["an uneven mean"].build()
    how = {"vectors": 2, "eigenvalues": 3}
    found = hessian(
        network, loss, list(zip(x.split(sizes), y.split(sizes), strict=True)), **how, whole=True, micro_batch=size
    )
    wanted = hessian(network, loss, (x, y), **how)
    assert found.per_batch.shape == (1,)
    torch.testing.assert_close(found.base_loss, wanted.base_loss, rtol=1e-12, atol=0)
    for name, value in wanted.quantities.items():
        torch.testing.assert_close(found.quantities[name], value, rtol=1e-9, atol=0)


@pytest.mark.parametrize("measure", MEASURES)
def test_gradients_are_taken_of_no_more_examples_at_once(measure):
    case, sizes = CHOSEN["an uneven mean"], []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        sizes.append(len(output) if torch.is_grad_enabled() else 0)
        return case.loss(output, target)

    network, batches = case.build()
    MEASURES[measure](network, loss, batches, micro_batch=3)
    assert set(sizes) == ({0} if measure == "average_case" else {0, 1, 3})


def _contrasted(output: Tensor, target: Tensor) -> Tensor:
    """Examples meet each other."""
    return functional.cross_entropy(output @ output.T, torch.arange(len(output)))


def _own_statistics() -> nn.Module:
    """Those of the batch, also in eval mode."""
    return mlp(nn.BatchNorm1d(4, track_running_stats=False), nn.Tanh())


class _Trained(nn.BatchNorm1d):
    """A batch norm that calls itself one of eval mode, and takes the batch's statistics like one of training mode."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.batch_norm(x, None, None, self.weight, self.bias, training=True)


def _weighted(output: Tensor, target: Tensor) -> Tensor:
    """A mean over weights, which are no numbers of examples."""
    return functional.cross_entropy(output, target, weight=torch.arange(1.0, 1 + CLASSES).to(output))


NEITHER = {
    "examples that meet": (mlp, _contrasted),
    "weighted classes": (mlp, _weighted),
    "the root of a mean": (mlp, lambda output, target: functional.cross_entropy(output, target).sqrt()),
    "a mean and a penalty by size": (mlp, lambda o, t: functional.cross_entropy(o, t) + 1e-6 * len(o)),
    "the batch's statistics": (_own_statistics, functional.cross_entropy),
    "training mode's statistics": (lambda: mlp(_Trained(4), nn.Tanh()), functional.cross_entropy),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", NEITHER)
def test_a_loss_that_is_no_mean_or_sum_over_examples_is_refused(kind, measure):
    build, loss = NEITHER[kind]
    with seeded():
        network, (x, _) = build().double().eval(), rows()
    number = r"-?\d\S*"
    wanted = (
        rf"^micro_batch: got a loss of {number} on examples 0 to 3, {number} and {number} on two parts of them, "
        r"wanted a mean or a sum over examples$"
    )
    with pytest.raises(ValueError, match=wanted):
        MEASURES[measure](network, loss, (x.double(), torch.arange(6) % CLASSES), micro_batch=2)


def test_examples_that_meet_in_the_last_ones_alone_are_found():
    """All of the first batch are looked at."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(output, target) + (target.max() > 1).double()

    x, y = torch.ones(12, 1).double(), torch.tensor([[0.0]] * 11 + [[2.0]]).double()
    with pytest.raises(ValueError, match=r"^micro_batch: got a loss of \S+ on examples 6 to 11, "):
        worst_case(nn.Linear(1, 1).double().eval(), loss, (x, y), rho=0.1, micro_batch=3)


def test_a_network_in_training_mode_is_refused():
    network = mlp(nn.BatchNorm1d(4)).eval()
    network[1].train()
    with pytest.raises(ValueError, match=r"^1 is in training mode, wanted eval mode: call network.eval\(\) first$"):
        worst_case(network, functional.cross_entropy, rows(), rho=0.1, micro_batch=2)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "2", [2]], ids=repr)
@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_no_number_of_examples_is_refused(measure, size):
    line = f"micro_batch: got {size!r}, wanted a whole number, at least 1"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        MEASURES[measure](mlp().eval(), functional.cross_entropy, rows(), micro_batch=size)


def _of_all(network: nn.Module, batch: Any) -> Tensor:
    return network(torch.ones(2, FEATURES)).square().mean()


@pytest.mark.parametrize(
    ("network", "loss", "batch", "line"),
    [
        (mlp, _of_all, {"x": torch.ones(4, 2), "y": torch.ones(3)}, "batch: got tensors of 3, 4 rows in it, wanted one "
         "number of examples: the first dimension of all its tensors"),
        (mlp, _of_all, {"x": torch.ones(4, 2), "rate": torch.tensor(0.5)}, "batch: got tensors of 0, 4 rows in it"),
        (mlp, _of_all, {"name": "rows"}, "batch: got tensors of no rows in it, wanted one number of examples"),
        (CASES["graph_convolution"].network, of_graphs, graphs, "batch: got a DataBatch in it, whose examples cannot "
         "be told apart, wanted tensors"),
        (mlp, _of_all, [{1, 2}, torch.ones(2)], "batch: got a set in it, whose examples cannot be told apart, wanted"),
    ],
    ids=["unequal", "a scalar", "no tensors", "graphs", "a set"],
)  # fmt: skip
@pytest.mark.parametrize("how", [{"micro_batch": 2}, {"whole": True}], ids=["micro_batch", "whole"])
def test_a_batch_whose_examples_cannot_be_told_apart_is_refused(how, network, loss, batch, line):
    with seeded():
        network, batch = network().eval(), batch() if callable(batch) else batch
    with pytest.raises(ValueError, match=f"^{re.escape(line)}"):
        hessian(network, loss, [batch], **how)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_call_has_more_examples_than_two_micro_batches(measure):
    sizes = []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        sizes.append(len(output))
        return functional.cross_entropy(output, target)

    MEASURES[measure](mlp().eval(), loss, rows(count=12), micro_batch=3)
    assert set(sizes) == {3, 6}  # two at once only to see that the loss is a mean
